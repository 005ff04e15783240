"""Windows come from a resource in Python. Each sync reads all of them, and dlt keeps what changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import dlt

FORM = "%Y-%m-%dT%H:%M:%SZ"


@dlt.resource(selected=False)
def windows(start_date: str) -> Iterator[list[dict[str, str]]]:
    since, now = datetime.fromisoformat(f"{start_date}T00:00:00+00:00"), datetime.now(timezone.utc)
    while since < now:
        until = min(since + timedelta(days=180), now)
        yield [{"since": since.strftime(FORM), "until": until.strftime(FORM)}]
        since = until


def config(url: str, api_key: str, start_date: str) -> dict[str, Any]:
    return {
        "client": {
            "base_url": url,
            "auth": {
                "type": "api_key",
                "name": "Authorization",
                "api_key": f"Token token={api_key}",
                "location": "header",
            },
            "headers": {"Accept": "application/vnd.pagerduty+json;version=2", "Content-Type": "application/json"},
            "paginator": {"type": "offset", "limit": 100, "total_path": None, "has_more_path": "more"},
        },
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": [
            windows(start_date),
            {
                "name": "incidents",
                "endpoint": {
                    "path": "incidents",
                    "params": {
                        "since": "{resources.windows.since}",
                        "until": "{resources.windows.until}",
                        "sort_by": "created_at",
                    },
                    "incremental": {"cursor_path": "updated_at", "initial_value": "2015-01-01T00:00:00Z"},
                    "data_selector": "incidents",
                },
            },
            {
                "name": "incident_log_entries",
                "include_from_parent": ["id"],
                "endpoint": {"path": "incidents/{resources.incidents.id}/log_entries", "data_selector": "log_entries"},
            },
            {
                "name": "services",
                "endpoint": {"path": "services", "params": {"sort_by": "name"}, "data_selector": "services"},
            },
        ],
    }
