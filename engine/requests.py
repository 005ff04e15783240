"""What is asked of an API and what comes back, as plain values: no room but http/ touches the wire.

The Fivetran CLI's dependency check asks the package registry about every imported package that it cannot find on disk,
"requests" among them although Fivetran preinstalls it. A module of the project by that name spares that question, which
costs 12 seconds at every ``fivetran debug`` without internet.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from engine.declare.types import PATH_VALUE, Endpoint
from engine.declare.values import DURATION, duration
from engine.failures import NotFound
from engine.instants import format_instant

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """One request of the API. ``body`` is sent as JSON, and not at all when it is None."""

    endpoint: Endpoint
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    def with_values(self, values: Mapping[str, Any]) -> Request:
        """The same request with these top-level values in its body (POST) or its query (GET)."""
        if self.endpoint.method == "POST":
            return replace(self, body={**(self.body or {}), **values})
        return replace(self, query={**self.query, **values})

    def with_at(self, values: Mapping[str, Any]) -> Request:
        """The same request with values at paths with dots in its body (POST), or as URL parameters (GET)."""
        if self.endpoint.method == "POST":
            return self.with_values(put(self.body, values))
        return self.with_values(values)

    def filled(self, values: Mapping[str, Any]) -> Request:
        """The same request with values in the place of their names; see :func:`fill`."""
        path = self.endpoint.path
        for name in PATH_VALUE.findall(path):
            path = path.replace(f"{{{name}}}", quote(str(values[name]), safe=""))
        endpoint = self.endpoint if path == self.endpoint.path else replace(self.endpoint, path=path)
        return Request(endpoint, fill(self.query, values), fill(self.body, values))

    def __str__(self) -> str:
        values = {**self.query, **(self.body or {})}
        shown = ", ".join(f"{name}={value!r}" for name, value in values.items() if not isinstance(value, (dict, list)))
        return f"{self.endpoint} ({shown})" if shown else str(self.endpoint)


KeyedRecord = tuple[Hashable, Record]
"""A record after its primary key."""


@dataclass(frozen=True)
class Page:
    """The records of one answer with their keys, in the server's order, and the answer as a whole.

    ``next_link``: where its Link header says that the next page is.
    """

    records: Sequence[KeyedRecord]
    document: Any = None
    next_link: str | None = None


@dataclass(frozen=True)
class Response:
    """What a server said. ``asked_at`` is the instant of asking by the server's own clock, None if it sent no date.

    ``next_link``: where its Link header says that the next page is. ``missing``: it said "not found", where it may.
    """

    value: Any
    asked_at: datetime | None
    next_link: str | None = None
    missing: NotFound | None = None


_NAME: Final = re.compile(rf"\$([a-z][a-z0-9_]*)(?:-({DURATION}))?")


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """A body or a query whose texts ``$name`` are replaced by the value of that name, whatever its type.

    Instants are written out; ``$since-7d`` is seven days before the instant ``since``. Other texts stay.
    """
    if isinstance(template, Mapping):
        return {name: fill(inner, values) for name, inner in template.items()}
    if isinstance(template, list):
        return [fill(inner, values) for inner in template]
    match = _NAME.fullmatch(template) if isinstance(template, str) else None
    if match is None or match[1] not in values:
        return template
    value, before = values[match[1]], match[2]
    if isinstance(value, datetime):
        return format_instant(value - duration(before) if before else value)
    return template if before else value


def put(body: Mapping[str, Any] | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """The top-level keys of a body that change when values are put at paths with dots; the body itself stays."""
    changed: dict[str, Any] = {}
    for path, value in values.items():
        first, *steps = path.split(".")
        if first not in changed:
            changed[first] = (body or {}).get(first)
        if not steps:
            changed[first] = value
            continue
        changed[first] = inner = dict(changed[first] or {})
        for step in steps[:-1]:
            inner[step] = dict(inner.get(step) or {})
            inner = inner[step]
        inner[steps[-1]] = value
    return changed
