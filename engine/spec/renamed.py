"""Former names of keys, by block, so that ``validate`` can report the current ones, or what took their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "Api": {"overlap": "lookback", "connections": "concurrency"},
    "Timeout": {"whole": "total"},
    "Setting": {"usually": "warn_unless"},
    "WarnUnless": {"otherwise": "message"},
    "Parent": {"values": "$parent.id in the path, query or body"},
    "Related": {"values": "$related.id in the query or body"},
    "OpenRows": {"into": "$open in the query or body"},
    "Keyset": {
        "ties": "tie_breaker",
        "after": "$from in the query or body",
        "before": "$to in the query or body",
        "limit_key": "$size in the query or body",
        "offset_key": "$offset in the query or body",
    },
    "Offset": {"limit_key": "$size in the query or body", "offset_key": "$offset in the query or body"},
    "PageNumber": {"size_key": "$size in the query or body", "page_key": "$page in the query or body"},
    "Single": {"limit_key": "$size in the query or body"},
    "Token": {"parameter": "$token in the query or body"},
    "Stream": {"read": "incremental"},
    "Incremental": {
        "queries": "changes",
        "named_by": "change_feed",
        "sweep": "reconcile",
        "lookup_body": "lookup.body",
    },
    "Query": {"until": "stop_at", "moves_with": "filters_by"},
    "Fallback": {"until": "stop_at", "moves_with": "filters_by"},
}
