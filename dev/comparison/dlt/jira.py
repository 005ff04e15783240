"""Records have the time zone of the user, as the search has, so no lookback is needed."""

from __future__ import annotations

from typing import Any

FIELDS = "project,issuetype,summary,status,priority,resolution,labels,reporter,assignee,parent,duedate,created,updated"


def minutes(instant: str) -> str:
    return instant[:16].replace("T", " ")


def config(url: str, email: str, api_token: str) -> dict[str, Any]:
    return {
        "client": {
            "base_url": url,
            "auth": {"type": "http_basic", "username": email, "password": api_token},
            "headers": {"Accept": "application/json"},
            "paginator": {
                "type": "offset",
                "limit": 100,
                "offset_param": "startAt",
                "limit_param": "maxResults",
                "total_path": "total",
            },
        },
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": [
            {
                "name": "issues",
                "endpoint": {
                    "path": "rest/api/3/search/jql",
                    "params": {
                        "jql": 'updated >= "{incremental.start_value}" ORDER BY created ASC',
                        "fields": f"{FIELDS},resolutiondate",
                        "maxResults": 100,
                    },
                    "incremental": {
                        "cursor_path": "fields.updated",
                        "initial_value": "2002-01-01T00:00",
                        "convert": minutes,
                    },
                    "data_selector": "issues",
                    "paginator": {"type": "cursor", "cursor_path": "nextPageToken", "cursor_param": "nextPageToken"},
                },
            },
            _child("comments", "comment", {"orderBy": "created"}, "comments"),
            _child("changelogs", "changelog", {}, "values"),
            {
                "name": "projects",
                "endpoint": {
                    "path": "rest/api/3/project/search",
                    "params": {"orderBy": "key", "expand": "description,lead"},
                    "data_selector": "values",
                },
            },
        ],
    }


def _child(name: str, path: str, params: dict[str, Any], records: str) -> dict[str, Any]:
    return {
        "name": name,
        "include_from_parent": ["id"],
        "endpoint": {
            "path": f"rest/api/3/issue/{{resources.issues.id}}/{path}",
            "params": params,
            "data_selector": records,
        },
    }
