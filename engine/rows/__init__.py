"""Rows: from a server's records to the destination's typed columns."""
