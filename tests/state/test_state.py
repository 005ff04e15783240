"""The state document."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timezone
from typing import Any

import pytest

from engine.instants import format_instant
from engine.state import RECENT_MAX, PassState, ReconcileState, State, StateError, StreamState, fingerprint, load_state

API = "http://127.0.0.1:4200/api"
SINCE = datetime(2024, 5, 1, 10, 0, 0, 5, tzinfo=timezone.utc)


def test_it_survives_its_json() -> None:
    """What is dumped loads as what it was."""
    state = (
        State(API)
        .with_stream("a", StreamState(SINCE, frozenset({b"6 byte", b"others"})))
        .with_stream("b", StreamState(SINCE))
    )
    assert load_state(json.loads(json.dumps(state.dump())), API) == state


def test_a_person_can_read_it() -> None:
    """Version, stream, instant."""
    state = State(API).with_stream("flows", StreamState(SINCE))
    assert state.dump() == {
        "version": 3,
        "api": "http://127.0.0.1:4200/api",
        "streams": {"flows": {"since": "2024-05-01T10:00:00.000005Z", "recent": ""}},
    }


UUIDS = frozenset(str(uuid.UUID(int=n * 7919 << 64)) for n in range(1000))


@pytest.mark.parametrize("keys", [frozenset(), frozenset({"a", "ü"}), UUIDS, frozenset({str(uuid.uuid4()).upper()})])
def test_open_keys_survive_whatever_they_are(keys: frozenset[str]) -> None:
    """UUIDs are packed, anything else is kept as it is written."""
    state = State(API).with_stream("runs", StreamState(SINCE, open=keys))
    assert load_state(json.loads(json.dumps(state.dump())), API) == state


def test_open_keys_cost_at_most_24_bytes() -> None:
    """A thousand open runs are 22 KB of state."""
    document = State(API).with_stream("runs", StreamState(SINCE, open=UUIDS)).dump()
    assert len(json.dumps(document)) <= 24 * len(UUIDS) + 200


def test_passes_and_sweeps_under_way_survive() -> None:
    """So that they go on where they were."""
    under_way = StreamState(None, under_way=PassState(SINCE, "here"), open=frozenset({"x"}))
    sweeping = StreamState(SINCE, reconcile=ReconcileState(SINCE, SINCE, "there", 7))
    state = State(API).with_stream("a", under_way).with_stream("b", sweeping)
    assert load_state(json.loads(json.dumps(state.dump())), API) == state


def test_an_empty_state_is_the_first_sync() -> None:
    """Fivetran hands over {} then, and after a re-sync."""
    assert load_state({}, API) == State(API)


@pytest.mark.parametrize(
    "document",
    [
        {"last_updated": "2024-05-01T10:00:00Z"},
        {"version": 4, "streams": {}},
        {"version": 3},
        {"version": 3, "streams": {"a": {"since": "yesterday", "recent": ""}}},
        {"version": 3, "streams": {"a": {"recent": ""}}},
        {"version": 3, "streams": ["a"]},
        {"version": 3, "streams": {"a": {"since": "2024-05-01T10:00:00Z", "recent": "AAAAAA=="}}},
        {"version": 3, "streams": {"a": {"since": "2024-05-01T10:00:00Z", "open": "not base64"}}},
        {"version": 3, "streams": {"a": None}},
    ],
)
@pytest.mark.scenario("bad-state")
def test_a_state_that_cannot_be_read_is_an_error(document: dict[str, Any]) -> None:
    """Never a silent read of everything: the message says what to do."""
    with pytest.raises(StateError, match="re-sync"):
        load_state(document, API)


def test_fingerprints_tell_versions_apart() -> None:
    """Any column that differs makes another version; the order of an object's keys does not."""
    row = {"id": "a", "updated": SINCE, "j": {"x": 1, "y": [None]}, "n": None}
    others = [{**row, "id": "b"}, {**row, "updated": SINCE.replace(microsecond=6)}, {**row, "j": {}}, {**row, "n": ""}]
    assert len({fingerprint(row), *map(fingerprint, others)}) == 5
    assert fingerprint(row) == fingerprint({**row, "j": {"y": [None], "x": 1}})
    assert len(fingerprint(row)) == 6


def test_columns_that_change_by_themselves_make_no_version() -> None:
    """What the server computes at each answer is left out."""
    row = {"id": "a", "estimate": 1.5}
    assert fingerprint(row, {"estimate"}) == fingerprint({**row, "estimate": 2.5}, {"estimate"}) != fingerprint(row)


def test_version_1_is_taken_over() -> None:
    """It did not say of which API it was, and its fingerprints were longer: those rows are sent once more."""
    document = {"version": 1, "streams": {"runs": {"since": "2024-05-01T10:00:00.000005Z", "recent": "c2l4dGVlbg=="}}}
    assert load_state(document, API) == State(API, {"runs": StreamState(SINCE)})


@pytest.mark.parametrize("same", [API, f"{API}/", API.replace("http:", "https:"), API.upper().replace("/API", "/api")])
def test_the_same_api_in_other_words(same: str) -> None:
    """The scheme, a slash at the end and the case of the host make no other API."""
    document = State(API).with_stream("runs", StreamState(SINCE)).dump()
    assert load_state(document, same).streams == {"runs": StreamState(SINCE)}


@pytest.mark.parametrize(
    "other", ["http://127.0.0.1:4201/api", "http://127.0.0.1:4200/api/workspaces/b", "http://b/api"]
)
@pytest.mark.scenario("bad-state")
def test_a_state_of_another_api_is_an_error(other: str) -> None:
    """Its rows must not be mixed with those of the one that the configuration names now."""
    document = State(API).with_stream("runs", StreamState(SINCE)).dump()
    with pytest.raises(StateError, match=f"made for {API}, and this sync is to read {other}.*re-sync"):
        load_state(document, other)


def test_the_state_stays_under_16_kilobytes() -> None:
    """Whatever changed in the overlap of however many streams; what does not fit is sent again."""
    state = State(API)
    for number in range(30):
        recent = frozenset(n.to_bytes(6, "big") for n in range(RECENT_MAX))
        sweep = ReconcileState(SINCE, SINCE, format_instant(SINCE), 10**6)
        state = state.with_stream(f"a_stream_{number}", StreamState(SINCE, recent, reconcile=sweep))
    assert 12_000 < len(json.dumps(state.dump())) < 2**14 + 4096
    assert sum(len(stream.recent) for stream in load_state(state.dump(), API).streams.values()) > 1400
