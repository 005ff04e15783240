"""Full refreshes of a list whose order is not stable."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.testbed.loopback import Reply, Seen, rows_by_offset
from engine.sync import sync
from tests.in_process import InProcess
from tests.shop import STREAMS, Lines, Recorder, connection
from tests.specs import edited

SHOPS = edited(STREAMS, remove=["streams.orders"])


@pytest.mark.parametrize(("missed", "is_deleted"), [(1, False), (2, False), (99, True)])
def test_a_row_is_deleted_once_three_readings_missed_it(tmp_path: Path, missed: int, is_deleted: bool) -> None:
    """A row that moves to a page which was read already is missed, and a busy list can hide it twice in a row."""
    rows = [{"id": f"s{number}", "name": "a shop"} for number in range(7)]
    readings = 0

    def answer(seen: Seen) -> Reply:
        nonlocal readings
        readings += seen.json["offset"] == 0
        return rows_by_offset(rows[:3] + rows[4:] if 0 < readings <= missed else rows)(seen)

    with InProcess(answer) as server:
        recorder, connected = Recorder(), connection(tmp_path, server.url, SHOPS, batch_size="3")
        readings = -99
        sync(connected, {}, recorder, Lines())
        readings = 0
        sync(connected, recorder.state, recorder, Lines())
    assert recorder.tables["shops"]["s3"]["deleted"] is is_deleted
    assert sum(row["deleted"] for row in recorder.tables["shops"].values()) == is_deleted
