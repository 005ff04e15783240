"""What docs/streams.md promises of a table follows from how its stream finds changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reading.model import STREAMS as MODEL
from tests.shop import STREAMS, connection
from tests.specs import edited
from tools.docgen.promise import promise

SOFT_DELETE = edited(MODEL, add={"streams.runs.deleted": "soft_delete"})
STEPS: dict[str, Any] = {
    "description": "One row per step.",
    "endpoint": "GET /runs/$(parent.id)/steps",
    "parent": {"stream": "runs"},
    "primary_key": "id",
    "cursor_field": "updated",
    "sync_mode": "incremental",
    "incremental": {"reconcile": "24h"},
    "fields": {"id": "$.id", "updated": {"path": "$.updated", "type": "UTC_DATETIME"}},
}
CHILDREN = edited(MODEL, add={"streams.steps": STEPS})
STILL = edited(CHILDREN, add={"streams.steps.parent.moves_cursor": False})
SORTED = edited(STREAMS, add={"streams.shops.body": {"sort": "NAME"}})
SELECTED = edited(STREAMS, add={"streams.orders.where": {"path": "$.note", "is": None}})
SECOND_READING = (
    "If the list has more than one page and at most 5,000 rows, it is read a second time before a row is deleted."
)
TWO_READINGS = "Rows can change places in the list. If it has more than one page, it is read until two readings agree."
VISITS = edited(
    STREAMS,
    add={
        "streams.visits": {
            "description": "One row per visit.",
            "endpoint": "GET /shops/$(parent.id)/visits",
            "parent": "shops",
            "primary_key": "id",
            "cursor_field": "ended",
            "sync_mode": "incremental",
            "incremental": {"changes": {"query": {"ended_since": "$since"}}},
            "fields": {"id": "$.id", "ended": {"path": "$.ended", "type": "UTC_DATETIME"}},
        }
    },
)
BY_REGION = edited(
    VISITS,
    replace={"streams.visits.endpoint": "GET /$(parent.value)/visits", "streams.visits.parent": {"list": "eu, us"}},
)
NOT_RECONCILED = edited(MODEL, remove=["streams.runs.incremental.reconcile"])


@pytest.mark.parametrize(
    ("text", "stream", "words"),
    [
        (STREAMS, "shops", "Rows that are gone from the server are soft-deleted."),
        (
            SELECTED,
            "orders",
            "Only some records are rows. A row whose record changes so that it is none is soft-deleted.",
        ),
        (STREAMS, "shops", TWO_READINGS),
        (SORTED, "shops", SECOND_READING),
        (STREAMS, "orders", "Each sync reads the whole list, and sends the rows whose `updated` moved."),
        (STREAMS, "orders", "Rows that are deleted on the server stay."),
        (MODEL, "runs", "  - every change that moves `updated` in open rows (`$.state` is SCHEDULED or RUNNING)"),
        (MODEL, "runs", "  - every change that the change feed names, if the server has `POST /events/filter`"),
        (MODEL, "runs", "Reconciliation re-reads every row within 24 hours."),
        (MODEL, "runs", "Only reconciliation finds changes of any other kind."),
        (MODEL, "runs", "Rows that were open at the last sync and are gone are soft-deleted by the next one."),
        (
            MODEL,
            "runs",
            "Other rows that are deleted on the server stay, until a re-sync, which truncates the table first.",
        ),
        (CHILDREN, "steps", "  - every change that moves `updated` in rows that belong to changed runs"),
        (
            CHILDREN,
            "steps",
            "Within 24 hours, reconciliation reads the rows of those runs whose change no query found.",
        ),
        (CHILDREN, "steps", "Rows that are deleted on the server stay."),
        (
            CHILDREN,
            "steps",
            "A sync can miss a change that does not become visible within 30 seconds of its `updated`.",
        ),
        (STILL, "steps", "A sync can miss a change that does not become visible within 5 minutes of its `updated`."),
        (STILL, "steps", "  - every change that moves `updated` in rows that belong to changed or open runs"),
        (
            VISITS,
            "visits",
            "  - every change that moves `ended`, for which each row of shops is asked, and all rows of a new one",
        ),
        (
            BY_REGION,
            "visits",
            "  - every change that moves `ended`, for which each value in the settings is asked, and all rows of a new "
            "one",
        ),
        (NOT_RECONCILED, "runs", "There is no reconciliation. Other changes are not detected."),
        (SOFT_DELETE, "runs", "Other rows that are deleted on the server are soft-deleted every 24 hours."),
        (
            SOFT_DELETE,
            "runs",
            "The state holds the keys of all rows for that. A table of more than 100,000 rows is truncated, and all "
            "rows are sent again.",
        ),
    ],
)
def test_each_part_of_a_strategy_adds_its_sentence(tmp_path: Path, text: str, stream: str, words: str) -> None:
    """A table promises what its stream declares, and no more."""
    spec = connection(tmp_path, "http://shop.test/api", text).spec
    assert words in "\n".join(promise(spec, spec.streams[stream])).splitlines()
