"""The state document."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from engine.instants import format_instant
from engine.state import (
    INTERVALS_MAX,
    KEYS_SIZE,
    RECENT_MAX,
    Interval,
    Keys,
    KnownRows,
    PartitionState,
    PassState,
    ReconcileState,
    State,
    StateError,
    StreamState,
    Surplus,
    fingerprint,
    load_state,
    with_intervals,
)

API = "http://127.0.0.1:4200/api"
SINCE = datetime(2024, 5, 1, 10, 0, 0, 5, tzinfo=timezone.utc)


def test_it_survives_its_json() -> None:
    """A dumped state loads as the same state."""
    state = (
        State(API)
        .with_stream("a", StreamState(SINCE, frozenset({b"6 byte", b"others"})))
        .with_stream("b", StreamState(SINCE, surplus=Surplus(-2, SINCE, is_sure=False), newest=SINCE))
        .with_stream("c", StreamState(SINCE, open=frozenset({"x"}), closed_parents=frozenset({"y", 1})))
    )
    assert load_state(json.loads(json.dumps(state.dump())), API) == state


def test_a_person_can_read_it() -> None:
    """The version, the API, and an instant for each stream."""
    state = State(API).with_stream("flows", StreamState(SINCE))
    assert state.dump() == {
        "version": 4,
        "api": "http://127.0.0.1:4200/api",
        "streams": {"flows": {"since": "2024-05-01T10:00:00.000005Z", "recent": ""}},
    }


def test_the_states_of_partitions_survive_in_a_version_of_their_own() -> None:
    """An earlier release would read such a connection as one that has not synced yet, so it must not load it."""
    state = (
        replace(State(API), partitioned_by=("workspace_id",))
        .with_stream("accounts", StreamState(SINCE))
        .with_partition("w1", PartitionState("production"))
        .with_stream("flows", StreamState(SINCE, keys=Keys(frozenset({("a",)}))), "w1")
        .with_partition("w2", PartitionState("gone", is_gone=True))
    )
    document = json.loads(json.dumps(state.dump()))
    assert document["version"] == 5
    assert document["partitions"]["w2"] == {"name": "gone", "gone": True, "streams": {}}
    assert load_state(document, API) == state
    assert load_state({**document, "partitions": {}}, API).partitions == {}
    damage: list[dict[str, Any]] = [{"partitions": None}, {"partitions": {"w1": {}}}, {"partitioned_by": None}]
    for broken in damage:
        with pytest.raises(StateError):
            load_state({**document, **broken}, API)


def test_partitions_share_the_room_for_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of a stream in all partitions take no more of the state than those of one connection."""
    monkeypatch.setattr("engine.state.KEYS_SIZE", 100)
    state = replace(State(API), partitioned_by=("workspace_id",))
    for partition in ("w1", "w2"):
        state = state.with_stream("flows", StreamState(SINCE, keys=Keys(frozenset({("k" * 60,)}))), partition)
    streams = [one["streams"]["flows"] for one in state.dump()["partitions"].values()]
    assert ["keys" in stream for stream in streams] == [True, False]


UUIDS = frozenset(str(uuid.UUID(int=n * 7919 << 64)) for n in range(1000))


@pytest.mark.parametrize("keys", [frozenset(), frozenset({"a", "ü"}), UUIDS, frozenset({str(uuid.uuid4()).upper()})])
def test_open_keys_survive_in_any_form(keys: frozenset[str]) -> None:
    """UUIDs are packed, other keys are stored as they are."""
    state = State(API).with_stream("runs", StreamState(SINCE, open=keys))
    assert load_state(json.loads(json.dumps(state.dump())), API) == state


def test_open_keys_cost_at_most_24_bytes() -> None:
    """A thousand open runs take 22 KB of state."""
    document = State(API).with_stream("runs", StreamState(SINCE, open=UUIDS)).dump()
    assert len(json.dumps(document)) <= 24 * len(UUIDS) + 200


def test_unfinished_passes_and_reconciliations_survive() -> None:
    """The next sync resumes them."""
    in_a_pass = StreamState(None, current_pass=PassState(SINCE, "here"), open=frozenset({"x"}))
    reconciling = StreamState(
        SINCE,
        reconcile=ReconcileState(SINCE, SINCE, "there", 7, SINCE, 9, frozenset({b"6 byte"}), frozenset({b"others"})),
    )
    state = State(API).with_stream("a", in_a_pass).with_stream("b", reconciling)
    assert load_state(json.loads(json.dumps(state.dump())), API) == state


@pytest.mark.parametrize(
    "keys", [[(key,) for key in UUIDS], [("a", 1), ("b", 2)], [("x",), ("ü",)], [(7,), (8,)], [("a",), (1,)], []]
)
def test_the_rows_of_a_full_refresh_survive(keys: list[tuple[Any, ...]]) -> None:
    """With their versions, whatever the keys are."""
    rows = KnownRows("5" * 32, {key: f"{number:06}".encode() for number, key in enumerate(keys)})
    state = State(API).with_stream("shops", StreamState(rows=rows))
    assert load_state(json.loads(json.dumps(state.dump())), API) == state


@pytest.mark.parametrize("keys", [[(key,) for key in UUIDS], [("a", 1), ("b", 2)], [(7,), ("7",)], []])
def test_the_keys_of_all_rows_survive(keys: list[tuple[Any, ...]]) -> None:
    """Those that were found, are missing or unsure, whatever the keys are; UUIDs at 24 bytes each."""
    groups = [frozenset(keys[at::3]) for at in range(3)]
    state = State(API).with_stream("runs", StreamState(SINCE, keys=Keys(*groups)))
    document = json.dumps(state.dump())
    assert load_state(json.loads(document), API) == state
    assert len(document) <= 24 * len(keys) + 300


def test_keys_that_take_too_much_of_the_state_are_left_out() -> None:
    """The state must stay below 10 MB. Then the table is truncated to find what is gone."""
    keys = Keys(frozenset({("x" * 1000, number) for number in range(KEYS_SIZE // 1000)}))
    state = State(API).with_stream("runs", StreamState(SINCE, keys=keys))
    assert load_state(state.dump(), API).streams["runs"].keys is None


def test_a_row_of_a_full_refresh_costs_at_most_32_bytes() -> None:
    """If its key is a UUID: 22 for the key, 8 for the version."""
    rows = KnownRows("5" * 32, {(key,): b"6 byte" for key in UUIDS})
    document = State(API).with_stream("shops", StreamState(rows=rows)).dump()
    assert len(json.dumps(document)) <= 32 * len(UUIDS) + 300


def test_a_parent_whose_children_are_there_costs_11_bytes() -> None:
    """However long its key is; and a state without any is that of a version before."""
    parents = frozenset(number.to_bytes(8, "big") for number in range(1000))
    state = State(API).with_stream("issues", StreamState(SINCE, parents=parents))
    document = json.dumps(state.dump())
    assert load_state(json.loads(document), API) == state
    assert len(document) <= 11 * len(parents) + 300
    assert "parents" not in State(API).with_stream("issues", StreamState(SINCE)).dump()["streams"]["issues"]


def test_intervals_join_where_they_meet() -> None:
    """And the latest are kept."""
    at = [SINCE + timedelta(minutes=n) for n in range(1000)]
    covered = with_intervals({}, {"q": Interval(at[0], at[5])})
    covered = with_intervals(covered, {"q": Interval(at[4], at[9])})
    assert covered == {"q": (Interval(at[0], at[9]),)}
    covered = with_intervals(covered, {"q": Interval(at[12], at[13]), "r": Interval(at[0], at[1])})
    assert covered == {"q": (Interval(at[0], at[9]), Interval(at[12], at[13])), "r": (Interval(at[0], at[1]),)}
    state = State(API).with_stream("a", StreamState(SINCE, covered=covered, made_by="x", read_by="y"))
    assert load_state(json.loads(json.dumps(state.dump())), API) == state
    for n in range(20, 900, 3):
        covered = with_intervals(covered, {"q": Interval(at[n], at[n + 1])})
    assert len(covered["q"]) == INTERVALS_MAX
    assert covered["q"][-1].end == at[n + 1]


def test_an_empty_state_is_the_first_sync() -> None:
    """Fivetran passes {} in the first sync and after a re-sync."""
    assert load_state({}, API) == State(API)


@pytest.mark.parametrize(
    "document",
    [
        {"last_updated": "2024-05-01T10:00:00Z"},
        {"version": 5, "streams": {}},
        {"version": 3},
        {"version": 4, "streams": {"a": {"since": "yesterday", "recent": ""}}},
        {"version": 4, "streams": {"a": {"recent": ""}}},
        {"version": 4, "streams": ["a"]},
        {"version": 4, "streams": {"a": {"since": "2024-05-01T10:00:00Z", "recent": "AAAAAA=="}}},
        {"version": 4, "streams": {"a": {"since": "2024-05-01T10:00:00Z", "open": "not base64"}}},
        {"version": 4, "streams": {"a": None}},
    ],
)
@pytest.mark.scenario("bad-state")
def test_a_state_that_cannot_be_read_is_an_error(document: dict[str, Any]) -> None:
    """Everything is never re-read silently. The message says what to do."""
    with pytest.raises(StateError, match="re-sync"):
        load_state(document, API)


def test_fingerprints_distinguish_versions() -> None:
    """A different value in any column makes another version; another order of an object's keys does not."""
    row = {"id": "a", "updated": SINCE, "j": {"x": 1, "y": [None]}, "n": None}
    others = [{**row, "id": "b"}, {**row, "updated": SINCE.replace(microsecond=6)}, {**row, "j": {}}, {**row, "n": ""}]
    assert len({fingerprint(row), *map(fingerprint, others)}) == 5
    assert fingerprint(row) == fingerprint({**row, "j": {"y": [None], "x": 1}})
    assert len(fingerprint(row)) == 6


def test_volatile_columns_make_no_version() -> None:
    """The server recomputes them on each response, so the fingerprint excludes them."""
    row = {"id": "a", "estimate": 1.5}
    assert fingerprint(row, {"estimate"}) == fingerprint({**row, "estimate": 2.5}, {"estimate"}) != fingerprint(row)


def test_version_1_is_migrated() -> None:
    """It names no API, and its fingerprints are longer, so the rows in its lookback window are sent once more."""
    document = {"version": 1, "streams": {"runs": {"since": "2024-05-01T10:00:00.000005Z", "recent": "c2l4dGVlbg=="}}}
    assert load_state(document, API) == State(API, {"runs": StreamState(SINCE)})


@pytest.mark.parametrize("same", [API, f"{API}/", API.replace("http:", "https:"), API.upper().replace("/API", "/api")])
def test_another_spelling_of_the_url_is_the_same_api(same: str) -> None:
    """The scheme, a trailing slash and the case of the host do not matter."""
    document = State(API).with_stream("runs", StreamState(SINCE)).dump()
    assert load_state(document, same).streams == {"runs": StreamState(SINCE)}


@pytest.mark.parametrize(
    "other", ["http://127.0.0.1:4201/api", "http://127.0.0.1:4200/api/workspaces/b", "http://b/api"]
)
@pytest.mark.scenario("bad-state")
def test_a_state_of_another_api_is_an_error(other: str) -> None:
    """The rows of two APIs must not be mixed in one table."""
    document = State(API).with_stream("runs", StreamState(SINCE)).dump()
    with pytest.raises(StateError, match=f"made for {API}, but this sync reads {other}.*re-sync"):
        load_state(document, other)


def test_the_state_stays_under_16_kilobytes() -> None:
    """However many rows and streams changed in the lookback window. What does not fit is sent again."""
    state = State(API)
    for number in range(30):
        recent = frozenset(n.to_bytes(6, "big") for n in range(RECENT_MAX))
        reconcile = ReconcileState(SINCE, SINCE, format_instant(SINCE), 10**6)
        state = state.with_stream(f"a_stream_{number}", StreamState(SINCE, recent, reconcile=reconcile))
    assert 12_000 < len(json.dumps(state.dump())) < 2**14 + 4096
    assert sum(len(stream.recent) for stream in load_state(state.dump(), API).streams.values()) > 1400


@pytest.mark.parametrize(
    "stream",
    [
        {"since": "0001-01-01T00:00:00+23:00"},
        {"since": format_instant(SINCE), "pass": {"began": format_instant(SINCE), "position": 5}},
        {"since": format_instant(SINCE), "made_by": ["x"]},
        {"since": format_instant(SINCE), "recent": "AAAA#AAAA"},
    ],
)
def test_a_state_of_wrong_values_is_refused(stream: dict[str, Any]) -> None:
    """An instant outside the calendar, a position that is no string: the message says what to do."""
    with pytest.raises(StateError, match=r"cannot be read .* reset the state"):
        load_state({"version": 4, "api": API, "streams": {"runs": stream}}, API)


def test_a_state_of_an_address_that_is_none_is_of_another_api() -> None:
    """Someone edited it."""
    with pytest.raises(StateError, match="was made for"):
        load_state({"version": 4, "api": "http://[x", "streams": {}}, API)
