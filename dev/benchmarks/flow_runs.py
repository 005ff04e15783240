"""Flow runs in memory, served with those of Prefect's filters that streams.yaml uses for them and for their states."""

from __future__ import annotations

import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from dev.testbed.loopback import Reply, Seen
from engine.instants import format_instant

PAGE_LIMIT: Final = 200

Row = dict[str, Any]


class FlowRuns:
    """A history of runs, one a second, of which the last are open. None of them ends or changes.

    Args:
        total: The number of runs.
        opened: How many of them are running.
        age: How long ago the open runs last changed. The others changed when they were expected to start.
    """

    def __init__(self, total: int, opened: int, age: timedelta) -> None:
        now = datetime.now(timezone.utc)
        began = now - timedelta(days=30)
        self._rows = [
            _run(number, began + timedelta(seconds=number), now - age if number >= total - opened else None)
            for number in range(total)
        ]
        self._starts = [row["expected_start_time"] for row in self._rows]

    def answer(self, seen: Seen) -> Reply:
        """The response to a request."""
        if seen.path.endswith("/count"):
            return Reply(len(self._rows))
        if seen.path.endswith("/flow_run_states/"):
            return Reply([_state(seen.query["flow_run_id"][0], self._starts[-1])])
        if seen.path.endswith("/events/filter"):
            return Reply({"events": [], "total": 0, "next_page": None})
        first = seen.json.get("offset", 0)
        rows = self._matching(seen.json.get("flow_runs", {}))
        return Reply(rows[first : first + min(seen.json["limit"], PAGE_LIMIT)])

    def _matching(self, wanted: dict[str, Any]) -> Sequence[Row]:
        """The rows that a filter selects, in the order of their start."""
        states = wanted.get("state", {}).get("type", {})
        if wanted.keys() & {"end_time", "start_time"} or "not_any_" in states:  # runs that ended, or in other states
            return []
        expected = wanted.get("expected_start_time", {})
        first = bisect_left(self._starts, expected.get("after_", ""))
        rows = self._rows[first : bisect_right(self._starts, expected.get("before_", "~"))]
        if states:
            return [row for row in rows if row["state_type"] in states["any_"]]
        return [row for row in rows if row["id"] in wanted["id"]["any_"]] if "id" in wanted else rows


def _run(number: int, expected: datetime, changed: datetime | None) -> Row:
    return {
        "id": str(uuid.UUID(int=(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)),
        "updated": format_instant(changed or expected),
        "name": f"run-{number:07}",
        "expected_start_time": format_instant(expected),
        "state_type": "RUNNING" if changed else "COMPLETED",
    }


def _state(flow_run: str, at: str) -> Row:
    return {"id": flow_run, "type": "RUNNING", "name": "Running", "timestamp": at}
