"""Every form of request that a stream sends, derived from streams.yaml alone, before any row is read.

`check` compares these with the API's OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any, Final, Literal

from engine.declare.types import Endpoint
from engine.jsonpath import JsonPath, compile_path
from engine.pagination import Pagination
from engine.pagination.keyset import Keyset
from engine.pagination.link import Link
from engine.pagination.offset import Offset
from engine.pagination.page_number import PageNumber
from engine.pagination.single import Single
from engine.pagination.token import Token
from engine.requests import fill, put
from engine.spec.dialect import ChangeFeed, Fallback, Incremental, Parent, Query, Spec, Stream
from engine.spec.records import Records
from tools.checking.findings import Place

INSTANT: Final = "$since"
"""A sample of the instants that a sync sends."""

KEYS: Final = ("00000000-0000-0000-0000-000000000000",)
"""A sample of the primary keys that a sync sends."""

RESPONSE: Final = compile_path("$")

ExpectedType = Literal["any", "instant", "integer", "string", "token", "total"]


@dataclass(frozen=True)
class SentValues:
    """Values that a request sends, and the place that declares them.

    ``literal``: the file spells out the keys of the values below the place, rather than in one dotted path there.
    """

    values: Mapping[str, Any]
    place: Place
    literal: bool = True


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
        left_out: The place of values of which a sync leaves out those that the server rejects, and their number.
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
    left_out: tuple[Place, int] | None = None

    def sending(self, values: Mapping[str, Any], place: Place) -> RequestForm:
        """The form with more values, whose keys the file spells out below a place."""
        return replace(self, sent=(*self.sent, SentValues(values, place)))

    def putting(self, path: str, value: Any, place: Place) -> RequestForm:
        """The form with one more value, at a dotted path that the file has at a place."""
        return replace(self, sent=(*self.sent, SentValues(put({}, {path: value}), place, literal=False)))

    def expecting(self, *expected: ExpectedPath) -> RequestForm:
        """The form with more paths to follow."""
        return replace(self, expected=(*self.expected, *expected))


def request_forms(spec: Spec, stream: Stream) -> Iterator[RequestForm]:
    """Every form of request that a stream sends: for its whole list, its count, and its changes."""
    if stream.endpoint is None:
        return  # the parent's records hold the rows
    here: Place = ("streams", stream.name)
    own_records = stream.records is not spec.api.records
    base = RequestForm(
        stream.endpoint,
        (*here, "endpoint"),
        query=(SentValues(filled(stream.query, stream.parent), (*here, "query")),) if stream.query else (),
        records=stream.records,
        records_place=(*here, "records") if own_records else ("api", "records"),
    )
    whole = base.sending(filled(stream.body, stream.parent), (*here, "body")) if stream.body else base
    whole = replace(whole, reads_whole_list=stream.sync_mode == "full_refresh")
    styles = stream.pagination
    for number, style in enumerate(styles):
        place: Place = (*here, "pagination") if len(styles) == 1 else (*here, "pagination", number)
        several = ((*here, "pagination"), number + 1) if len(styles) > 1 else None
        yield from paged(spec, style, replace(whole, alternative=several), place)
    if stream.count is not None:
        count = ExpectedPath(RESPONSE, (*here, "count"), type="integer", scope="response")
        yield RequestForm(stream.count, (*here, "count"), optional=True).expecting(count)
    if stream.incremental is not None:
        yield from _of_changes(spec, stream.incremental, base, (*here, "incremental"))


def filled(template: Mapping[str, Any], parent: Parent | None) -> Mapping[str, Any]:
    """A body or query with samples of the values that a sync takes from the parent's rows."""
    if parent is None:
        return template
    values = {name: list(KEYS) if parent.batch else KEYS[0] for name in parent.values}
    found: Mapping[str, Any] = fill(template, values)
    return found


# --- pages -----------------------------------------------------------------------------------------------------------


def paged(spec: Spec, style: Pagination | None, form: RequestForm, place: Place) -> Iterator[RequestForm]:
    """The forms of a paged request.

    Args:
        spec: Its api has the pagination style if ``style`` is None.
        style: A pagination style.
        form: The request.
        place: The place that declares the style, unless it is the api's.
    """
    if style is None or style is spec.api.pagination:
        style, place = spec.api.pagination, ("api", "pagination")
    yield from _pages(style, form, place)


@singledispatch
def _pages(style: Pagination, form: RequestForm, place: Place) -> Iterator[RequestForm]:
    raise TypeError(f"the requests of {type(style).__name__} are unknown")


@_pages.register
def _(style: Keyset, form: RequestForm, place: Place) -> Iterator[RequestForm]:
    """A page after an instant, and a page of the rows that share an instant."""
    field = ExpectedPath(style.field, (*place, "field"), type="instant")
    after = form.expecting(field).putting(style.after, INSTANT, (*place, "after"))
    yield after.putting(style.limit_key, max(2, style.page_size), (*place, "limit_key"))
    bounded = after.putting(style.before, INSTANT, (*place, "before"))
    if style.tie_breaker is None:
        yield bounded.putting(style.limit_key, max(2, style.page_size), (*place, "limit_key"))
        return
    here = (*place, "tie_breaker")
    tied = bounded.sending(style.tie_breaker.body, (*here, "body")) if style.tie_breaker.body else bounded
    if style.tie_breaker.pagination is None:
        yield from _pages(style.tie_pagination, tied, place)
    else:
        tied = tied.putting(style.limit_key, max(2, style.page_size), (*place, "limit_key"))
        yield from _pages(style.tie_breaker.pagination, tied, (*here, "pagination"))


@_pages.register
def _(style: Link, form: RequestForm, place: Place) -> Iterator[RequestForm]:
    """The first page; its link has the requests for the others."""
    if style.link is not None:
        form = form.expecting(ExpectedPath(style.link, (*place, "link"), type="string", scope="response"))
    yield _sized(style, form, place)


@_pages.register
def _(style: Offset, form: RequestForm, place: Place) -> Iterator[RequestForm]:
    """A request with its limit and offset."""
    sent = form.sending(style.body, (*place, "body")) if style.body else form
    limited = sent.putting(style.limit_key, max(2, style.page_size), (*place, "limit_key"))
    yield limited.putting(style.offset_key, 0, (*place, "offset_key"))


@_pages.register
def _(style: PageNumber, form: RequestForm, place: Place) -> Iterator[RequestForm]:
    """A request with its page and size."""
    if style.total is not None:
        form = form.expecting(ExpectedPath(style.total, (*place, "total"), type="total", scope="response"))
    sized = form.putting(style.size_key, style.page_size, (*place, "size_key"))
    yield sized.putting(style.page_key, style.first, (*place, "page_key"))


@_pages.register
def _(style: Single, form: RequestForm, place: Place) -> Iterator[RequestForm]:
    """The one request."""
    yield replace(_sized(style, form, place), one_record=style.one_record)


@_pages.register
def _(style: Token, form: RequestForm, place: Place) -> Iterator[RequestForm]:
    """The first page, and a page by its token."""
    first = _sized(style, form, place)
    first = first.expecting(ExpectedPath(style.token, (*place, "token"), type="token", scope="response"))
    if style.total is not None:
        first = first.expecting(ExpectedPath(style.total, (*place, "total"), type="total", scope="response"))
    yield first
    following = first
    if style.endpoint is not None:
        following = replace(first, endpoint=style.endpoint, place=(*place, "endpoint"), sent=(), query=())
    yield following.putting(style.parameter, "token", (*place, "parameter"))


def _sized(style: Link | Single | Token, form: RequestForm, place: Place) -> RequestForm:
    """The form with the page size, if one is declared."""
    if style.page_size is None:
        return form
    return form.putting(style.limit_key, style.page_size, (*place, "page_size"))


# --- changes ---------------------------------------------------------------------------------------------------------


def _of_changes(spec: Spec, incremental: Incremental, form: RequestForm, place: Place) -> Iterator[RequestForm]:
    """The queries, the open rows, the change feed, the related rows, and the lookup.

    ``form`` is a request to the stream's endpoint with its query, without its body. ``place`` is that of the block.
    """
    for number, query in enumerate(incremental.changes):
        yield from _of_query(spec, query, form, (*place, "changes", number))
    if incremental.open is not None:
        here: Place = (*place, "open")
        open_rows = form.sending(incremental.open.body, (*here, "body"))
        open_rows = open_rows.putting(incremental.open.into, list(incremental.open.values), (*here, "into"))
        open_rows = replace(open_rows, left_out=((*here, "into"), len(incremental.open.values)))
        yield from paged(spec, None, open_rows.expecting(ExpectedPath(incremental.open.field, (*here, "field"))), here)
    if incremental.change_feed is not None:
        yield from _of_change_feed(spec, incremental.change_feed, (*place, "change_feed"))
    if (related := incremental.related) is not None:
        here = (*place, "related")
        children = replace(form, query=(SentValues(filled(related.query, related), (*here, "query")),))
        if related.body is not None:
            children = children.sending(filled(related.body, related), (*here, "body"))
        yield from paged(spec, None, children, here)
    if incremental.lookup is not None:
        lookup = form.sending(incremental.lookup_body, (*place, "lookup_body"))
        yield from paged(spec, None, lookup.putting(incremental.lookup, list(KEYS), (*place, "lookup")), place)


def _of_query(spec: Spec, query: Query, form: RequestForm, place: Place) -> Iterator[RequestForm]:
    form = replace(form, optional=query.optional)
    for choice, alternative in enumerate(query.alternatives):
        here: Place = place if choice == 0 else (*place, "fallback", choice - 1)
        several = (place, choice + 1) if query.fallback else form.alternative
        yield from _of_alternative(spec, alternative, replace(form, alternative=several), here)


def _of_alternative(spec: Spec, query: Fallback, form: RequestForm, place: Place) -> Iterator[RequestForm]:
    if query.body is not None:
        form = form.sending(query.body, (*place, "body"))
    if query.query:
        form = replace(form, query=(*form.query, SentValues(query.query, (*place, "query"))))
    for name, path in (("stop_at", query.stop_at), ("filters_by", query.filters_by)):
        if path is not None:
            form = form.expecting(ExpectedPath(path, (*place, name), type="instant"))
    yield from paged(spec, query.pagination, form, (*place, "pagination"))


def _of_change_feed(spec: Spec, feed: ChangeFeed, place: Place) -> Iterator[RequestForm]:
    form = RequestForm(
        feed.endpoint,
        (*place, "endpoint"),
        records=Records(list=(feed.records,)),
        records_place=(*place, "records"),
        expected=(
            ExpectedPath(feed.own_key, (*place, "key")),
            ExpectedPath(feed.names, (*place, "names"), type="string"),
        ),
        optional=True,
    )
    yield from paged(spec, feed.pagination, form.sending(feed.body, (*place, "body")), (*place, "pagination"))
