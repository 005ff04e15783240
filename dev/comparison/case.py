"""What is compared on one API: all its rows, and those that one change touches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from tests.examples.stubs.api import Api

Records = Iterable[tuple[str, Any]]
Keys = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Table:
    """What identifies a row: columns of the connector, and paths in the API's records.

    Attributes:
        columns: The columns.
        paths: The paths, with dots; without any, the names of the columns.
    """

    columns: tuple[str, ...] = ("id",)
    paths: tuple[str, ...] = ()

    def key(self, record: Mapping[str, Any], *, mapped: bool) -> str:
        """The key of a row, or of a record."""
        names = self.columns if mapped else self.paths or self.columns
        return "/".join(str(reduce(lambda value, name: value[name], path.split("."), record)) for path in names)


@dataclass(frozen=True)
class Case:
    """An API, and what happens there between syncs.

    Attributes:
        title: The name of the API.
        api: The stub.
        settings: The settings of a connection, without the URL.
        tables: The tables.
        keys: The keys of all rows of each table.
        change: Makes one change. Returns, for each row that it touches, a string that the row then has.
        changes: The change in words.
    """

    title: str
    api: Api
    settings: Mapping[str, str]
    tables: Mapping[str, Table]
    keys: Keys
    change: Callable[[], Mapping[tuple[str, str], str]]
    changes: str

    def missing(self, sent: Records, *, mapped: bool) -> list[str]:
        """The rows of the API that were not sent."""
        found = {(table, self.tables[table].key(record, mapped=mapped)) for table, record in sent}
        every = [(table, key) for table, keys in self.keys.items() for key in sorted(keys)]
        return [" ".join(row) for row in every if row not in found]

    def not_sent(self, sent: Records, changed: Mapping[tuple[str, str], str], *, mapped: bool) -> list[str]:
        """The rows that changed and were not sent as they are now."""
        found = {
            (table, self.tables[table].key(record, mapped=mapped)): json.dumps(record, default=str)
            for table, record in sent
        }
        return [" ".join(row) for row, text in changed.items() if text not in found.get(row, "")]
