"""A list that is read in parts: no row is missing or twice, and the connector goes on without a gap."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Answerer, Reply, Seen
from engine.failures import Failure
from engine.instants import format_instant, parse_instant
from engine.parts import Part, PartRow, Plan, hand_over, plan, read, with_share
from engine.spec.load import ResolvedSpec
from engine.sync import sync
from tests.effort import pairs
from tests.in_process import InProcess
from tests.reading.model import FINAL, OPEN, START, STREAMS, Model
from tests.shop import KEYSET, Lines, Recorder, connection
from tests.specs import edited

DAY = timedelta(days=1)
RECENT = timedelta(days=3)
SECRET = "CANARY-API-KEY"
WITH_SECRET = edited(
    STREAMS,
    add={
        "configuration.api_key": {"description": "The key.", "secret": True},
        "api.authentication": {"style": "bearer", "token": "${api_key}"},
    },
)
IN_WINDOWS = edited(
    STREAMS,
    add={"streams.runs.from": "2024-04-01", "streams.runs.windows": {"at_most": "2d"}},
    remove=[
        "streams.runs.pagination",
        "streams.runs.incremental.open",
        "streams.runs.incremental.change_feed",
        "streams.runs.incremental.lookup",
    ],
)
BY_OFFSET = edited(
    STREAMS,
    replace={
        "streams.runs.body": {"sort": "ID_DESC"},
        "streams.runs.pagination": "offset",
        "streams.runs.count": "POST /runs/count",
    },
)
WITH_CHILDREN = edited(
    STREAMS,
    add={
        "streams.ends": {
            "description": "One row per end.",
            "parent": "runs",
            "endpoint": "GET /runs/$(parent.id)/ends",
            "pagination": "single",
            "primary_key": "id",
            "cursor_field": "updated",
            "sync_mode": "incremental",
            "fields": {
                "id": "$.id",
                "run": "$parent.id",
                "updated": {"path": "$parent.updated", "type": "UTC_DATETIME"},
            },
        }
    },
)


def server_of(*, runs: int = 30) -> Model:
    """Runs of the last twenty days, sixteen hours apart, every fifth of which is open."""
    model = Model(ends_always=False)
    for number in range(runs):
        model.make(OPEN[number % 2] if number % 5 == 0 else FINAL[number % 2], -960 * (runs - number))
    model.wait(DAY.total_seconds())
    return model


class Copied:
    """A model, its rows as they were read in parts, and what the connector wrote from then on."""

    def __init__(self, resolved: ResolvedSpec, model: Model) -> None:
        self.resolved, self.model = resolved, model
        self.history: dict[str, dict[str, Any]] = {}
        self.opened: list[PartRow] = []
        self.recorder = Recorder()

    def read(self, made: Plan, before: Callable[[int], None] = lambda number: None) -> None:
        """Read all parts. Something may happen before each."""
        for number, part in enumerate(made.parts):
            before(number)
            for rows in read(self.resolved, part, Lines()):
                self.opened += [row for row in rows if row.open_at is not None]
                self.history |= {row["id"]: row for row, at in rows if at is None}

    def sync(self, state: dict[str, Any] | None = None) -> list[tuple[str, Any]]:
        """Sync once; returns the operations."""
        state = json.loads(json.dumps(self.recorder.state if state is None else state))
        self.recorder.operations.clear()
        sync(self.resolved, state, self.recorder, Lines())
        return self.recorder.operations

    @property
    def differences(self) -> list[str]:
        """The runs that the connector's table and the history together lack, or have in another version."""
        view = {**self.history, **self.recorder.tables.get("runs", {})}
        have = {
            key: {name: row[name] for name in ("id", "updated", "state", "name")}
            for key, row in view.items()
            if not row.get("deleted")
        }
        want = {
            key: {**{name: run[name] for name in ("id", "state", "name")}, "updated": parse_instant(run["updated"])}
            for key, run in self.model.runs.items()
        }
        return sorted(key for key in have.keys() | want.keys() if have.get(key) != want.get(key))


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[Callable[..., Copied]]:
    """Makes a connection to a model."""
    with InProcess(lambda seen: Reply([])) as server:

        def connect(model: Model, text: str = STREAMS, **settings: str) -> Copied:
            server.answer = model.answer
            return Copied(connection(tmp_path, server.url, text, **settings), model)

        yield connect


def rows_in(copied: Copied, part: Part) -> list[PartRow]:
    """The rows of a part."""
    return [row for rows in read(copied.resolved, part, Lines()) for row in rows]


def rows_of(copied: Copied, made: Plan) -> list[list[PartRow]]:
    """The rows of each part."""
    return [rows_in(copied, part) for part in made.parts]


# --- the parts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut_by", ["counts", "time"])
def test_every_row_is_in_exactly_one_part(connected: Callable[..., Copied], cut_by: str) -> None:
    """Parts that are cut by counts have at most the wanted rows; those without counts have equal times."""
    text = STREAMS if cut_by == "counts" else edited(STREAMS, replace={"streams.runs.count": "POST /runs/count"})
    copied = connected(server_of(), text)
    made = plan(copied.resolved, "runs", Lines(), rows=4, recent=RECENT)
    parts = rows_of(copied, made)
    keys = [row["id"] for rows in parts for row, _ in rows]
    assert len(keys) == len(set(keys))
    assert made.until is not None
    expected = {run["id"] for run in copied.model.runs.values() if parse_instant(run["expected"]) < made.until}
    assert set(keys) == expected
    assert len(expected) < len(copied.model.runs)
    if cut_by == "counts":
        assert len(parts) > 6
        assert all(len(rows) <= 5 for rows in parts)  # a count has the row at its end, too
    else:
        assert len(parts) == 64


def test_without_recent_every_row_is_in_a_part(connected: Callable[..., Copied]) -> None:
    """Also those that are dated later than the plan."""
    copied = connected(server_of())
    copied.model.make("SCHEDULED", 600)
    made = plan(copied.resolved, "runs", Lines(), rows=10)
    assert {row["id"] for rows in rows_of(copied, made) for row, _ in rows} == set(copied.model.runs)


def test_rows_without_a_timestamp_are_in_the_first_part(tmp_path: Path) -> None:
    """If the sort puts them first, as the connector reads them, too. They can be more than a page holds."""
    undated: list[dict[str, Any]] = [{"id": f"o{number:02}", "updated": None, "made": ""} for number in range(25)]
    dated: list[dict[str, Any]] = [
        {"id": f"p{n:02}", "updated": None, "made": format_instant(START + n * DAY)} for n in range(25)
    ]

    def answer(seen: Seen) -> Reply:
        made = seen.json.get("made")
        low, high = (made.get("after_", ""), made.get("before_", "9")) if made else ("", "")
        found = [row for row in dated if low <= row["made"] <= high] if made else [*undated, *dated]
        offset = seen.json.get("offset", 0)
        headers = {"Date": format_datetime(START + 25 * DAY, usegmt=True)}
        if seen.path.endswith("/count"):
            return Reply(len(found), headers=headers)
        page = found[offset : offset + seen.json["limit"]]
        return Reply([{**row, "made": row["made"] or None} for row in page], headers=headers)

    bounded = {"endpoint": "POST /orders/count", "body": {"made": {"after_": "$from", "before_": "$to"}}}
    with InProcess(answer):
        resolved = connection(tmp_path, InProcess.url, edited(KEYSET, replace={"streams.orders.count": bounded}))
        made = plan(resolved, "orders", Lines(), rows=10, recent=timedelta(0))
        parts = [[row["id"] for rows in read(resolved, part, Lines()) for row, _ in rows] for part in made.parts]
    assert len(parts) > 2
    assert sorted(key for part in parts for key in part) == [row["id"] for row in (*undated, *dated)]
    assert {row["id"] for row in undated} <= set(parts[0])


def test_a_part_can_be_read_again(connected: Callable[..., Copied]) -> None:
    """So a reader that was killed half-way costs nothing but its time."""
    copied = connected(server_of())
    made = plan(copied.resolved, "runs", Lines(), rows=10, recent=RECENT)
    once = rows_of(copied, made)
    assert len(once[0]) > 4
    killed = read(copied.resolved, made.parts[0], Lines())
    assert list(next(iter(killed))) == once[0][:4]
    del killed
    assert rows_of(copied, made) == once


def test_a_part_is_its_position_and_pickles_without_settings(connected: Callable[..., Copied]) -> None:
    """A worker resolves the settings itself, so no secret travels."""
    copied = connected(server_of(), WITH_SECRET, api_key=SECRET)
    made = plan(copied.resolved, "runs", Lines(), rows=10, recent=RECENT)
    pickled = pickle.dumps(made)
    assert pickle.loads(pickled) == made
    assert SECRET.encode() not in pickled
    assert all(part.position and ".." in part.position for part in made.parts)


def test_a_rejected_part_is_a_failure(connected: Callable[..., Copied]) -> None:
    """The whole list in place of a part would repeat the rows of all others."""
    copied = connected(server_of())
    made = plan(copied.resolved, "runs", Lines(), rows=10, recent=RECENT)
    answer = copied.model.answer
    rejected = [Reply({"detail": "no"}, 422)]

    def once(seen: Seen) -> Reply:
        return rejected.pop() if rejected else answer(seen)

    with InProcess(once), pytest.raises(Failure, match="422"):
        list(read(copied.resolved, made.parts[1], Lines()))


def test_a_list_in_windows_is_cut_between_them(connected: Callable[..., Copied]) -> None:
    """Whatever style reads them. Windows overlap by a second, so a row can be in two parts."""
    copied = connected(server_of(), IN_WINDOWS)
    made = plan(copied.resolved, "runs", Lines(), recent=RECENT)
    assert len(made.parts) == 13  # 28 days less two hours, in whole windows of two days
    copied.read(made)
    copied.sync(hand_over(copied.resolved, made, ()))
    assert copied.differences == []


def test_a_list_that_cannot_be_cut_is_one_part(connected: Callable[..., Copied]) -> None:
    """It is read from its start to its end."""
    copied = connected(server_of(), BY_OFFSET)
    made = plan(copied.resolved, "runs", Lines(), rows=7)
    assert made.parts == (Part("runs"),)
    assert {row["id"] for row, _ in rows_of(copied, made)[0]} == set(copied.model.runs)


def test_children_are_cut_as_their_parents(connected: Callable[..., Copied]) -> None:
    """Each child is in the part of its parent."""
    copied = connected(model := server_of(), WITH_CHILDREN)

    def answer(seen: Seen) -> Reply:
        return Reply([{"id": f"end of {seen.path}"}]) if seen.path.endswith("/ends") else model.answer(seen)

    with InProcess(answer):
        parents, children = (plan(copied.resolved, name, Lines(), rows=10, recent=RECENT) for name in ("runs", "ends"))
        runs = [[row["id"] for row, _ in rows] for rows in rows_of(copied, parents)]
        ends = [[row["run"] for row, _ in rows] for rows in rows_of(copied, children)]
        state = hand_over(copied.resolved, children, ())
    assert len(runs) > 2
    assert ends == runs
    assert state["streams"]["ends"]["pass"]["position"] == format_instant(children.until or START)


def test_a_reader_takes_its_share_of_the_rate_limit(connected: Callable[..., Copied]) -> None:
    """Two readers with half each stay within the limit together."""
    text = edited(STREAMS, add={"api.rate_limit": {"requests": 10, "per": "1s"}})
    shared = with_share(connected(Model(), text).resolved, 0.5)
    assert shared.spec.api.rate_limit is not None
    assert shared.spec.api.rate_limit.per == timedelta(seconds=2)
    assert with_share(connected(Model()).resolved, 0.5).spec.api.rate_limit is None


# --- handing over -----------------------------------------------------------------------------------------------------


def run_in(model: Model, states: tuple[str, ...], share: float) -> str:
    """The run in one of these states that is dated after this share of them."""
    keys = sorted((run["expected"], key) for key, run in model.runs.items() if run["state"] in states)
    return keys[int(share * len(keys))][1]


def fail_without_a_trace(model: Model, key: str) -> None:
    """Fail a run that did not start and was due long ago, on a server that has lost the event."""
    model.move(key, "FAILED")
    model.events.pop()


def backdate(model: Model) -> None:
    """Make runs that are dated before all others."""
    model.make("SCHEDULED", -90_000)
    model.make("COMPLETED", -90_000)


CHANGES: dict[str, Callable[[Model, float], None]] = {
    "none": lambda model, share: None,
    "an open run is deleted": lambda model, share: model.delete(run_in(model, OPEN, share)),
    "an open run completes": lambda model, share: model.move(run_in(model, OPEN, share), "COMPLETED"),
    "a run fails without a trace": lambda model, share: fail_without_a_trace(
        model, run_in(model, ("SCHEDULED",), share)
    ),
    "a finished run is reopened": lambda model, share: model.move(run_in(model, FINAL, share), "RUNNING"),
    "a completed run fails": lambda model, share: model.move(run_in(model, ("COMPLETED",), share), "FAILED"),
    "runs are made that are dated earlier": lambda model, share: backdate(model),
}


@pytest.mark.parametrize(("change", "when"), pairs(CHANGES, ["before its part is read", "after its part was read"]))
def test_no_change_falls_between_the_parts_and_the_connector(
    connected: Callable[..., Copied], change: str, when: str
) -> None:
    """Whatever happens after the plan is made: the first sync of the connector leaves no difference in any column."""
    copied = connected(model := server_of())
    made = plan(copied.resolved, "runs", Lines(), rows=6, recent=RECENT)
    assert len(made.parts) > 4

    def meanwhile(number: int) -> None:
        model.wait(3600)
        if number == 0 and when.startswith("before"):
            CHANGES[change](model, 0.5)
        elif number == len(made.parts) - 1 and when.startswith("after"):
            CHANGES[change](model, 0.0)

    copied.read(made, meanwhile)
    model.wait(3600)
    operations = copied.sync(hand_over(copied.resolved, made, copied.opened))
    assert ("truncate", "runs") not in operations
    assert copied.differences == []
    model.wait(600)
    copied.sync()
    assert copied.differences == []


def test_an_edit_of_a_finished_run_is_left_to_reconciliation(connected: Callable[..., Copied]) -> None:
    """As after any first sync: no query finds it."""
    copied = connected(model := server_of())
    made = plan(copied.resolved, "runs", Lines(), rows=6, recent=RECENT)
    copied.read(made)
    model.edit(edited_run := run_in(model, FINAL, 0.0))
    copied.sync(hand_over(copied.resolved, made, copied.opened))
    assert copied.differences == [edited_run]
    model.wait(DAY.total_seconds() + 1)
    copied.sync()
    assert copied.differences == []


def test_a_hundred_ranges_hold_any_number_of_open_rows(connected: Callable[..., Copied]) -> None:
    """The state stays small. Open rows that lie close together share a range, whose other rows are read again."""
    copied = connected(server_of())
    made = plan(copied.resolved, "runs", Lines(), recent=RECENT)
    assert made.until is not None
    open_at = [made.until - timedelta(minutes=number * number) for number in range(1, 1000)]
    opened = [PartRow({}, at) for at in open_at]
    position = hand_over(copied.resolved, made, opened)["streams"]["runs"]["pass"]["position"]
    *ranges, rest = position.split(",")
    assert len(ranges) == 100
    bounds = [tuple(map(parse_instant, text.split(".."))) for text in ranges]
    assert all(any(start <= at < end for start, end in bounds) for at in open_at)
    assert parse_instant(rest) == made.until


def test_a_row_that_was_open_before_and_is_gone_is_deleted(connected: Callable[..., Copied]) -> None:
    """A connection that has synced the stream keeps the keys of its open rows."""
    copied = connected(model := server_of())
    copied.sync({})
    model.wait(3600)
    model.delete(gone := run_in(model, OPEN, 0.0))
    made = plan(copied.resolved, "runs", Lines(), rows=6, recent=RECENT)
    copied.read(made)
    copied.sync(hand_over(copied.resolved, made, copied.opened, copied.recorder.state))
    assert copied.recorder.tables["runs"][gone]["deleted"]
    assert copied.differences == []


def test_the_other_streams_of_a_connection_keep_their_states(connected: Callable[..., Copied]) -> None:
    """Only the stream that was read in parts starts over."""
    copied = connected(server_of())
    made = plan(copied.resolved, "runs", Lines(), recent=RECENT)
    before = {"version": 4, "api": InProcess.url, "streams": {"others": {"since": "2024-05-01T00:00:00.000000Z"}}}
    after = hand_over(copied.resolved, made, (), before)["streams"]
    assert after["others"]["since"] == "2024-05-01T00:00:00.000000Z"
    assert after["runs"]["pass"]["began"] == format_instant(made.began)
    assert after["runs"].keys() == {"pass", "made_by", "read_by"}


IN_PROJECTS = edited(
    STREAMS,
    add={
        "configuration.projects": {"type": "list", "description": "The projects."},
        "api.partitions": {
            "noun": "projects",
            "list": "${projects}",
            "base_url": "/projects/$(partition.value)",
            "columns": {"project": "$.value"},
        },
    },
)


def in_projects(projects: Mapping[str, Model]) -> Answerer:
    """Responds for each project by its model."""

    def answer(seen: Seen) -> Reply:
        _, _, _, project, *path = seen.path.split("/")
        return projects[project].answer(replace(seen, path="/".join(["/api", *path])))

    return answer


def test_the_parts_of_a_partition_name_it_and_each_is_handed_over(connected: Callable[..., Copied]) -> None:
    """Rows of several partitions can have the same keys. What is open in one is not read again in the others."""
    projects = {"a": server_of(), "b": server_of()}
    copied = connected(projects["a"], IN_PROJECTS, projects="a, b")
    with InProcess(in_projects(projects)):
        made = plan(copied.resolved, "runs", Lines(), rows=10, recent=RECENT)
        rows = [row for part in pickle.loads(pickle.dumps(made.parts)) for row in rows_in(copied, part)]
        opened = [row for row in rows if row.open_at is not None and row.row["project"] == "a"]
        state = hand_over(copied.resolved, made, opened)
        operations = copied.sync(state)
    keys = [(row["project"], row["id"]) for row, _ in rows]
    assert len(keys) == len(set(keys)) == 2 * len({key for _, key in keys})
    assert {part.partition.key for part in made.parts if part.partition is not None} == {"a", "b"}
    positions = {key: one["streams"]["runs"]["pass"]["position"] for key, one in state["partitions"].items()}
    assert len(positions["a"].split(",")) == len(opened) + 1
    assert "," not in positions["b"]
    assert ("truncate", "runs") not in operations
    synced = copied.recorder.state["partitions"]
    assert all("since" in synced[project]["streams"]["runs"] for project in projects)


def test_a_stream_that_is_the_same_in_all_partitions_has_no_parts(connected: Callable[..., Copied]) -> None:
    """Each of them would have all of its rows."""
    text = edited(IN_PROJECTS, replace={"streams.runs.endpoint": "POST ../../runs/filter"})
    copied = connected(server_of(), text, projects="a, b")
    with pytest.raises(Failure, match="runs: it is the same in all projects; leave it to the connector"):
        plan(copied.resolved, "runs", Lines())


REFUSED = {
    "was made without": STREAMS,
    "cannot be cut": BY_OFFSET,
    "full refresh": edited(
        STREAMS, replace={"streams.runs.sync_mode": "full_refresh"}, remove=["streams.runs.incremental"]
    ),
    "soft_delete": edited(STREAMS, add={"streams.runs.deleted": "soft_delete"}),
    "cursor is no instant": edited(
        STREAMS,
        replace={
            "streams.runs.cursor_field": "name",
            "streams.runs.incremental": {"changes": {"body": {"runs": {"name": {"after_": "$since"}}, "sort": "NAME"}}},
        },
    ),
}


def test_children_whose_parents_are_each_asked_are_not_handed_over(connected: Callable[..., Copied]) -> None:
    """The connector remembers which parents it has asked, and a plan does not know them."""
    each = {"streams.ends.incremental": {"changes": {"query": {"since": "$since"}}}}
    copied = connected(server_of(), edited(WITH_CHILDREN, add=each))
    made = plan(copied.resolved, "ends", Lines(), recent=RECENT)
    with pytest.raises(Failure, match="it asks each row of its parent"):
        hand_over(copied.resolved, made, ())


@pytest.mark.parametrize("words", REFUSED)
def test_a_stream_that_cannot_be_handed_over_is_refused(connected: Callable[..., Copied], words: str) -> None:
    """Rather than synced with a gap."""
    copied = connected(server_of(), REFUSED[words])
    made = plan(copied.resolved, "runs", Lines(), recent=None if words == "was made without" else RECENT)
    with pytest.raises(Failure, match=words):
        hand_over(copied.resolved, made, ())


def test_without_dates_a_stream_is_read_and_not_handed_over(connected: Callable[..., Copied]) -> None:
    """Nothing shows since when the connector must look for changes."""
    copied = connected(model := server_of())
    with InProcess(lambda seen: replace(model.answer(seen), headers={})):
        made = plan(copied.resolved, "runs", Lines(), recent=timedelta(0))
        assert sum(map(len, rows_of(copied, made))) == len(model.runs)
    with pytest.raises(Failure, match="no Date header"):
        hand_over(copied.resolved, made, ())
