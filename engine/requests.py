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
from urllib.parse import unquote, urljoin

from engine.declare.types import Endpoint
from engine.failures import DeclaredAnswer, NotFound
from engine.instants import format_instant
from engine.variables import Spelling, Variable, fill, fill_path, variables_in

Record = Mapping[str, Any]

_LONG: Final = 60  # characters of a string that a message repeats


@dataclass(frozen=True)
class Request:
    """A request to the API. ``body`` is sent as JSON; with None, no body is sent.

    ``headers``: its own, beside those of the stream and the API. ``values``: those of the variables in its path, query,
    body and headers; None once they are written out. ``spelling``: how the instants among them are sent.
    ``past_the_end``: the statuses that say that the list ends before this page. ``base_url``: what its path is appended
    to, if that is not the base URL of the API.
    """

    endpoint: Endpoint
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    values: Mapping[str, Any] | None = field(default_factory=dict)
    spelling: Spelling = field(default=format_instant, repr=False)
    past_the_end: tuple[int, ...] = ()
    base_url: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)

    def bind(self, values: Mapping[str, Any]) -> Request:
        """The request with values for more of its variables. Those that are None have none."""
        return replace(self, values={**(self.values or {}), **values})

    def with_keys(self, keys: Mapping[str, Any]) -> Request:
        """The request with these top-level keys in its body (POST) or its query (GET)."""
        if self.endpoint.method == "POST":
            return replace(self, body={**(self.body or {}), **keys})
        return replace(self, query={**self.query, **keys})

    def merged(self, body: Mapping[str, Any] | None, query: Mapping[str, Any]) -> Request:
        """The request with these keys in its body and in its query, in place of its own."""
        return replace(self, query={**self.query, **query}, body={**(self.body or {}), **body} if body else self.body)

    @property
    def variables(self) -> Sequence[Variable]:
        """The variables in its path, query, body and headers."""
        if self.values is None:
            return ()
        return [*variables_in([self.endpoint.path, self.query, self.body, self.headers])]

    def uses(self, name: str) -> bool:
        """Whether a variable of this name is in it."""
        return any(variable.name == name for variable in self.variables)

    @property
    def address(self) -> Endpoint:
        """The endpoint with values in place of the variables in its path."""
        if self.values is None:
            return self.endpoint
        path = fill_path(self.endpoint.path, self.values, self.spelling)
        return self.endpoint if path == self.endpoint.path else replace(self.endpoint, path=path)

    def written_out(self) -> Request:
        """The request as it is sent: with values in place of its variables."""
        if self.values is None:
            return self
        query, body, headers = (
            fill(template, self.values, self.spelling) for template in (self.query, self.body, self.headers)
        )
        return replace(self, endpoint=self.address, query=query, body=body, headers=headers, values=None)

    def __str__(self) -> str:
        written = self.written_out()
        values = {**written.query, **(written.body or {})}
        shown = ", ".join(
            f"{name}={_shown(value)}" for name, value in values.items() if not isinstance(value, (dict, list))
        )
        return f"{written.endpoint} ({shown})" if shown else str(written.endpoint)


def _shown(value: Any) -> str:
    """A value in a message. A long string is not repeated: half of it could hold half of a secret."""
    return f"({len(value):,} characters)" if isinstance(value, str) and len(value) > _LONG else repr(value)


def url_below(base_url: str, endpoint: Endpoint) -> str | None:
    """The URL of an endpoint, without a query; None if its path goes above the root of the server.

    >>> url_below("http://host/api/a/b", Endpoint("GET", "/c")), url_below("http://host/api/a/b", Endpoint("GET", ".."))
    ('http://host/api/a/b/c', 'http://host/api/a')
    """
    path = endpoint.path
    if not endpoint.goes_up:
        return f"{base_url.rstrip('/')}/{path.removeprefix('/')}"
    server, *segments = re.split("/+", base_url.rstrip("/").replace("://", ":", 1))
    if path.split("/").count("..") > len(segments):
        return None
    url = urljoin("/".join([server.replace(":", "://", 1), *segments, ""]), path)
    return url if path.endswith("/") else url.rstrip("/")


def leaves_its_segment(value: str) -> bool:
    """Whether a value would lead to another place than its segment of a path, on a server or proxy that decodes it.

    Prefect 3.9.1 serves a pool named ``..`` at ``%2E%2E``, and even at ``..`` itself. But proxies resolve both, so
    whether such a value stays in its place is not up to the client.

    >>> [leaves_its_segment(value) for value in ("", "..", "a/../b", "%2e%2E", "a.b", "...", "a/b")]
    [True, True, True, True, False, False, False]
    """
    decoded = value
    for _ in range(3):  # some proxies decode a path more than once
        decoded = unquote(decoded)
    return bool({".", ".."} & {*re.split(r"[/\\]", value), *re.split(r"[/\\]", decoded)}) or not value


def leaves_its_place(path: str, values: Mapping[str, Any]) -> bool:
    """Whether one of the values that a path is filled with would lead to another place.

    >>> [leaves_its_place("/$(+parent.name)/tags", {"parent": {"name": name}}) for name in ("a/b", "a/../b", "a//b")]
    [False, True, True]
    """
    for variable in variables_in(path):
        value = variable.value(values)
        segments = str(value).split("/") if variable.keeps_slashes else [str(value)]
        if value is not None and any(map(leaves_its_segment, segments)):
            return True
    return False


KeyedRecord = tuple[Hashable, Record]
"""A primary key and its record."""


@dataclass(frozen=True)
class Page:
    """The records of one response with their keys, in the server's order.

    ``document``: the whole response. ``next_link``: the URL of the next page in its Link header. ``asked_at``: when it
    was requested, by the server's clock; None if that is unknown. ``url``: where it was requested, without the query.
    ``is_secret``: whether a string has a secret of the configuration in it, so that it must not be kept. ``headers``:
    those of the response. ``is_past_the_end``: whether the server rejected it because the list ends before it.
    """

    records: Sequence[KeyedRecord]
    document: Any = None
    next_link: str | None = None
    asked_at: datetime | None = None
    url: str = ""
    is_secret: Callable[[str], bool] = field(default=lambda text: False, repr=False, compare=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_past_the_end: bool = False


@dataclass(frozen=True)
class Response:
    """A decoded response.

    ``requested_at``: when it was requested, by the server's clock; None if no response had a Date header so far.
    ``next_link``: the URL of the next page in its Link header. ``headers``: all its headers. ``unread``: set if the
    request was for a list that cannot be read and need not be: why. ``is_past_the_end``: whether it was for a page
    past the last one.
    """

    value: Any
    requested_at: datetime | None
    next_link: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    unread: NotFound | DeclaredAnswer | None = None
    is_past_the_end: bool = False
