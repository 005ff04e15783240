"""`make demo`: the main job, on an embedded Prefect server. Not part of the connector."""
