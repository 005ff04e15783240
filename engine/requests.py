"""Requests and responses as plain values. Only engine/http touches the network.

The Fivetran CLI's dependency check looks up every imported package that it does not find on disk in the package
registry. "requests" is among them, although Fivetran preinstalls it. A module of the project with that name saves the
lookup, which costs 12 seconds at every ``fivetran debug`` without internet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, unquote

from engine.declare.types import PATH_VALUE, Endpoint
from engine.declare.values import DURATION, duration
from engine.failures import DeclaredAnswer, NotFound
from engine.instants import format_instant, shifted

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """A request to the API. ``body`` is sent as JSON; with None, no body is sent."""

    endpoint: Endpoint
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    def with_values(self, values: Mapping[str, Any]) -> Request:
        """The request with these top-level values in its body (POST) or its query (GET)."""
        if self.endpoint.method == "POST":
            return replace(self, body={**(self.body or {}), **values})
        return replace(self, query={**self.query, **values})

    def with_at(self, values: Mapping[str, Any]) -> Request:
        """The request with values at dotted paths in its body (POST), or as query parameters (GET)."""
        if self.endpoint.method == "POST":
            return self.with_values(put(self.body, values))
        return self.with_values(values)

    def filled(self, values: Mapping[str, Any]) -> Request:
        """The request with values in place of their names, in its path, query and body; see :func:`fill`."""
        path = self.endpoint.path
        for name in PATH_VALUE.findall(path):
            path = path.replace(f"{{{name}}}", quote(str(values[name]), safe=""))
        endpoint = self.endpoint if path == self.endpoint.path else replace(self.endpoint, path=path)
        return Request(endpoint, fill(self.query, values), fill(self.body, values))

    def __str__(self) -> str:
        values = {**self.query, **(self.body or {})}
        shown = ", ".join(f"{name}={value!r}" for name, value in values.items() if not isinstance(value, (dict, list)))
        return f"{self.endpoint} ({shown})" if shown else str(self.endpoint)


def leaves_its_segment(value: str) -> bool:
    """Whether a value would lead to another place than its segment of a path, on a server or proxy that decodes it.

    >>> [leaves_its_segment(value) for value in ("", "..", "a/../b", "%2e%2E", "a.b", "...", "a/b")]
    [True, True, True, True, False, False, False]
    """
    decoded = value
    for _ in range(3):  # some proxies decode a path more than once
        decoded = unquote(decoded)
    return bool({".", ".."} & {*re.split(r"[/\\]", value), *re.split(r"[/\\]", decoded)}) or not value


KeyedRecord = tuple[Hashable, Record]
"""A primary key and its record."""


@dataclass(frozen=True)
class Page:
    """The records of one response with their keys, in the server's order.

    ``document``: the whole response. ``next_link``: the URL of the next page in its Link header. ``asked_at``: when it
    was requested, by the server's clock; None if that is unknown. ``url``: where it was requested, without the query.
    ``is_secret``: whether a string has a secret of the configuration in it, so that it must not be kept.
    """

    records: Sequence[KeyedRecord]
    document: Any = None
    next_link: str | None = None
    asked_at: datetime | None = None
    url: str = ""
    is_secret: Callable[[str], bool] = field(default=lambda text: False, repr=False, compare=False)


@dataclass(frozen=True)
class Response:
    """A decoded response.

    ``requested_at``: when it was requested, by the server's clock; None if no response had a Date header so far.
    ``next_link``: the URL of the next page in its Link header. ``unread``: set if the request was for a list that
    cannot be read and need not be: why.
    """

    value: Any
    requested_at: datetime | None
    next_link: str | None = None
    unread: NotFound | DeclaredAnswer | None = None


_NAME: Final = re.compile(rf"\$([a-z][a-z0-9_]*)(?:-({DURATION}))?")


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """A body or a query in which strings ``$name`` are replaced by the value of that name, whatever its type.

    Instants become ISO 8601 strings; ``$since-7d`` is seven days before the instant ``since``. Other strings stay.
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
        return format_instant(shifted(value, -duration(before)) if before else value)
    return template if before else value


def put(body: Mapping[str, Any] | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """The top-level keys of a body that change when values are put at dotted paths. The body itself is not modified."""
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
