"""One more resource has the events, which name changes. Their tables are chosen in Python."""

from __future__ import annotations

import time
from typing import Any

LISTS = ("customers", "charges", "invoices", "refunds", "balance_transactions")


def config(url: str, api_key: str) -> dict[str, Any]:
    created = {"type": "incremental", "cursor_path": "created", "initial_value": 1293840000}
    lists = [{"name": name, "endpoint": {"path": name, "params": {"created[gte]": created}}} for name in LISTS]
    lines = {
        "name": "invoice_line_items",
        "endpoint": {"path": "invoices/{resources.invoices.id}/lines"},
        "include_from_parent": ["id"],
    }
    changed = {"type": "incremental", "cursor_path": "_changed_at", "initial_value": int(time.time())}
    changes = {
        "name": "changes",
        "table_name": lambda one: f"{one['object']}s",
        "processing_steps": [
            {"filter": lambda event: f"{event['data']['object']['object']}s" in LISTS},
            {"map": lambda event: {**event["data"]["object"], "_changed_at": event["created"]}},
        ],
        "endpoint": {"path": "events", "params": {"created[gte]": changed}},
    }
    return {
        "client": {
            "base_url": url,
            "auth": {"type": "bearer", "token": api_key},
            "headers": {"Stripe-Version": "2025-09-30.clover"},
        },
        "resource_defaults": {
            "primary_key": "id",
            "write_disposition": "merge",
            "endpoint": {
                "params": {"limit": 100},
                "data_selector": "data",
                "paginator": {
                    "type": "cursor",
                    "cursor_path": "data[-1].id",
                    "cursor_param": "starting_after",
                    "has_more_path": "has_more",
                },
            },
        },
        "resources": [*lists, lines, changes],
    }
