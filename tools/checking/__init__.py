"""Holding streams.yaml against a live API: its OpenAPI document, and the first records of each stream."""
