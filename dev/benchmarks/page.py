"""docs/performance.md: the figures that a user decides by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from dev.benchmarks.counts import ALL_CHECKPOINTS, MANY_OPEN, OPEN_IN_HISTORY, STATE_OF_HISTORY
from dev.benchmarks.results import Table, Tables

_PAGE: Final = """\
# Performance

Written by `make bench`; do not edit.

![Requests per sync, seconds for a first sync, and rows per second, each compared with other clients](performance.svg)

{figures}

Requests, rows and bytes are exact. Times are medians of several rounds, in turns on one machine; on another machine,
compare their ratios. Destinations count rows and store nothing, so the time that the Connector SDK and a warehouse need
comes on top. Syncs also reconcile the history in parts, which adds up to one full read per `reconcile_every`.

{hosts}

[performance.json](performance.json) has every case, its range and its method. `make bench` measures again and rewrites
this page, in 10 minutes; `make bench ARGS=--full` measures ten times the history, in 50 minutes.
"""


def page(tables: Tables) -> str:
    """The page in Markdown. It leaves out a figure that has no result."""
    rows = [("", "Connector", "Compared with", "Measured"), ("---",) * 4]
    shown = [(tables[name], cells) for name, cells in FIGURES.items() if name in tables]
    rows += [(*cells(table), table.measured.date) for table, cells in shown]
    hosts = dict.fromkeys(table.measured for table, _ in shown)
    return _PAGE.format(
        figures="\n".join(f"| {' | '.join(row)} |" for row in rows),
        hosts="\n".join(f"- {host.date}: {host.machine}; {host.versions}" for host in hosts),
    )


def _before(table: Table, case: str) -> str:
    """What a case was at the earlier commit."""
    return f"{table.before.cases[case]:,}" if table.before is not None else "not measured"


_ENGINE: Final = "engine, 30 mapped columns"

FIGURES: Final[Mapping[str, Callable[[Table], tuple[str, str, str]]]] = {
    "requests": lambda table: (
        f"Requests per sync, {table.size:,} flow runs",
        f"**{table.median('nothing changed')}** without changes, **{table.median('50 changes')}** for 50 changes",
        f"{table.median('full scan, pages of 200')}: a loop that reads everything",
    ),
    "quiet": lambda table: (
        f"A sync without changes, default tables, {table.size:,} rows",
        f"**{table.median('upserts')}** rows sent, **{table.median('checkpoints')}** checkpoint, "
        f"{table.median('requests')} requests",
        f"{_before(table, 'upserts')} rows, {_before(table, 'truncates')} truncates: refreshes that truncate",
    ),
    "refresh": lambda table: (
        f"One changed and one deleted row of {table.size:,}, full refresh",
        f"**{table.median('1 changed: upserts')}** row sent, **{table.median('1 deleted: deletes')}** deleted",
        f"{_before(table, '1 changed: upserts')} rows, twice: refreshes that truncate",
    ),
    "children": lambda table: (
        f"Requests for the states of {table.size:,} open, unchanged runs",
        f"**{table.median('nothing changed')}**",
        f"{_before(table, 'nothing changed')}: a request per open run",
    ),
    "state": lambda table: (
        f"State, {OPEN_IN_HISTORY:,} of {table.size:,} runs open",
        f"**{table.cases[STATE_OF_HISTORY].median / 1e3:.0f} KB**; all checkpoints of a first sync of {MANY_OPEN:,} "
        f"open runs: **{table.cases[ALL_CHECKPOINTS].median / 1e6:.1f} MB**",
        f"{table.before.cases[ALL_CHECKPOINTS] / 1e6:.1f} MB: a checkpoint per page" if table.before else "",
    ),
    "first_sync": lambda table: (
        f"First sync, {table.size:,} flow runs",
        f"**{table.median('engine')} s**, {table.cases['engine'].ratio:.2f} × the fastest plain download",
        f"{table.median('loop by offset, pages of 100')} s: a loop by offset",
    ),
    "throughput": lambda table: (
        "Rows per second, 30 typed columns",
        f"**{table.median(_ENGINE)}**, {table.cases[_ENGINE].ratio:.0%} of `requests` and `.json()` alone",
        f"{table.median('Airbyte CDK, 30 mapped fields')}: Airbyte's CDK, the same columns",
    ),
    "memory": lambda table: (
        f"Peak memory, {table.size:,} rows",
        f"**{table.median(f'{table.size:,} records')} MB**",
        f"{table.median('50,000 records')} MB: 50,000 rows",
    ),
}
"""Of each table: what the figure is, the connector's figure, and what it is compared with."""
