"""`make demo`: the main job on a Prefect server of its own. Not part of the connector."""
