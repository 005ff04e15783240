"""The tools, one module each, whose ``sync`` runs one sync and returns the records that it sends."""
