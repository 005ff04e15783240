"""One time for all repositories, which is that of the newest issue. What is a rate limit is decided in Python."""

from __future__ import annotations

from typing import Any

import dlt
from dlt.sources.helpers.requests import Client
from requests import Response


def is_throttled(response: Response | None, error: BaseException | None) -> bool:
    return response is not None and response.status_code in (403, 429) and "rate limit" in response.text


def config(url: str, token: str, organizations: str) -> dict[str, Any]:
    names = [{"name": name.strip()} for name in organizations.split(",")]
    issues = {
        "path": "repos/{resources.repositories.full_name}/issues",
        "params": {"state": "all", "sort": "updated", "direction": "asc", "since": "{incremental.start_value}"},
        "incremental": {"cursor_path": "updated_at", "initial_value": "2008-01-01T00:00:00Z"},
        "response_actions": [{"status_code": status, "action": "ignore"} for status in (404, 410)],
    }
    parts = {
        "issues": lambda issue: "pull_request" not in issue,
        "pull_requests": lambda issue: "pull_request" in issue,
    }
    return {
        "client": {
            "base_url": url,
            "auth": {"type": "bearer", "token": token},
            "headers": {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
            "paginator": "header_link",
            "session": Client(raise_for_status=False, retry_condition=is_throttled).session,
        },
        "resource_defaults": {
            "primary_key": "id",
            "write_disposition": "merge",
            "endpoint": {"params": {"per_page": 100}, "data_selector": "$"},
        },
        "resources": [
            dlt.resource([names], name="organizations", selected=False),
            {
                "name": "repositories",
                "endpoint": {
                    "path": "orgs/{resources.organizations.name}/repos",
                    "params": {"type": "all", "sort": "full_name"},
                },
            },
            *(
                {
                    "name": name,
                    "endpoint": issues,
                    "include_from_parent": ["id"],
                    "processing_steps": [{"filter": holds}],
                }
                for name, holds in parts.items()
            ),
        ],
    }
