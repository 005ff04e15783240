"""One time for all repositories: older issues of a repository that is new are not found."""

from __future__ import annotations

from typing import Any

import dlt


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
