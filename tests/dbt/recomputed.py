"""Figures of the package's models, computed from the answers of Prefect's API in the plainest way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

Record = Mapping[str, Any]
Figures = dict[tuple[str | None, ...], dict[str, Any]]
"""The figures of rows, by the key of the row."""

FAILED = ("FAILED", "CRASHED")


def daily_metrics(flow_runs: Sequence[Record]) -> Figures:
    """Of each day: counts, failure rate, percentiles of duration and lateness in seconds."""
    return {(day,): _metrics(runs) for day, runs in _by_day(flow_runs).items()}


def tag_usage(flow_runs: Sequence[Record]) -> Figures:
    """Of each day and tag: counts and seconds. The tag of runs without any is None."""
    found: dict[tuple[str, str | None], list[Record]] = defaultdict(list)
    for day, runs in _by_day(flow_runs).items():
        for run in runs:
            for tag in set(run["tags"]) or {None}:
                found[day, tag].append(run)
    return {
        key: {
            "runs": len(runs),
            "failed_runs": sum(run["state_type"] in FAILED for run in runs),
            "flows": len({run["flow_id"] for run in runs}),
            "run_seconds": sum(run["total_run_time"] for run in runs),
        }
        for key, runs in found.items()
    }


def deployment_health(deployments: Sequence[Record], flow_runs: Sequence[Record]) -> Figures:
    """Of each deployment: how many runs ended, and the streak of its latest ones."""
    ended: dict[str, list[Record]] = defaultdict(list)
    for run in sorted(flow_runs, key=lambda run: (_end(run) or datetime.max.replace(tzinfo=timezone.utc), run["id"])):
        if run["state_type"] in ("COMPLETED", *FAILED):
            ended[run["deployment_id"]].append(run)
    return {(d["id"],): _streaks([run["state_type"] in FAILED for run in ended[d["id"]]]) for d in deployments}


def _by_day(flow_runs: Sequence[Record]) -> Mapping[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for run in flow_runs:
        instant = _instant(run["expected_start_time"])
        assert instant is not None
        found[f"{instant:%Y-%m-%d}"].append(run)
    return found


def _metrics(runs: Sequence[Record]) -> dict[str, Any]:
    counts = {state: sum(run["state_type"] == state for run in runs) for state in ("COMPLETED", *FAILED, "CANCELLED")}
    judged = counts["COMPLETED"] + counts["FAILED"] + counts["CRASHED"]
    durations = [seconds for run in runs if (seconds := _seconds(_start(run), _end(run))) is not None]
    lateness = [seconds for run in runs if (seconds := _seconds(_due(run), _start(run))) is not None]
    return {
        "runs": len(runs),
        **{f"{state.lower()}_runs": count for state, count in counts.items()},
        "failure_rate": (counts["FAILED"] + counts["CRASHED"]) / judged if judged else None,
        "run_seconds": sum(run["total_run_time"] for run in runs),
        **{f"duration_seconds_p{p}": percentile(durations, p) for p in (50, 90, 99)},
        **{f"lateness_seconds_p{p}": percentile(lateness, p) for p in (50, 90, 99)},
    }


def _streaks(failures: Sequence[bool]) -> dict[str, Any]:
    streak = 0
    for failed in reversed(failures):
        if failed != failures[-1]:
            break
        streak += 1
    failing = bool(failures) and failures[-1]
    return {
        "ended_runs": len(failures),
        "success_streak": 0 if failing else streak,
        "failure_streak": streak if failing else 0,
    }


def _start(run: Record) -> datetime | None:
    """When a run started; None if it never did, which Prefect shows in two ways."""
    ran = run["run_count"] or run["end_time"] != run["start_time"]
    return _instant(run["start_time"]) if ran else None


def _due(run: Record) -> datetime | None:
    return _instant(run["expected_start_time"])


def _end(run: Record) -> datetime | None:
    if run["state_type"] not in ("COMPLETED", "CANCELLED", *FAILED):
        return None
    return _instant(run["end_time"] or run["state"]["timestamp"])


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())


def percentile(values: Iterable[float], percent: int) -> float | None:
    """The value below which so many percent of the values are, interpolated."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
