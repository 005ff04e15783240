"""Tools for authors of streams.yaml. Nothing in here is deployed."""
