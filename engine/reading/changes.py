"""Read strategy ``changes``: ask for what can have changed, look up what is open no more, sweep for the rest.

The whole list is read once, by the stream's own pagination. Every later pass reads the union of the queries: rows that
came to rest since the last pass, rows that are still open, rows that another list names as changed. Rows that were open
in the destination and that no query brought are looked up by their key; those that are gone are deleted. What no query
can see is found by the sweep, which looks at the whole list again, a slice each pass, within a declared time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from engine.failures import NotFound, Refused, Unauthorized
from engine.instants import parse_instant
from engine.log import Log
from engine.paging import Pagination, Walk
from engine.paging.until import UntilWalk
from engine.reading import Ask
from engine.requests import Entry, Request
from engine.spec.jsonpath import JsonPath
from engine.spec.kinds import BODY_PATH, Boolean, Duration, Integer, JsonObject, OneOrMore, Record, Spot, Text, key
from engine.spec.model import ENDPOINT, JSON_PATH, PAGINATION, READING, Document, Endpoint, Parent, Stream
from engine.spec.yaml import Place
from engine.templates import KEYS, Expected, Sent, Template, filled, pages

LOOKUP_SIZE: Final = 100  # keys to a request


@dataclass(frozen=True, kw_only=True)
class Query:
    """One question to the stream's endpoint.

    In texts of the body and the query `$since` is the start of the last complete pass, minus the overlap; `$since-7d`
    is seven days before that.
    """

    body: Mapping[str, Any] | None = key(
        JsonObject(), "What a POST request carries: the filter, and a stable sort that fits it.", default=None
    )
    query: Mapping[str, Any] = key(
        JsonObject(), "Parameters of the request's URL, besides those of the stream.", default={}
    )
    until: JsonPath | None = key(
        JSON_PATH, "Read only until this instant, by which the sort is descending, lies before $since.", default=None
    )
    moves_with: JsonPath | None = key(
        JSON_PATH,
        "An instant by which it finds rows, all that there are: a row whose cursor moved together with this instant "
        "was sent then, and the sweep does not send it again.",
        default=None,
    )
    optional: bool = key(
        Boolean(),
        "Whether a server that does not know it is read without; the sweep then finds what it would have found.",
        default=False,
    )
    pagination: Any = key(PAGINATION, "How answers are read in pages, where it is not as the api says.", default=None)
    finds: str | None = key(
        Text(),
        "Which changes it finds, in words for the reference page: runs that ended. Of alternatives one says it.",
        default=None,
    )

    def templates(self, document: Document, template: Template, place: Place) -> Iterator[Template]:
        """The requests for its answers."""
        asked = replace(template, optional=self.optional)
        if self.body is not None:
            asked = asked.sending(self.body, (*place, "body"))
        if self.query:
            asked = replace(asked, query=(*asked.query, Sent(self.query, (*place, "query"))))
        for name in ("until", "moves_with"):
            if (path := getattr(self, name)) is not None:
                asked = asked.expecting(Expected(path, (*place, name), as_="instant"))
        yield from pages(document, self.pagination, asked, (*place, "pagination"))


@dataclass(frozen=True, kw_only=True)
class Open:
    """The rows that may still change by themselves. Their keys are remembered, so that their end is not missed."""

    field: JsonPath = key(JSON_PATH, "Where a record says whether it is open.")
    values: tuple[str, ...] = key(OneOrMore(Text()), "What it says there while it is.")
    into: str = key(BODY_PATH, "Where the request's body takes these values as a filter.")
    body: Mapping[str, Any] = key(JsonObject(), "What else the request carries: a stable sort.")


@dataclass(frozen=True, kw_only=True)
class NamedBy:
    """Another list that names rows which changed. Where it is not there, or may not be read, the log says so."""

    endpoint: Endpoint = key(ENDPOINT, "What is asked for the list.")
    body: Mapping[str, Any] = key(JsonObject(), "The request's body, with `$since` as in queries.")
    records: JsonPath = key(JSON_PATH, "Where its records stand in an answer.")
    own_key: JsonPath = key(JSON_PATH, "Where each of its records has a key of its own.", name="key")
    names: JsonPath = key(JSON_PATH, "Where it names the row.")
    prefix: str = key(Text(), "What stands before the row's key in that name.", default="")
    pagination: Any = key(PAGINATION, "How its answers are read in pages.")
    finds: str | None = key(Text(), "Which changes only it finds, in words for the reference page.", default=None)

    def templates(self, document: Document, place: Place) -> Iterator[Template]:
        """The requests for the list."""
        asked = Template(
            self.endpoint,
            (*place, "endpoint"),
            records=(self.records,),
            records_place=(*place, "records"),
            expected=(Expected(self.own_key, (*place, "key")), Expected(self.names, (*place, "names"), as_="text")),
            optional=True,
        )
        yield from pages(document, self.pagination, asked.sending(self.body, (*place, "body")), (*place, "pagination"))


@dataclass(frozen=True, kw_only=True)
class Related(Parent):
    """Rows of another stream that can have changed, and what is asked for the rows that belong to them."""

    batch: int | None = key(
        Integer(1, 1000),
        "For so many of them at a time one request is made, in which each value is a list.",
        default=100,
    )
    body: Mapping[str, Any] | None = key(
        JsonObject(), "What a POST request carries, with `$name` for the values, and a stable sort.", default=None
    )
    query: Mapping[str, Any] = key(JsonObject(), "Parameters of the request's URL.", default={})


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Looking at the whole list again, for changes that no query sees."""

    every: timedelta = key(Duration(), "The whole list is looked at again within this time, a slice each sync.")
    finds: str | None = key(Text(), "Which changes no query sees, in words for the reference page.", default=None)


@READING.register("changes")
@dataclass(frozen=True, kw_only=True)
class Changes:
    """Asks for what can have changed since the last complete pass; the whole list is read once, and by the sweep."""

    queries: tuple[tuple[Query, ...], ...] = key(
        OneOrMore(OneOrMore(Record(Query))),
        "The questions whose answers together hold every change. A list in place of a question names alternatives: "
        "the first that the server knows is used. The children of a parent can do without: theirs are those of the "
        "parents that can have changed.",
        default=(),
    )
    open: Open | None = key(Record(Open), "Rows that may still change by themselves.", default=None)
    named_by: NamedBy | None = key(Record(NamedBy), "Another list that names rows which changed.", default=None)
    related: Related | None = key(
        Record(Related),
        "Another stream; the rows that belong to those of its rows that can have changed are read too.",
        default=None,
    )
    lookup: str | None = key(
        BODY_PATH, "Where the request's body takes a list of keys. open and named_by need it.", default=None
    )
    lookup_body: Mapping[str, Any] = key(JsonObject(), "What else a lookup carries: a stable sort.", default={})
    sweep: Sweep | None = key(
        Record(Sweep, shorthand="every"), "Looking at the whole list again, for what no query sees.", default=None
    )

    @staticmethod
    def check(values: dict[str, Any], spots: dict[str, Spot]) -> None:
        """Rows that are named or remembered by their key are looked up by it."""
        for name in ("open", "named_by"):
            if name in spots and "lookup" not in spots:
                spots[name].problem('needs the key "lookup": where a request takes a list of keys', at_key=True)
        for number, alternatives in enumerate(values.get("queries", ())):
            for choice, query in enumerate(alternatives):
                if query.optional and ("sweep" not in spots or choice + 1 < len(alternatives)):
                    message = f"query {number + 1}: only the last alternative can be optional, and only with a sweep"
                    spots["queries"].problem(message, at_key=True)

    def templates(self, document: Document, stream: Stream, template: Template, place: Place) -> Iterator[Template]:
        """The queries, the open rows, the list that names rows, and the lookup."""
        for number, alternatives in enumerate(self.queries):
            for choice, query in enumerate(alternatives):
                several = ((*place, "queries", number), choice + 1) if len(alternatives) > 1 else None
                asked = replace(template, alternative=several or template.alternative)
                yield from query.templates(document, asked, (*place, "queries", number, choice))
        if self.open is not None:
            here = (*place, "open")
            asked = template.sending(self.open.body, (*here, "body"))
            asked = asked.putting(self.open.into, list(self.open.values), (*here, "into"))
            yield from pages(document, None, asked.expecting(Expected(self.open.field, (*here, "field"))), here)
        if self.named_by is not None:
            yield from self.named_by.templates(document, (*place, "named_by"))
        if self.related is not None:
            here = (*place, "related")
            asked = replace(template, query=(Sent(filled(self.related.query, self.related), (*here, "query")),))
            if self.related.body is not None:
                asked = asked.sending(filled(self.related.body, self.related), (*here, "body"))
            yield from pages(document, None, asked, here)
        if self.lookup is not None:
            asked = template.sending(self.lookup_body, (*place, "lookup_body"))
            asked = asked.putting(self.lookup, list(KEYS), (*place, "lookup"))
            yield from pages(document, None, asked, place)

    def is_open(self, record: Mapping[str, Any]) -> bool:
        """Whether a record may still change by itself."""
        return self.open is not None and self.open.field.get(record) in self.open.values

    def was_found(
        self, overlap: timedelta, known: Mapping[int, int]
    ) -> Callable[[Mapping[str, Any], datetime | None], bool]:
        """Tells of a record and its cursor whether a query has found the change that put the cursor where it is.

        It has, when the instant that the query goes by moved together with the cursor. A tenth of the overlap counts as
        together; the rest of it is left for changes that become visible late.

        Args:
            overlap: How far before the last pass each one looks.
            known: By the number of a query, which of its alternatives the server was found to know.
        """
        named = {self.queries[number][choice].moves_with for number, choice in known.items()}
        paths = [path for path in named if path is not None]
        span = overlap / 10
        return lambda record, cursor: (
            cursor is not None and any(_together(cursor, path.get(record), span) for path in paths)
        )


def _together(cursor: datetime, value: Any, span: timedelta) -> bool:
    try:
        return isinstance(value, str) and abs(cursor - parse_instant(value)) <= span
    except (ValueError, OverflowError):
        return False


Read = Callable[[Ask], Iterator[Sequence[Entry]]]


@dataclass(frozen=True)
class Gone:
    """The key of a row that was open in the destination and that the server has no more."""

    key: str


class ChangesPass:
    """One pass: which lists to read, and what their answers mean. Reading them is left to the caller.

    Args:
        stream: The stream, whose ``read`` is this strategy.
        key: Gives the key of a record.
        pagination: How answers are read in pages where the options do not say.
        since: The start of the last complete pass minus the overlap.
        was_open: The keys of rows that the destination has as open.
        known: By the number of a query, which of its alternatives the server knows; filled in as it is found out, and
            kept by the caller as long as the server is taken to be the same.
        log: Takes what is done without.
        seen: Takes the keys of the entries that were brought.
    """

    def __init__(
        self,
        stream: Stream,
        key: Callable[[Mapping[str, Any]], Hashable],
        pagination: Pagination,
        since: datetime,
        was_open: Iterable[str],
        known: dict[int, int],
        log: Log,
        seen: set[Hashable] | None = None,
    ) -> None:
        self._style: Changes = stream.read
        self._stream = stream
        self._key = key
        self._pagination = pagination
        self._since = since
        self._was_open = set(was_open)
        self._known = known
        self._log = log
        self._seen: set[Hashable] = set() if seen is None else seen

    def run(
        self,
        read: Read,
        children: Iterable[Sequence[Entry]] = (),
        again_since: Callable[[], datetime | None] | None = None,
    ) -> Iterator[Sequence[Entry] | Gone]:
        """The entries that can have changed, page by page and each once, and the open rows that are gone.

        A row can pass between the lists while they are read: open when it was looked for among those at rest, and at
        rest when among the open ones. It has changed then, so the next pass brings it; but not what belongs to it and
        changed before. Where that is wanted, the queries are asked a second time.

        Args:
            read: Reads a list.
            children: The entries that belong to rows of another stream which can have changed.
            again_since: Where what belongs to the entries is wanted: gives the start of this pass minus the overlap, or
                None where the server does not say.
        """
        yield from self._fresh(children)
        yield from self._queried(read, self._since)
        if (opened := self._style.open) is not None:
            request = self._request(opened.body).with_at({opened.into: [*opened.values]})
            yield from self._fresh(read(self._ask(request)))
        if again_since is not None and len(self._style.queries) + (opened is not None) > 1:
            yield from self._queried(read, again_since() or self._since)
        wanted = [k for k in sorted(self._was_open) if (k,) not in self._seen]
        wanted += [k for k in self._named(read) if (k,) not in self._seen and k not in self._was_open]
        for at in range(0, len(wanted), LOOKUP_SIZE):
            yield from self._look_up(read, wanted[at : at + LOOKUP_SIZE])

    def _fresh(self, pages: Iterable[Sequence[Entry]]) -> Iterator[Sequence[Entry]]:
        for entries in pages:
            fresh = [entry for entry in entries if entry[0] not in self._seen]
            self._seen.update(k for k, _ in fresh)
            yield fresh

    def _tell(self, line: str) -> None:
        self._log.info(f"{self._stream.name}: {line}")

    def _request(self, body: Mapping[str, Any] | None, query: Mapping[str, Any] | None = None) -> Request:
        endpoint = self._stream.endpoint
        assert endpoint is not None  # the spec demands one for everything that is asked
        return Request(endpoint, {**(self._stream.query or {}), **(query or {})}, body)

    def _ask(self, request: Request) -> Ask:
        return self._ask_along(self._pagination.walk(request))

    def _ask_along(self, walk: Walk) -> Ask:
        return Ask(walk, self._stream.records or (), self._key)

    def _queried(self, read: Read, since: datetime) -> Iterator[Sequence[Entry]]:
        """What the queries bring, each by the first of its alternatives that the server knows."""
        for number in range(len(self._style.queries)):
            yield from self._fresh(self._first_known(read, number, since))

    def _first_known(self, read: Read, number: int, since: datetime) -> Iterator[Sequence[Entry]]:
        alternatives = self._style.queries[number]
        for at in range(self._known.get(number, 0), len(alternatives)):
            query = alternatives[at]
            request = self._request(query.body, query.query).filled({"since": since})
            walk = (query.pagination or self._pagination).walk(request)
            pages = read(self._ask_along(walk if query.until is None else UntilWalk(walk, query.until, since)))
            try:
                first = next(pages, ())
            except (Refused, NotFound):
                if query.optional:
                    self._tell(f"the server does not know query {number + 1}; the sweep finds what it would have found")
                    return
                if at + 1 == len(alternatives):
                    raise
                self._tell(f"the server does not know alternative {at + 1} of {len(alternatives)}; trying the next")
                continue
            self._known[number] = at
            yield first
            yield from pages
            return

    def _named(self, read: Read) -> list[str]:
        """The keys of rows that the other list names, each once, in its order."""
        by = self._style.named_by
        if by is None:
            return []
        request = Request(by.endpoint, {}, by.body).filled({"since": self._since})
        names: dict[str, None] = {}
        answered = False
        try:
            for entries in read(Ask(by.pagination.walk(request), (by.records,), by.own_key.get)):
                answered = True
                for _, record in entries:
                    name = by.names.get(record)
                    if isinstance(name, str) and name.startswith(by.prefix):
                        names[name.removeprefix(by.prefix)] = None
        except NotFound:
            if answered:
                raise
            self._tell(f"the server has no {by.endpoint}; changes that only it names are found by the sweep")
        except (Refused, Unauthorized) as failure:
            if answered or (isinstance(failure, Unauthorized) and failure.status != 403):
                raise
            self._log.warning(
                f"{self._stream.name}: read without {by.endpoint}; changes that only it names are found by the sweep. "
                f"{failure}"
            )
        return list(names)

    def _look_up(self, read: Read, keys: Sequence[str]) -> Iterator[Sequence[Entry] | Gone]:
        assert self._style.lookup is not None  # the spec demands it
        request = self._request(self._style.lookup_body).with_at({self._style.lookup: list(keys)})
        yield from self._fresh(read(self._ask(request)))
        for k in keys:
            if (k,) not in self._seen and k in self._was_open:
                yield Gone(k)
