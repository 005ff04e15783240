"""One time for all channels, which is that of the newest message. Errors are raised in Python."""

from __future__ import annotations

from typing import Any

from requests import Response


def raise_errors(response: Response) -> None:
    if not response.json()["ok"]:
        raise ValueError(response.json()["error"])


def config(url: str, token: str) -> dict[str, Any]:
    return {
        "client": {"base_url": url, "auth": {"type": "bearer", "token": token}},
        "resource_defaults": {
            "primary_key": "id",
            "write_disposition": "merge",
            "endpoint": {
                "params": {"limit": 200},
                "response_actions": [raise_errors],
                "paginator": {"type": "cursor", "cursor_path": "response_metadata.next_cursor"},
            },
        },
        "resources": [
            {
                "name": "channels",
                "endpoint": {
                    "path": "conversations.list",
                    "params": {"types": "public_channel,private_channel", "exclude_archived": "false"},
                    "data_selector": "channels",
                },
            },
            {
                "name": "messages",
                "primary_key": ["_channels_id", "ts"],
                "include_from_parent": ["id"],
                "endpoint": {
                    "path": "conversations.history",
                    "params": {"channel": "{resources.channels.id}", "oldest": "{incremental.start_value}"},
                    "incremental": {"cursor_path": "ts", "initial_value": "1388534400"},
                    "data_selector": "messages",
                    "response_actions": [
                        {"content": "not_in_channel", "action": "ignore"},
                        {"content": "channel_not_found", "action": "ignore"},
                        raise_errors,
                    ],
                },
            },
            {"name": "users", "endpoint": {"path": "users.list", "data_selector": "members"}},
        ],
    }
