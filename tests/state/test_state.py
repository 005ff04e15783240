"""The state document."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timezone
from typing import Any

import pytest

from engine.state import PassState, State, StateError, StreamState, SweepState, fingerprint, load_state

SINCE = datetime(2024, 5, 1, 10, 0, 0, 5, tzinfo=timezone.utc)


def test_it_survives_its_json() -> None:
    """What is dumped loads as what it was."""
    state = (
        State()
        .with_stream("a", StreamState(SINCE, frozenset({b"8 bytes.", b"8 others"})))
        .with_stream("b", StreamState(SINCE))
    )
    assert load_state(json.loads(json.dumps(state.dump()))) == state


def test_a_person_can_read_it() -> None:
    """Version, stream, instant."""
    state = State().with_stream("flows", StreamState(SINCE))
    assert state.dump() == {
        "version": 1,
        "streams": {"flows": {"since": "2024-05-01T10:00:00.000005Z", "recent": ""}},
    }


UUIDS = frozenset(str(uuid.UUID(int=n * 7919 << 64)) for n in range(1000))


@pytest.mark.parametrize("keys", [frozenset(), frozenset({"a", "ü"}), UUIDS, frozenset({str(uuid.uuid4()).upper()})])
def test_open_keys_survive_whatever_they_are(keys: frozenset[str]) -> None:
    """UUIDs are packed, anything else is kept as it is written."""
    state = State().with_stream("runs", StreamState(SINCE, open=keys))
    assert load_state(json.loads(json.dumps(state.dump()))) == state


def test_open_keys_cost_at_most_24_bytes() -> None:
    """A thousand open runs are 22 KB of state."""
    document = State().with_stream("runs", StreamState(SINCE, open=UUIDS)).dump()
    assert len(json.dumps(document)) <= 24 * len(UUIDS) + 200


def test_passes_and_sweeps_under_way_survive() -> None:
    """So that they go on where they were."""
    under_way = StreamState(None, under_way=PassState(SINCE, "here"), open=frozenset({"x"}))
    sweeping = StreamState(SINCE, sweep=SweepState(SINCE, SINCE, "there", 7))
    state = State().with_stream("a", under_way).with_stream("b", sweeping)
    assert load_state(json.loads(json.dumps(state.dump()))) == state


def test_an_empty_state_is_the_first_sync() -> None:
    """Fivetran hands over {} then, and after a re-sync."""
    assert load_state({}) == State()


@pytest.mark.parametrize(
    "document",
    [
        {"last_updated": "2024-05-01T10:00:00Z"},
        {"version": 2, "streams": {}},
        {"version": 1},
        {"version": 1, "streams": {"a": {"since": "yesterday", "recent": ""}}},
        {"version": 1, "streams": {"a": {"recent": ""}}},
        {"version": 1, "streams": ["a"]},
        {"version": 1, "streams": {"a": {"since": "2024-05-01T10:00:00Z", "recent": "AAAA"}}},
        {"version": 1, "streams": {"a": {"since": "2024-05-01T10:00:00Z", "open": "not base64"}}},
        {"version": 1, "streams": {"a": None}},
    ],
)
def test_a_state_that_cannot_be_read_is_an_error(document: dict[str, Any]) -> None:
    """Never a silent read of everything: the message says what to do."""
    with pytest.raises(StateError, match="re-sync"):
        load_state(document)


def test_fingerprints_tell_versions_apart() -> None:
    """Any column that differs makes another version; the order of an object's keys does not."""
    row = {"id": "a", "updated": SINCE, "j": {"x": 1, "y": [None]}, "n": None}
    others = [{**row, "id": "b"}, {**row, "updated": SINCE.replace(microsecond=6)}, {**row, "j": {}}, {**row, "n": ""}]
    assert len({fingerprint(row), *map(fingerprint, others)}) == 5
    assert fingerprint(row) == fingerprint({**row, "j": {"y": [None], "x": 1}})
    assert len(fingerprint(row)) == 8
