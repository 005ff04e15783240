"""What docs/streams.md promises of a table follows from how its stream finds changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reading.model import STREAMS as MODEL
from tests.shop import STREAMS, connection
from tests.specs import edited
from tools.docgen.promise import promise

SOFT_DELETE = edited(MODEL, add={"streams.runs.deleted": "soft_delete"})
NOT_RECONCILED = edited(MODEL, remove=["streams.runs.incremental.reconcile"])


@pytest.mark.parametrize(
    ("text", "stream", "words"),
    [
        (STREAMS, "shops", "Rows that are gone from the server are soft-deleted."),
        (STREAMS, "orders", "Each sync reads the whole list."),
        (STREAMS, "orders", "Rows that are deleted on the server stay."),
        (MODEL, "runs", "  - every change that moves `updated` in open rows (`$.state` is SCHEDULED or RUNNING)"),
        (MODEL, "runs", "  - every change that the change feed names, if the server has `POST /events/filter`"),
        (MODEL, "runs", "Reconciliation re-reads every row within 24 hours."),
        (MODEL, "runs", "Only reconciliation finds changes of any other kind."),
        (MODEL, "runs", "Rows that were open at the last sync and are gone are soft-deleted by the next one."),
        (MODEL, "runs", "Other rows that are deleted on the server stay."),
        (NOT_RECONCILED, "runs", "There is no reconciliation. Other changes are not detected."),
        (SOFT_DELETE, "runs", "Every 24 hours, the whole list is sent again."),
        (SOFT_DELETE, "runs", "Other rows that are deleted on the server are soft-deleted then."),
    ],
)
def test_each_part_of_a_strategy_adds_its_sentence(tmp_path: Path, text: str, stream: str, words: str) -> None:
    """A table promises what its stream declares, and no more."""
    spec = connection(tmp_path, "http://shop.test/api", text).spec
    assert words in "\n".join(promise(spec, spec.streams[stream])).splitlines()
