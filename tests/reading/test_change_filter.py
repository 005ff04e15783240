"""Which records of an incremental stream are changes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from engine.reading import ChangeFilter, StateAhead
from engine.state import RECENT_MAX, StreamState

NOON = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
OVERLAP = timedelta(minutes=5)


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def one_pass(state: StreamState, at: float, versions: dict[str, datetime | None]) -> tuple[set[str], StreamState]:
    """Let a pass that begins at a minute see rows with these cursors; answers with those sent, and the state after."""
    changes = ChangeFilter(state, OVERLAP)
    changes.asked(minutes(at))
    sent = {name for name, cursor in versions.items() if is_change(changes, {"id": name, "updated": cursor})}
    return sent, changes.complete()


def is_change(changes: ChangeFilter, row: dict[str, Any]) -> bool:
    return changes.in_window(row["updated"]) and changes.not_yet_delivered(row, row["updated"])


def test_first_all_then_only_what_moved() -> None:
    """A row is sent once for each version of it, in the overlap too."""
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


def test_a_row_that_becomes_visible_late_is_sent() -> None:
    """Its cursor lies before the last pass's start, but within the overlap."""
    _, state = one_pass(StreamState(), 0, {})
    sent, _ = one_pass(state, 10, {"late": minutes(-4)})
    assert sent == {"late"}


def test_a_row_without_a_cursor_is_always_sent() -> None:
    """Nothing can be told about it, so nothing is left out."""
    _, state = one_pass(StreamState(), 0, {"x": None})
    assert one_pass(state, 1, {"x": None})[0] == {"x"}


def test_a_cursor_equal_to_since_is_sent() -> None:
    """Ties with the boundary are not dropped."""
    _, state = one_pass(StreamState(), 0, {})
    assert one_pass(state, 1, {"tie": minutes(-5)})[0] == {"tie"}


def test_a_pass_without_a_server_clock_moves_nothing() -> None:
    """The client's clock is never a substitute: the next pass looks at the same changes again."""
    before = StreamState(minutes(-60))
    changes = ChangeFilter(before, OVERLAP)
    changes.asked(None)
    assert is_change(changes, {"id": "a", "updated": minutes(0)})
    assert changes.complete() == before


def test_a_version_that_the_cursor_does_not_tell_apart_is_sent() -> None:
    """Two changes within one tick of the server's clock, the first of which was read between them."""
    _, state = one_pass(StreamState(), 0, {"x": minutes(-1)})
    changes = ChangeFilter(state, OVERLAP)
    changes.asked(minutes(1))
    assert not is_change(changes, {"id": "x", "updated": minutes(-1)})
    assert is_change(changes, {"id": "x", "updated": minutes(-1), "note": "the same tick"})


def test_a_state_dated_after_the_server_s_clock_is_noticed() -> None:
    """By it nothing would ever be new; a second is only the resolution of a Date header."""
    _, state = one_pass(StreamState(), 0, {})
    ChangeFilter(state, OVERLAP).asked(minutes(-5) - timedelta(seconds=1))
    with pytest.raises(StateAhead):
        ChangeFilter(state, OVERLAP).asked(minutes(-6))


def test_the_earliest_page_is_the_start() -> None:
    """Of several requests at once, another than the first may be answered first."""
    changes = ChangeFilter(StreamState(), OVERLAP)
    changes.asked(minutes(0))
    changes.asked(minutes(-1))
    changes.asked(minutes(1))
    assert changes.start == minutes(-1)


def test_a_start_that_turns_out_to_be_earlier_sends_nothing_twice() -> None:
    """Several requests under way are answered in any order, with dates of whole seconds."""
    row = {"id": "x", "updated": minutes(-5) - timedelta(seconds=1)}
    changes = ChangeFilter(StreamState(), OVERLAP)
    changes.asked(NOON)
    assert is_change(changes, row)
    changes.asked(NOON - timedelta(seconds=1))
    changes = ChangeFilter(changes.complete(), OVERLAP)
    changes.asked(minutes(1))
    assert not is_change(changes, row)


def test_volatile_columns_make_no_change() -> None:
    """What the server computes at each answer differs between two reads of an unchanged row."""
    row = {"id": "a", "updated": minutes(-1), "estimate": 1}
    changes = ChangeFilter(StreamState(), OVERLAP, volatile={"estimate"})
    changes.asked(minutes(0))
    assert is_change(changes, row)
    later = ChangeFilter(changes.complete(), OVERLAP, volatile={"estimate"})
    later.asked(minutes(1))
    assert not is_change(later, {**row, "estimate": 2})
    assert is_change(later, {**row, "id": "b"})


def test_a_resumed_pass_keeps_its_start() -> None:
    """What changed since it began is looked at again by the next pass, whenever it was resumed."""
    changes = ChangeFilter(StreamState(), OVERLAP)
    changes.asked(minutes(0))
    resumed = ChangeFilter(changes.checkpoint_state("here"), OVERLAP)
    resumed.asked(minutes(50))
    assert resumed.complete() == StreamState(minutes(-5))


def test_the_state_stays_small() -> None:
    """However many rows change within the overlap; those past the bound are sent twice, none is lost."""
    versions: dict[str, datetime | None] = {f"r{n}": minutes(-1) for n in range(RECENT_MAX + 100)}
    _, state = one_pass(StreamState(), 0, versions)
    assert len(state.recent) == RECENT_MAX
    assert len(one_pass(state, 1, versions)[0]) == 100
