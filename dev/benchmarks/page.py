"""docs/performance.md: the figures that a user decides by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from dev.benchmarks.results import Table, Tables

_PAGE: Final = """\
# Performance

Written by `make bench`; do not edit.

![Requests per sync, seconds for a first sync, and rows per second, each compared with other clients](performance.svg)

{figures}

Figures are medians of several rounds, and all cases of a row ran in turns on one machine. Other machines give other
figures; the ratios are what to compare. Destinations count rows and store nothing, so the time that the Connector SDK
and a warehouse need comes on top. Syncs also reconcile the history in parts, which adds up to one full read a day.

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


def _first_sync(what: str, table: Table) -> tuple[str, str, str]:
    ratio = table.cases["engine"].ratio  # to the fastest of the plain downloads
    return (
        what,
        f"**{table.median('engine')} s**, {ratio:.2f} × the fastest plain download",
        f"{table.median('loop by offset, pages of 100')} s: a loop by offset",
    )


_ENGINE: Final = "engine, 30 mapped columns"

FIGURES: Final[Mapping[str, Callable[[Table], tuple[str, str, str]]]] = {
    "requests": lambda table: (
        f"Requests per sync, {table.size:,} flow runs",
        f"**{table.median('nothing changed')}** without changes, **{table.median('50 changes')}** for 50 changes",
        f"{table.median('full scan, pages of 200')}: a loop that reads everything",
    ),
    "first_sync": lambda table: _first_sync(f"First sync, {table.size:,} flow runs", table),
    "first_sync_far": lambda table: _first_sync("The same, 50 ms from the server", table),
    "throughput": lambda table: (
        "Rows per second, 30 typed columns",
        f"**{table.median(_ENGINE)}**, {table.cases[_ENGINE].ratio:.0%} of `requests` and `.json()` alone",
        f"{table.median('Airbyte CDK, 30 mapped fields')}: Airbyte's CDK, the same columns",
    ),
    "cpu": lambda table: (
        "CPU per row",
        f"**{table.median(_ENGINE)} µs**",
        f"{table.median('requests and .json()')} µs: `requests` and `.json()` alone",
    ),
    "memory": lambda table: (
        f"Peak memory, {table.size:,} rows",
        f"**{table.median(f'{table.size:,} records')} MB**",
        f"{table.median('50,000 records')} MB: 50,000 rows",
    ),
    "start": lambda table: (
        "Start, before the first request",
        f"**{table.median('... and streams.yaml read, validated and resolved', '.2f')} s** of CPU",
        f"{table.median('Python with its HTTP and YAML libraries', '.2f')} s: Python, `requests` and PyYAML",
    ),
    "growth": lambda table: (
        f"Last page of {table.size:,} flow runs",
        f"**{table.median(f'{table.size:,} runs: keyset, after 99% of the rows')} µs** per row; "
        f"first page {table.median(f'{table.size:,} runs: keyset, after 0% of the rows')} µs",
        f"{table.median(f'{table.size:,} runs: offset, after 99% of the rows')} µs: by offset",
    ),
}
"""Of each table: what the figure is, the connector's figure, and what it is compared with."""
