"""The same queries as the connector's; dlt needs their braces doubled."""

from __future__ import annotations

from typing import Any

SINCE = "($first: Int!, $after: String, $since: DateTimeOrDuration!)"
CHANGED = "first: $first, after: $after, includeArchived: true, filter: {updatedAt: {gte: $since}}"
ISSUE = """
  id identifier title priorityLabel estimate dueDate trashed url
  createdAt updatedAt startedAt completedAt canceledAt archivedAt
  team { id key } state { name type } creator { id } assignee { id } parent { id } project { id name }
  labels(first: 50) { nodes { name } }
"""
COMMENT = "id body url createdAt updatedAt editedAt resolvedAt issue { id } user { id } parent { id }"
USER = "id name displayName email active admin guest timezone createdAt updatedAt lastSeen"


def config(url: str, api_key: str) -> dict[str, Any]:
    incremental = {"cursor_path": "updatedAt", "initial_value": "2019-01-01T00:00:00.000Z"}
    since = {"first": 50, "since": "{incremental.start_value}"}
    users = "first: $first, after: $after, includeDisabled: true"
    return {
        "client": {
            "base_url": url,
            "auth": {"type": "api_key", "name": "Authorization", "api_key": api_key, "location": "header"},
        },
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": [
            _connection("issues", SINCE, CHANGED, ISSUE, since, {"incremental": incremental}),
            _connection("comments", SINCE, CHANGED, COMMENT, {**since, "first": 250}, {"incremental": incremental}),
            _connection("users", "($first: Int!, $after: String)", users, USER, {"first": 250}, {}),
        ],
    }


def _connection(
    name: str, declared: str, arguments: str, fields: str, variables: dict[str, Any], more: dict[str, Any]
) -> dict[str, Any]:
    page = f"{{ nodes {{ {fields} }} pageInfo {{ endCursor hasNextPage }} }}"
    query = f"query{declared} {{ {name}({arguments}) {page} }}"
    return {
        "name": name,
        "endpoint": {
            "path": "graphql",
            "method": "POST",
            "json": {"query": query.replace("{", "{{").replace("}", "}}"), "variables": variables},
            "data_selector": f"data.{name}.nodes",
            "paginator": {
                "type": "cursor",
                "cursor_path": f"data.{name}.pageInfo.endCursor",
                "cursor_body_path": "variables.after",
                "has_more_path": f"data.{name}.pageInfo.hasNextPage",
            },
            **more,
        },
    }
