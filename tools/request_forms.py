"""Every form of request that a stream sends, derived from streams.yaml alone, before any row is read.

`check` compares these with the API's OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from engine.declare.response import ResponsePlace
from engine.declare.types import Endpoint
from engine.instants import EPOCH, format_instant
from engine.jsonpath import JsonPath, Steps, compile_path, leading_steps
from engine.pagination import Pagination
from engine.pagination.keyset import Keyset
from engine.pagination.offset import Offset
from engine.pagination.single import Single
from engine.pagination.token import Token
from engine.reading.source import spelling
from engine.requests import Request
from engine.spec.dialect import ChangeFeed, Count, Fallback, Incremental, Lookup, Parent, Query, Related, Spec, Stream
from engine.spec.records import WHOLE, Records
from engine.variables import Spelling, fill, variables_in
from tools.checking.findings import Place

INSTANT: Final = EPOCH
"""A sample of the instants that a sync sends."""

KEYS: Final = ("00000000-0000-0000-0000-000000000000",)
"""A sample of the primary keys that a sync sends."""

RESPONSE: Final = compile_path("$")

ExpectedType = Literal["any", "boolean", "instant", "integer", "string", "token", "total"]


@dataclass(frozen=True)
class SentValues:
    """Values that a request sends, and the place that spells out their keys."""

    values: Mapping[str, Any]
    place: Place


@dataclass(frozen=True)
class ListedValues:
    """Values of a list in a request: where they are in what is written out, where the file lists them, and how many."""

    at: Place
    place: Place
    count: int


@dataclass(frozen=True)
class ExpectedPath:
    """A JSONPath that a sync follows, the place that declares it, and the type of the value at its end.

    ``scope``: the path starts at each record, or at the response.
    """

    path: JsonPath
    place: Place
    type: ExpectedType = "any"
    scope: Literal["record", "response"] = "record"


@dataclass(frozen=True)
class RequestForm:
    """One form of request.

    Attributes:
        endpoint: The endpoint.
        place: The place that declares the endpoint.
        sent: The values in the body of a POST request, or in the query of a GET request.
        query: The values in the query of the URL, whatever the method.
        records: Where the records are in the response; None if the response has no records.
        records_place: The place that declares them.
        one_record: Whether the path leads to a single record rather than a list.
        expected: The paths that a sync follows in the response.
        alternative: If only one of several requests is sent: the place that declares them all, and the number of this.
        optional: Whether a sync continues without this request if the server rejects it.
        reads_whole_list: Whether this reads the whole list at each sync, so that its order matters little.
        listed: Values in the request that the file lists elsewhere; a sync leaves out those that the server rejects.
        spelling: How the request has instants.
    """

    endpoint: Endpoint
    place: Place
    sent: tuple[SentValues, ...] = ()
    query: tuple[SentValues, ...] = ()
    records: Records | None = None
    records_place: Place = ()
    one_record: bool = False
    expected: tuple[ExpectedPath, ...] = ()
    alternative: tuple[Place, int] | None = None
    optional: bool = False
    reads_whole_list: bool = False
    listed: ListedValues | None = None
    spelling: Spelling = format_instant

    def writing(
        self, body: Mapping[str, Any] | None, query: Mapping[str, Any], place: Place, samples: Mapping[str, Any]
    ) -> RequestForm:
        """The form with a body and a query that the file writes out at a place, with samples for their variables."""
        sent, asked = (fill(template, samples, self.spelling) for template in (body or {}, query))
        return replace(
            self,
            sent=(*self.sent, SentValues(sent, (*place, "body"))) if sent else self.sent,
            query=(*self.query, SentValues(asked, (*place, "query"))) if asked else self.query,
        )

    def sending(self, values: Mapping[str, Any], place: Place) -> RequestForm:
        """The form with values that a style adds: to the body of a POST, or to the query of a GET."""
        if not values:
            return self
        if self.endpoint.method == "POST":
            return replace(self, sent=(*self.sent, SentValues(values, place)))
        return replace(self, query=(*self.query, SentValues(values, place)))

    def expecting(self, *expected: ExpectedPath) -> RequestForm:
        """The form with more paths to follow."""
        return replace(self, expected=(*self.expected, *expected))


def request_forms(spec: Spec, stream: Stream) -> Iterator[RequestForm]:
    """Every form of request that a stream sends: for its whole list, its count, and its changes; each once."""
    found: list[RequestForm] = []
    for form in _request_forms(spec, stream):
        if form not in found:
            found.append(form)
    yield from found


def _request_forms(spec: Spec, stream: Stream) -> Iterator[RequestForm]:
    if stream.endpoint is None:
        return  # the parent's records hold the rows
    here: Place = ("streams", stream.name)
    own_records = stream.records is not spec.api.records
    base = RequestForm(
        stream.endpoint,
        (*here, "endpoint"),
        records=stream.records,
        records_place=(*here, "records") if own_records else ("api", "records"),
        spelling=spelling(spec, stream),
    )
    written = _Written(stream.body, stream.query or {}, here, _parents(stream.parent, stream.body, stream.query))
    whole = replace(base, reads_whole_list=stream.sync_mode == "full_refresh")
    styles = stream.pagination
    for number, style in enumerate(styles):
        place: Place = (*here, "pagination") if len(styles) == 1 else (*here, "pagination", number)
        several = ((*here, "pagination"), number + 1) if len(styles) > 1 else None
        yield from _paged(spec, style, replace(whole, alternative=several), [written], place)
    if stream.count is not None:
        yield from _of_count(stream.count, (*here, "count"))
    if stream.incremental is not None:
        own = _Written(None, stream.query or {}, here, {})
        yield from _of_changes(spec, stream, stream.incremental, base, own)


def _of_count(count: Count, place: Place) -> Iterator[RequestForm]:
    """The count of the whole list and, if that can be asked for, of a part of it."""
    samples: list[Mapping[str, Any]] = [{}]
    if any(one.name in ("from", "to") for one in variables_in([count.query, count.body])):
        samples.append({"from": INSTANT, "to": INSTANT})
    for bounds in samples:
        form = RequestForm(count.endpoint, (*place, "endpoint"), optional=True)
        form = form.writing(count.body, count.query, place, bounds)
        if count.header is None:
            form = form.expecting(ExpectedPath(count.path, (*place, "path"), type="integer", scope="response"))
        yield form


def paging_keys(spec: Spec, endpoint: Endpoint) -> Sequence[str]:
    """The names of the values that the api's pagination sends to an endpoint."""
    forms = _paged(spec, None, RequestForm(endpoint, ()), [], ())
    return list(dict.fromkeys(name for form in forms for sent in (*form.sent, *form.query) for name in sent.values))


@dataclass(frozen=True)
class _Written:
    """A body and a query that the file writes out at a place, and samples for its variables."""

    body: Mapping[str, Any] | None
    query: Mapping[str, Any]
    place: Place
    samples: Mapping[str, Any]


def _parents(parent: Parent | Related | None, *templates: Any) -> Mapping[str, Any]:
    """A sample of what a parent's record stands for in a request: a record that has a key wherever one is wanted."""
    if parent is None:
        return {}
    record: dict[str, Any] = {}
    for variable in variables_in(list(templates)):
        if variable.path is not None:
            _put(record, leading_steps(variable.path.text)[0])
    return {parent.variable: [record] if parent.batch else record}


def _put(record: dict[str, Any], steps: Steps) -> None:
    for step in steps[:-1]:
        record = record.setdefault(str(step), {})
    if steps:
        record[str(steps[-1])] = KEYS[0]


# --- pages -----------------------------------------------------------------------------------------------------------


def _paged(
    spec: Spec, style: Pagination | None, form: RequestForm, written: Sequence[_Written], place: Place
) -> Iterator[RequestForm]:
    """The forms of a paged request.

    Args:
        spec: Its api has the pagination style if ``style`` is None.
        style: A pagination style.
        form: The request, without what is written out.
        written: What is written out, for the first page and all others.
        place: The place that declares the style, unless it is the api's.
    """
    if style is None or style is spec.api.pagination:
        style, place = spec.api.pagination, ("api", "pagination")
    yield from _of_style(style, form, written, place, {})


def _of_style(
    style: Pagination, form: RequestForm, written: Sequence[_Written], place: Place, bounds: Mapping[str, Any]
) -> Iterator[RequestForm]:
    """The forms of a request in one style. ``bounds``: of the part of the list that is read."""
    form = form.expecting(*_expected(style, place))
    if isinstance(style, Single):
        form = replace(form, one_record=style.one_record)
    if isinstance(style, Token) and style.endpoint is not None:
        yield _page(style, form, written, place, bounds, own=False)
        following = replace(form, endpoint=style.endpoint, place=(*place, "endpoint"))
        yield following.writing(style.body, style.query, place, {"token": "token", "size": style.page_size})
        return
    for samples in _pages(style):
        yield _page(style, form, written, place, {**bounds, **samples})
    if isinstance(style, Keyset) and style.tie_breaker is not None:
        keyset = _Written(style.body, style.query, place, {})
        tie = _Written(style.tie_breaker.body, style.tie_breaker.query, (*place, "tie_breaker"), {})
        inner = place if style.tie_breaker.pagination is None else (*place, "tie_breaker", "pagination")
        one_instant = {"from": INSTANT, "to": INSTANT}
        yield from _of_style(style.tie_pagination, form, [*written, keyset, tie], inner, one_instant)


def _page(
    style: Pagination,
    form: RequestForm,
    written: Sequence[_Written],
    place: Place,
    samples: Mapping[str, Any],
    *,
    own: bool = True,
) -> RequestForm:
    """One page of a list: what is written out, and what the style adds if ``own``."""
    if own:
        written = [*written, _Written(style.body, style.query, place, {})]
    merged = Request(form.endpoint)
    for one in written:
        form = form.writing(one.body, one.query, one.place, {"now": INSTANT, **one.samples, **samples})
        merged = merged.merged(one.body, one.query)
    sized = style.sized(merged)
    keys = {**sized.query, **(sized.body or {})}
    usual = {name: value for name, value in keys.items() if name not in {**merged.query, **(merged.body or {})}}
    values = {"size": style.page_size, **samples}
    sizes = {name: value for name, value in usual.items() if value == "$size"}
    others = {name: value for name, value in usual.items() if value != "$size"}
    return form.sending(fill(sizes, values), (*place, "page_size")).sending(fill(others, values), place)


def _pages(style: Pagination) -> Sequence[Mapping[str, Any]]:
    """Samples of the variables in the requests of a style: for the first page, and for others that differ."""
    size = max(2, style.page_size) if isinstance(style, (Keyset, Offset)) else style.page_size
    samples = {"size": size, "offset": 0, "page": 1, "token": "token"}
    own = {name: samples[name] for name in style.variables if name in samples}
    if isinstance(style, Keyset):
        return [{**own, "from": INSTANT}, {**own, "from": INSTANT, "to": INSTANT}]
    return [own]


_IN_RESPONSES: Final[Mapping[str, ExpectedType]] = {
    "link": "string",
    "token": "token",
    "more": "boolean",
    "end": "boolean",
    "pages": "total",
    "total": "total",
}
"""The keys of styles that are places in a response, with the type of the value there."""


def _expected(style: Pagination, place: Place) -> Iterator[ExpectedPath]:
    """The paths that a style follows."""
    if isinstance(style, Keyset):
        yield ExpectedPath(style.field, (*place, "field"), type="instant")
    if isinstance(style, Token) and style.last is not None:
        has_parts = any(variable.name == "token" for variable in variables_in(style.body))  # in a body, it can
        yield ExpectedPath(style.last, (*place, "last"), type="any" if has_parts else "token")
    for name, type_ in _IN_RESPONSES.items():
        found = getattr(style, name, None)
        if isinstance(found, ResponsePlace) and found.path is not None:
            yield ExpectedPath(found.path, (*place, name), type=type_, scope="response")


# --- changes ---------------------------------------------------------------------------------------------------------


def _of_changes(
    spec: Spec, stream: Stream, incremental: Incremental, form: RequestForm, own: _Written
) -> Iterator[RequestForm]:
    """The queries, the open rows, the change feed, the related rows, and the lookup.

    ``form`` is a request to the stream's endpoint. ``own``: the query that all of them have.
    """
    place: Place = ("streams", stream.name, "incremental")
    for number, query in enumerate(incremental.changes):
        yield from _of_query(spec, stream, query, form, own, (*place, "changes", number))
    if (opened := incremental.open) is not None:
        here: Place = (*place, "open")
        written = _Written(opened.body, opened.query, here, {"open": list(opened.values)})
        expected = form.expecting(ExpectedPath(opened.field, (*here, "field")))
        at = (*here, *_place_of("open", {"body": opened.body, "query": opened.query}))
        open_rows = replace(expected, listed=ListedValues(at, (*here, "values"), len(opened.values)))
        yield from _paged(spec, _usual(spec, stream), open_rows, [own, written], (*place[:2], "pagination"))
    if incremental.change_feed is not None:
        yield from _of_change_feed(spec, stream, incremental.change_feed, (*place, "change_feed"))
    if (related := incremental.related) is not None:
        samples = _parents(related, related.body, related.query)
        written = _Written(related.body, related.query, (*place, "related"), samples)
        yield from _paged(spec, _usual(spec, stream), form, [own, written], (*place[:2], "pagination"))
    if (lookup := incremental.lookup) is not None:
        yield from _of_lookup(spec, stream, lookup, form, own, (*place, "lookup"))


def _of_lookup(
    spec: Spec, stream: Stream, lookup: Lookup, form: RequestForm, own: _Written, place: Place
) -> Iterator[RequestForm]:
    written = [own, _Written(lookup.body, lookup.query, place, {"keys": list(KEYS), "key": KEYS[0]})]
    if lookup.endpoint is not None:
        form, written = replace(form, endpoint=lookup.endpoint, place=(*place, "endpoint")), written[1:]
    if lookup.records.paths:
        form = replace(form, records=lookup.records, records_place=(*place, "records"))
    elif lookup.returns_one:
        form = replace(form, records=WHOLE, records_place=(*place, "endpoint"))
    style = Single(one_record=True) if lookup.returns_one else _usual(spec, stream)
    yield from _paged(spec, style, form, written, (*place[:2], "pagination"))


def _usual(spec: Spec, stream: Stream) -> Pagination:
    """The style of requests that declare none: as :meth:`~engine.reading.source.Source.style_of` chooses it."""
    own = stream.pagination[0]
    return spec.api.pagination if isinstance(own, Keyset) else own


def _place_of(name: str, template: Any) -> Place:
    """Where in a template a variable stands."""
    for key, value in template.items() if isinstance(template, Mapping) else ():
        if value == f"${name}":
            return (key,)
        if any(one.name == name for one in variables_in(value)):
            return (key, *_place_of(name, value))
    return ()


def _of_query(
    spec: Spec, stream: Stream, query: Query, form: RequestForm, own: _Written, place: Place
) -> Iterator[RequestForm]:
    form = replace(form, optional=query.optional)
    for choice, alternative in enumerate(query.alternatives):
        here: Place = place if choice == 0 else (*place, "fallback", choice - 1)
        several = (place, choice + 1) if query.fallback else form.alternative
        yield from _of_alternative(spec, stream, alternative, replace(form, alternative=several), own, here)


def _of_alternative(
    spec: Spec, stream: Stream, query: Fallback, form: RequestForm, own: _Written, place: Place
) -> Iterator[RequestForm]:
    form = replace(form, spelling=spelling(spec, stream, query))
    for name, path in (("stop_at", query.stop_at), ("filters_by", query.filters_by)):
        if path is not None:
            form = form.expecting(ExpectedPath(path, (*place, name), type="instant"))
    if query.records.paths:
        form = replace(form, records=query.records, records_place=(*place, "records"))
    samples: Mapping[str, Any] = {"since": INSTANT, "from": INSTANT}
    if stream.is_of_each_parent(query):
        samples = {**samples, **_parents(stream.parent, stream.query, stream.body, query.query, query.body)}
        own = replace(own, samples=samples)
    body, at = (stream.body, own.place) if query.body is None else (query.body, place)
    written = [own, _Written(body, {}, at, samples), _Written(None, query.query, place, samples)]
    if query.endpoint is not None:
        form = replace(form, endpoint=query.endpoint, place=(*place, "endpoint"))
        written = [_Written(query.body, query.query, place, samples)]
    style, declared = query.pagination, (*place, "pagination")
    if style is None:
        declared = (*own.place, "pagination")
        uses_start = any(one.name == "from" for one in variables_in([body, query.query]))
        style = stream.pagination[0] if uses_start else _usual(spec, stream)
    yield from _paged(spec, style, form, written, declared)


def _of_change_feed(spec: Spec, stream: Stream, feed: ChangeFeed, place: Place) -> Iterator[RequestForm]:
    form = RequestForm(
        feed.endpoint,
        (*place, "endpoint"),
        spelling=spelling(spec, stream),
        records=Records(list=(feed.records,)),
        records_place=(*place, "records"),
        expected=(
            ExpectedPath(feed.own_key, (*place, "key")),
            *(ExpectedPath(path, (*place, "names"), type="string") for path in feed.names if len(feed.names) == 1),
            *([ExpectedPath(feed.record, (*place, "record"))] if feed.record is not None else []),
        ),
        optional=True,
    )
    samples = {"since": INSTANT, "from": INSTANT}
    written = _Written(feed.body, feed.query, place, samples)
    yield from _paged(spec, feed.pagination, form, [written], (*place, "pagination"))
