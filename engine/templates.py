"""What streams.yaml makes the engine ask, as declared: every form of request of a stream, before there is any row.

The tools that hold a streams.yaml against an API walk over these. A pagination style or read strategy tells the forms
of its requests by a method ``templates``, so that the walk knows none of them by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, runtime_checkable

from engine.requests import fill, put
from engine.spec.jsonpath import JsonPath, compile_path
from engine.spec.model import Document, Endpoint, Parent, Stream
from engine.spec.yaml import Place

INSTANT: Final = "$since"
"""Stands for an instant that only a sync knows."""

KEYS: Final = ("00000000-0000-0000-0000-000000000000",)
"""Stands for primary keys that only a sync knows."""


ANSWER: Final = compile_path("$")


@dataclass(frozen=True)
class Sent:
    """Values that a request carries, and the place that declares them.

    ``spelt`` says whether the file spells out their keys below that place; otherwise the place names them all.
    """

    values: Mapping[str, Any]
    place: Place
    spelt: bool = True


@dataclass(frozen=True)
class Expected:
    """A JSONPath that the engine follows in an answer, and the place that declares it.

    ``of`` says in what: each "record", or the "answer" as a whole. ``as_`` says what must stand there: "instant",
    "number", "text", or "any".
    """

    path: JsonPath
    place: Place
    as_: str = "any"
    of: str = "record"


@dataclass(frozen=True)
class Template:
    """One form of request.

    Attributes:
        endpoint: What is asked.
        place: The place that declares the endpoint.
        sent: What the body of a POST request carries, or the query of a GET request.
        query: What the URL carries whatever the method is.
        records: Where the list of records stands in the answer; none where the answer has no records.
        one_record: Whether it is no list that stands there, but one record.
        records_place: The place that declares it.
        expected: The paths that are followed in the answer.
        alternative: Where requests are alternatives of each other: the place of them all, and the number of this one.
        optional: The sync goes on without, where a server does not know this request.
    """

    endpoint: Endpoint
    place: Place
    sent: tuple[Sent, ...] = ()
    query: tuple[Sent, ...] = ()
    records: tuple[JsonPath, ...] = ()
    records_place: Place = ()
    one_record: bool = False
    expected: tuple[Expected, ...] = ()
    alternative: tuple[Place, int] | None = None
    optional: bool = False

    def sending(self, values: Mapping[str, Any], place: Place) -> Template:
        """The same with values whose keys the file spells out below a place."""
        return replace(self, sent=(*self.sent, Sent(values, place)))

    def putting(self, path: str, value: Any, place: Place) -> Template:
        """The same with a value at a path with dots, which a place names."""
        return replace(self, sent=(*self.sent, Sent(put({}, {path: value}), place, spelt=False)))

    def expecting(self, *expected: Expected) -> Template:
        """The same with more paths to follow."""
        return replace(self, expected=(*self.expected, *expected))


@runtime_checkable
class PagesTold(Protocol):
    """A pagination style that tells the forms of its requests."""

    def templates(self, template: Template, place: Place) -> Iterator[Template]:
        """Every form that the request takes on its way through the pages. ``place`` declares the style."""


@runtime_checkable
class ReadsTold(Protocol):
    """A read strategy that tells the forms of its requests."""

    def templates(self, document: Document, stream: Stream, template: Template, place: Place) -> Iterator[Template]:
        """Every form of request besides those for the whole list.

        ``template`` asks the stream's endpoint and carries its query, but not its body. ``place`` is the strategy's.
        """


def pages(document: Document, style: Any, template: Template, place: Place) -> Iterator[Template]:
    """The forms of a paged request; just the request itself where the style does not tell.

    Args:
        document: Its api says how to page where ``style`` is None.
        style: A pagination style.
        template: The request.
        place: Where the style is declared, if it is not the api's.
    """
    if style is None or style is document.api.pagination:
        style, place = document.api.pagination, ("api", "pagination")
    if isinstance(style, PagesTold):
        yield from style.templates(template, place)
    else:
        yield template


def templates(document: Document, stream: Stream) -> Iterator[Template]:
    """Every form of request that a stream makes: for its whole list, for the number of its rows, for its changes."""
    if stream.endpoint is None:
        return  # nothing is asked: the parent's records hold the rows
    here: Place = ("streams", stream.name)
    own_records = stream.records is not document.api.records
    base = Template(
        stream.endpoint,
        (*here, "endpoint"),
        query=(Sent(filled(stream.query, stream.parent), (*here, "query")),) if stream.query else (),
        records=stream.records or (),
        records_place=(*here, "records") if own_records else ("api", "records"),
    )
    whole = base.sending(filled(stream.body, stream.parent), (*here, "body")) if stream.body else base
    styles = stream.pagination or ()
    for number, style in enumerate(styles):
        place: Place = (*here, "pagination") if len(styles) == 1 else (*here, "pagination", number)
        several = ((*here, "pagination"), number + 1) if len(styles) > 1 else None
        yield from pages(document, style, replace(whole, alternative=several), place)
    if stream.count is not None:
        count = Expected(ANSWER, (*here, "count"), as_="number", of="answer")
        yield Template(stream.count, (*here, "count")).expecting(count)
    if isinstance(stream.read, ReadsTold):
        yield from stream.read.templates(document, stream, base, (*here, "read"))


def filled(template: Mapping[str, Any], parent: Parent | None) -> Mapping[str, Any]:
    """A body or query with values of the kind that a sync takes from the parent's rows."""
    if parent is None:
        return template
    values = {name: list(KEYS) if parent.batch else KEYS[0] for name in parent.values}
    found: Mapping[str, Any] = fill(template, values)
    return found


def untold(stream: Stream) -> list[str]:
    """The parts of a stream whose requests are not told, hence not checked: a sentence about each."""
    found = []
    for style in stream.pagination or ():
        if stream.endpoint is not None and not isinstance(style, PagesTold):
            found.append(f"the requests of the pagination {type(style).__name__} after the first are not checked")
    if stream.read is not None and not isinstance(stream.read, ReadsTold):
        found.append(f"the requests of the read strategy {type(stream.read).__name__} are not checked")
    return found
