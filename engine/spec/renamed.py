"""Former names of keys, by block, so that ``validate`` can report the current ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "Api": {"overlap": "lookback", "connections": "concurrency"},
    "Timeout": {"whole": "total"},
    "Setting": {"usually": "warn_unless"},
    "WarnUnless": {"otherwise": "message"},
    "Keyset": {"ties": "tie_breaker"},
    "Stream": {"read": "incremental"},
    "Incremental": {"queries": "changes", "named_by": "change_feed", "sweep": "reconcile"},
    "Query": {"until": "stop_at", "moves_with": "filters_by"},
    "Fallback": {"until": "stop_at", "moves_with": "filters_by"},
}
