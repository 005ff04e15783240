"""What most readers of Prefect's API do: pages by limit and offset, one after the other."""

from __future__ import annotations

import requests


def read(url: str, page_size: str = "100") -> int:
    """Read all flow runs until a page is short."""
    session, limit, rows = requests.Session(), int(page_size), 0
    while True:
        body = {"sort": "EXPECTED_START_TIME_ASC", "limit": limit, "offset": rows}
        answer = session.post(f"{url}/flow_runs/filter", json=body)
        answer.raise_for_status()
        page = answer.json()
        rows += len(page)
        if len(page) < limit:
            return rows
