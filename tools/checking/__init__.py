"""Checks of a streams.yaml against an API: its OpenAPI document, and the first records that it returns."""
