"""Stubs of public APIs, which accept and reject what the documentation of each says."""
