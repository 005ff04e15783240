"""A paginator in Python: the last page has a link, too, and only a flag says that it is the last."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator
from requests import Response


class Export(JSONLinkPaginator):
    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        super().update_state(response, data)
        self._has_next_page = not response.json()["end_of_stream"]


def config(url: str, email: str, api_token: str) -> dict[str, Any]:
    seconds = {"type": "incremental", "cursor_path": "generated_timestamp", "initial_value": 1167609600}
    since = {
        "type": "incremental",
        "cursor_path": "updated_at",
        "initial_value": "2007-01-01T00:00:00Z",
        "convert": _epoch,
    }
    return {
        "client": {
            "base_url": url,
            "auth": {"type": "http_basic", "username": f"{email}/token", "password": api_token},
        },
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": [
            _export("tickets", seconds),
            _export("users", since),
            {
                "name": "ticket_comments",
                "include_from_parent": ["id"],
                "endpoint": {
                    "path": "tickets/{resources.tickets.id}/comments",
                    "params": {"page[size]": 100},
                    "data_selector": "comments",
                    "response_actions": [{"status_code": 404, "action": "ignore"}],
                    "paginator": {
                        "type": "cursor",
                        "cursor_path": "meta.after_cursor",
                        "cursor_param": "page[after]",
                        "has_more_path": "meta.has_more",
                    },
                },
            },
        ],
    }


def _export(name: str, since: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "endpoint": {
            "path": f"incremental/{name}/cursor",
            "params": {"start_time": since, "per_page": 1000},
            "data_selector": name,
            "paginator": Export("after_url"),
        },
    }


def _epoch(instant: str) -> int:
    return int(datetime.fromisoformat(instant.replace("Z", "+00:00")).timestamp())
