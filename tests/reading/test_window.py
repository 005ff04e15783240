"""The window of a pass: which records of an incremental stream are sent."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from engine.instants import format_instant
from engine.jsonpath import compile_path
from engine.reading.window import StateAhead, Window
from engine.rows.mapping import RowMapping
from engine.spec.dialect import Field, Stream
from engine.state import RECENT_MAX, Keys, StreamState

NOON = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
LOOKBACK = timedelta(minutes=5)


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def one_pass(state: StreamState, at: float, versions: dict[str, datetime | None]) -> tuple[set[str], StreamState]:
    """A pass that begins at a minute and reads rows with these cursors: the rows sent, and the state after it."""
    changes = Window(state, LOOKBACK)
    changes.asked(minutes(at))
    sent = {name for name, cursor in versions.items() if is_change(changes, {"id": name, "updated": cursor})}
    return sent, changes.final_state()


def is_change(changes: Window, row: dict[str, Any]) -> bool:
    """Whether a row is a change. If it is, it is written."""
    found = changes.includes(row["updated"]) and changes.is_new(row, row["updated"])
    changes.written()
    return found


def test_each_version_of_a_row_is_sent_once() -> None:
    """The first pass sends all rows, a later one those whose cursor moved. Rows in the lookback are not re-sent."""
    versions: dict[str, datetime | None] = {"old": minutes(-600), "fresh": minutes(-1)}
    sent, state = one_pass(StreamState(), 0, versions)
    assert sent == {"old", "fresh"}
    assert state.since == minutes(-5)
    sent, state = one_pass(state, 1, versions)
    assert sent == set()
    sent, state = one_pass(state, 2, {**versions, "old": minutes(1.5)})
    assert sent == {"old"}
    sent, _ = one_pass(state, 60, {**versions, "old": minutes(1.5)})
    assert sent == set()


def test_the_newest_change_that_is_known_is_never_an_older_one_than_before() -> None:
    """Reconciliation can read a row that changed long before the last pass."""
    changes = Window(StreamState(since=minutes(0)), LOOKBACK)
    changes.asked(minutes(60))
    assert changes.newest == minutes(0)
    changes.is_new({"id": "old"}, minutes(-100))
    assert changes.newest == minutes(0)
    changes.is_new({"id": "new"}, minutes(30))
    assert changes.newest == minutes(30)


def test_the_newest_change_of_a_first_pass_is_remembered_until_reconciliation_begins() -> None:
    """If the clock was ahead of it, later changes are among the rows that look as if they had been read."""
    state = one_pass(StreamState(), 0, {"a": minutes(-3), "b": minutes(-9)})[1]
    assert state.newest == minutes(-3)
    assert one_pass(state, 10, {"c": minutes(5)})[1].newest == minutes(-3)


def test_a_row_that_is_closed_or_was_listed_need_not_be_listed() -> None:
    """Rows that wait for the state to list them cost a checkpoint."""
    changes = Window(StreamState(), LOOKBACK, is_open=lambda record: bool(record["open"]))
    changes.observe(("a",), {"open": True})
    changes.observe(("b",), {"open": True})
    changes.observe(("a",), {"open": False})
    assert (changes.unlisted_count, changes.open) == (1, frozenset(["b"]))
    changes.listed()
    changes.observe(("b",), {"open": True})
    assert (changes.unlisted_count, changes.listed_count) == (0, 1)


def test_a_key_that_was_listed_need_not_be_listed_again() -> None:
    """Also if all keys are known, because rows that are gone are to be found."""
    changes = Window(StreamState(keys=Keys()), LOOKBACK)
    changes.observe(("a",), {})
    assert changes.unlisted_count == 1
    changes.listed()
    assert (changes.unlisted_count, changes.listed_count) == (0, 1)


def test_a_row_that_becomes_visible_late_is_sent() -> None:
    """Its cursor is before the start of the last pass, but within the lookback."""
    _, state = one_pass(StreamState(), 0, {})
    sent, _ = one_pass(state, 10, {"late": minutes(-4)})
    assert sent == {"late"}


def test_a_row_without_a_cursor_is_always_sent() -> None:
    """It may have changed, and nothing shows whether it did."""
    _, state = one_pass(StreamState(), 0, {"x": None})
    assert one_pass(state, 1, {"x": None})[0] == {"x"}


def test_a_cursor_equal_to_since_is_sent() -> None:
    """The boundary is inclusive, so a tie with it is not lost."""
    _, state = one_pass(StreamState(), 0, {})
    assert one_pass(state, 1, {"tie": minutes(-5)})[0] == {"tie"}


def test_without_a_server_clock_the_newest_cursor_stands_in() -> None:
    """Less the time that the pass took: rows that changed meanwhile can be older than the newest cursor."""
    clock = iter([minutes(1000), *[minutes(1003)] * 20])
    changes = Window(StreamState(minutes(-60)), LOOKBACK, now=lambda: next(clock))
    changes.asked(None)
    assert is_change(changes, {"id": "a", "updated": minutes(0)})
    assert changes.final_state().since == minutes(0) - LOOKBACK - timedelta(minutes=3)


def test_without_a_server_clock_and_changes_nothing_moves() -> None:
    """The next pass looks for the same changes again."""
    before = StreamState(minutes(-60))
    changes = Window(before, LOOKBACK)
    changes.asked(None)
    assert changes.final_state() == before


def test_two_versions_with_the_same_cursor_are_both_sent() -> None:
    """Two changes within one tick of the server's clock, the first of them read in between."""
    _, state = one_pass(StreamState(), 0, {"x": minutes(-1)})
    changes = Window(state, LOOKBACK)
    changes.asked(minutes(1))
    assert not is_change(changes, {"id": "x", "updated": minutes(-1)})
    assert is_change(changes, {"id": "x", "updated": minutes(-1), "note": "the same tick"})


def test_a_state_ahead_of_the_server_clock_is_detected() -> None:
    """Compared with it, no row would count as changed. A second is only the resolution of a Date header."""
    _, state = one_pass(StreamState(), 0, {})
    Window(state, LOOKBACK).asked(minutes(-5) - timedelta(seconds=1))
    with pytest.raises(StateAhead):
        Window(state, LOOKBACK).asked(minutes(-6))


def test_the_earliest_request_is_the_start() -> None:
    """Responses to concurrent requests can arrive in any order."""
    changes = Window(StreamState(), LOOKBACK)
    changes.asked(minutes(0))
    changes.asked(minutes(-1))
    changes.asked(minutes(1))
    assert changes.start == minutes(-1)


def test_a_start_that_moves_back_sends_no_row_twice() -> None:
    """Responses to concurrent requests arrive in any order, and their dates have no fractions of a second."""
    row = {"id": "x", "updated": minutes(-5) - timedelta(seconds=1)}
    changes = Window(StreamState(), LOOKBACK)
    changes.asked(NOON)
    assert is_change(changes, row)
    changes.asked(NOON - timedelta(seconds=1))
    changes = Window(changes.final_state(), LOOKBACK)
    changes.asked(minutes(1))
    assert not is_change(changes, row)


def test_volatile_columns_make_no_change() -> None:
    """The server recomputes them, so they differ between two reads of an unchanged row."""
    row = {"id": "a", "updated": minutes(-1), "estimate": 1}
    changes = Window(StreamState(), LOOKBACK, volatile={"estimate"})
    changes.asked(minutes(0))
    assert is_change(changes, row)
    later = Window(changes.final_state(), LOOKBACK, volatile={"estimate"})
    later.asked(minutes(1))
    assert not is_change(later, {**row, "estimate": 2})
    assert is_change(later, {**row, "id": "b"})


def test_a_resumed_pass_keeps_its_start() -> None:
    """The next pass reads what changed since the pass began, however late it was resumed."""
    changes = Window(StreamState(), LOOKBACK)
    changes.asked(minutes(0))
    resumed = Window(changes.checkpoint_state("here"), LOOKBACK)
    resumed.asked(minutes(50))
    assert resumed.final_state() == StreamState(minutes(-5))


def test_the_state_stays_small() -> None:
    """However many rows change within the lookback. Those beyond the limit are sent twice; none is lost."""
    versions: dict[str, datetime | None] = {f"r{n}": minutes(-1) for n in range(RECENT_MAX + 100)}
    _, state = one_pass(StreamState(), 0, versions)
    assert len(state.recent) == RECENT_MAX
    assert len(one_pass(state, 1, versions)[0]) == 100


PARENTS = RowMapping(
    Stream(
        description="",
        primary_key=("id",),
        cursor_field="updated",
        sync_mode="incremental",
        fields={
            "id": Field(path=(compile_path("$.id"),)),
            "updated": Field(path=(compile_path("$.updated"),), type="UTC_DATETIME"),
            "estimate": Field(path=(compile_path("$.estimate"),), type="INT", volatile=True),
        },
    )
)


def parent(minute: float, estimate: int = 1) -> dict[str, Any]:
    return {"id": "p", "updated": format_instant(minutes(minute)), "estimate": estimate}


def test_the_children_of_one_version_of_a_parent_are_read_once() -> None:
    """A later pass reads them only if the parent changed; volatile columns make no change."""
    first = Window(StreamState(minutes(-60)), LOOKBACK)
    first.asked(minutes(0))
    assert first.is_new_parent(PARENTS, parent(-2))
    second = Window(first.final_state(), LOOKBACK)
    second.asked(minutes(1))
    assert not second.is_new_parent(PARENTS, parent(-2, estimate=2))
    assert second.is_new_parent(PARENTS, parent(0.5))
    assert not second.is_new_parent(PARENTS, parent(-61))
    late = Window(first.final_state(), LOOKBACK)
    late.asked(minutes(60))
    assert not late.is_new_parent(PARENTS, parent(-2))


def test_the_children_of_a_parent_that_changed_just_now_are_read_again() -> None:
    """They can become visible a moment after the parent's change."""
    first = Window(StreamState(minutes(-60)), LOOKBACK, settling=LOOKBACK / 10)
    first.asked(minutes(0))
    assert first.is_new_parent(PARENTS, parent(-0.1))
    second = Window(first.final_state(), LOOKBACK, settling=LOOKBACK / 10)
    second.asked(minutes(1))
    assert second.is_new_parent(PARENTS, parent(-0.1))
    third = Window(second.final_state(), LOOKBACK, settling=LOOKBACK / 10)
    third.asked(minutes(2))
    assert not third.is_new_parent(PARENTS, parent(-0.1))
