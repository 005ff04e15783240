"""A loop over pages by limit and offset, one after another: the least that a client in Python needs.

This is what most readers of Prefect's API do.
"""

from __future__ import annotations

import requests


def read(url: str, page_size: str = "200") -> int:
    """Read all flow runs, up to the first empty page."""
    session, rows = requests.Session(), 0
    while True:
        body = {"sort": "EXPECTED_START_TIME_ASC", "limit": int(page_size), "offset": rows}
        response = session.post(f"{url}/flow_runs/filter", json=body)
        response.raise_for_status()
        if not (page := response.json()):
            return rows
        rows += len(page)
