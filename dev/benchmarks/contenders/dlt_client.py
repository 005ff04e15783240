"""dlt's REST client alone: the same pages, nothing mapped."""

from __future__ import annotations

from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import OffsetPaginator


def read(url: str) -> int:
    """Read a list up to the first empty page."""
    pages = OffsetPaginator(limit=200, total_path=None, offset_body_path="offset", limit_body_path="limit")
    client = RESTClient(base_url=url)
    read_pages = client.paginate("/flow_runs/filter", method="POST", json={}, paginator=pages, data_selector="$")
    return sum(len(page) for page in read_pages)
