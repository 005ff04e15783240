"""docs/compatibility.md: the releases of Prefect that were run, and what was found out about each."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

_HEAD: Final = """\
# Compatibility

Written by `make test-versions` from what it ran; do not edit. A job of the workflow runs it every week.

Each release below ran as a server with the dependencies of its day, on SQLite, filled with rows of every kind that its
API offers. All streams were on, apart from those of Prefect Cloud. After a first sync, after a sync of changes of every
kind, and after reconciliation, every row and every column was compared with the server's responses.

The connector has no list of versions. `streams.yaml` declares alternatives, and each sync uses the first that the
server accepts: releases between these are expected to work, but were not run. After an upgrade of the server, the next
sync uses what the new release offers.

| Prefect | Published | Result | Tables | Rows compared |
| --- | --- | --- | ---: | ---: |
"""
_DETAILS: Final = """
## What older servers lack

Tables are without rows because the server lacks them, or because the test makes none there.

| Prefect | Tables without rows | Alternatives that the sync used |
| --- | --- | --- |
"""
_LIMITS: Final = """
## Limits

- Before Prefect 2.8, work queues belong to no work pool, and their endpoint is another one: they are not synced.
- Before Prefect 2.8, deleting a deployment clears `deployment_id` of its finished runs without moving `updated`. The
  column keeps the id.
- Before Prefect 2.16, `deployments.paused` is NULL; `is_schedule_active` is its opposite.
"""


@dataclass(frozen=True)
class Result:
    """What was found out about a release.

    Attributes:
        version: The version that the server reports.
        published: When it was published.
        tables: The number of tables that have rows.
        rows: The number of rows that were compared.
        absent: The tables that have no rows on the server.
        alternatives: Log lines about what the server rejects.
    """

    version: str
    published: date
    tables: int
    rows: int
    absent: Collection[str]
    alternatives: Collection[str]


def page(results: Sequence[Result]) -> str:
    """The page. A release that failed is not in it: its test says why."""
    return "".join(_lines(results))


def _lines(results: Sequence[Result]) -> Iterator[str]:
    yield _HEAD
    for one in results:
        yield f"| {one.version} | {one.published} | works | {one.tables} | {one.rows:,} |\n"
    yield _DETAILS
    for one in results:
        absent = ", ".join(f"`{name}`" for name in sorted(one.absent)) or "none"
        yield f"| {one.version} | {absent} | {'; '.join(shortened(one.alternatives)) or 'none'} |\n"
    yield _LIMITS


def shortened(lines: Collection[str]) -> list[str]:
    """Log lines in the words of the page, each once.

    >>> shortened(["task_runs: the server rejects pagination style 1; trying the next"])
    ['task_runs: pagination style 2']
    """
    found: dict[str, None] = {}
    for line in lines:
        for pattern, words in _WORDS:
            if match := re.match(pattern, line):
                found[match.expand(words)] = None
    return list(found)


_WORDS: Final = (
    (r"(\w+): the server rejects pagination style 1;", r"\1: pagination style 2"),
    (r"(\w+): the server rejects alternative 1 of \d+ for query (\d+);", r"\1: fallback of query \2"),
    (r"(\w+): the server rejects query (\d+);", r"\1: without query \2"),
    (r"(\w+): the server does not know ([A-Z, ]+);", r"\1: open rows without \2"),
    (r"(\w+): the server has no (POST /events/filter);", r"\1: without its change feed"),
)
