"""Reading lists in pages over one client: several lists at once, each a page ahead of its reader."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from queue import SimpleQueue
from types import TracebackType
from typing import Any, TypeVar

from engine.failures import (
    DeclaredAnswer,
    EmptyList,
    Failure,
    NotFound,
    PastTheEnd,
    ReadFailure,
    RequestRejected,
    ResponseTooLarge,
    SkippedList,
    ends_sync,
)
from engine.http.client import Client
from engine.http.decoding import UnexpectedShape
from engine.http.error_body import ErrorInBody, error_in
from engine.http.threads import DaemonThreads, Turns
from engine.jsonpath import PARENT, JsonPath, getter, leading_steps
from engine.log import one_line
from engine.pagination import Pagination, Paginator
from engine.pagination.counts import as_count
from engine.pagination.first_page import says_more
from engine.pagination.windows import WindowsPaginator
from engine.requests import KeyedRecord, Page, Record, Request, Response
from engine.spec.dialect import Count
from engine.spec.formats import JSON, Format
from engine.spec.records import Records

T = TypeVar("T")


@dataclass(frozen=True)
class ListRequest:
    """A list to read: its paginator, where the records are in a response, and the key of a record.

    ``parent``: the parent's key and record, if this is the list of its children. Such a list may not be found, because
    its parent was just deleted. ``endpoint_exists``: whether the endpoint is known to exist, so that a 404 that is not
    the API's own is transient. ``of``: the key of the first row that the list belongs to. ``may_be_gone``: whether it
    is that row itself, so that it may not be found either. ``form``: the format of the responses. ``windows``: the
    paginator, if the list is read in windows.
    """

    paginator: Paginator
    records: Records
    key: Callable[[Record], Hashable]
    parent: KeyedRecord | None = None
    endpoint_exists: bool = False
    of: Hashable = None
    may_be_gone: bool = False
    form: Format = JSON
    windows: WindowsPaginator | None = None


def with_records(list_request: ListRequest, records: Records) -> ListRequest:
    """The list with its records at other paths, if there are any."""
    return replace(list_request, records=records) if records.paths else list_request


@dataclass(frozen=True)
class ListPage:
    """A page of a list. ``size``: the number of records in the response; ``new``: those that no earlier page had.

    ``continues``: whether it is not the first page of its list. ``ends``: whether nothing of its list is left to read.
    ``unread``: set if the list cannot be read and need not be: why.
    """

    list_request: ListRequest
    size: int
    new: Sequence[KeyedRecord]
    asked_at: datetime | None
    continues: bool = False
    ends: bool = False
    unread: NotFound | DeclaredAnswer | None = None


@dataclass(frozen=True)
class _InFlight:
    """A request that was sent: its list, and the first request of that list."""

    list_request: ListRequest
    request: Request
    first: Request


class PageReader:
    """Reads the pages of lists, as a context manager.

    Its threads only send requests and decode responses. Paginators advance, and records are yielded, in the thread that
    calls :meth:`read`.

    Args:
        client: Sends the requests.
        concurrency: Maximum number of requests in flight.
        on_request: Called with each request before it is sent.
    """

    _base_url: str | None = None

    def __init__(self, client: Client, concurrency: int, on_request: Callable[[Request], None] | None = None) -> None:
        self._client = client
        self._on_request = on_request
        self.concurrency = concurrency
        self._pool = DaemonThreads(concurrency, "pages")
        self.turns = Turns()
        """Threads that take turns give theirs while they wait for pages."""

    def below(self, base_url: str) -> PageReader:
        """The reader of the same lists below another base URL. Both together keep to the concurrency."""
        reader = copy(self)
        reader._base_url = base_url
        return reader

    def __enter__(self) -> PageReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not cancel_futures: who waits for a response would get a CancelledError. The client refuses what remains.
        self._pool.shutdown(wait=False)

    @property
    def now(self) -> datetime:
        """The server's time or, if it is not known, this machine's."""
        return self._client.now

    @property
    def requests_left(self) -> int | None:
        """How many requests the sync may still send; None if there is no limit."""
        return self._client.budget.requests_left

    def read(
        self, stream: str, lists: Iterable[ListRequest], *, width: int, ahead: bool, begun: bool
    ) -> Iterator[ListPage]:
        """Yield the pages of lists as they arrive, each with the records that no earlier page of its list had.

        The next page of a list is fetched while the current one is processed. Iteration ends only when every list is
        confirmed to be complete.

        Args:
            stream: The stream to name in messages.
            lists: The lists, started one by one as others end.
            width: How many lists to read at once.
            ahead: Whether to fetch a page before the reader wants it. If not, a reader that stops early costs nothing.
            begun: Whether an earlier call read pages of these lists, so that "not found" is a failure.

        Raises:
            NotFound: the server returned 404 or 405 to the first request of a list.
            SkippedList: `answers` declares that a list which belongs to no row of a parent is to be skipped.
            OrderMoved: the order of a list moves while it is read, so its pages do not add up.
            ReadFailure: the pages do not add up to a complete list.
            Failure: a request failed for good.
        """
        waiting = iter(lists)
        in_flight: dict[Future[Response], _InFlight] = {}
        arrived: SimpleQueue[Future[Response]] = SimpleQueue()

        def launch(list_request: ListRequest, first: Request | None = None) -> None:
            request = list_request.paginator.request
            if request is not None:
                request = self._placed(request)
                sent = _InFlight(list_request, request, first or request)
                future = self._pool.submit(self._fetch, stream, sent, begun)
                in_flight[future] = sent
                future.add_done_callback(arrived.put)

        try:
            for list_request in islice(waiting, width):
                launch(list_request)
            while in_flight:
                with self.turns.given():
                    future = arrived.get()
                sent = in_flight.pop(future)
                page = self._page(stream, sent, future)
                if page is None:
                    launch(sent.list_request, None if sent.request is sent.first else sent.first)
                    continue
                if page.ends:
                    for following in islice(waiting, 1):
                        launch(following)
                elif ahead:
                    launch(sent.list_request, sent.first)
                yield page
                if not page.ends and not ahead:
                    launch(sent.list_request, sent.first)
        finally:
            for future in in_flight:
                future.cancel()

    def count(self, stream: str, declared: Count, request: Request) -> int:
        """The number of records that the server counts, as it returns it to a request.

        Raises:
            Failure: the request failed, or returned no number.
        """
        request = self._placed(request)
        if declared.header is None:
            number: int = self._response(stream, request, partial(_count_at, declared.path)).value
            return number
        counted = as_count(self._response(stream, request, lambda document: document).headers.get(declared.header))
        if counted is None:
            raise Failure(f"{stream}: {request}: the response has no number in the header {declared.header}.")
        return counted

    def _response(self, stream: str, request: Request, expect: Callable[[Any], Any]) -> Response:
        """The response to a single request, which counts among those in flight if other threads send some, too."""
        with self.turns.given() as has_given:
            if has_given:
                return self._pool.submit(self._client.send, stream, request, expect).result()
            return self._client.send(stream, request, expect)

    def _placed(self, request: Request) -> Request:
        return request if self._base_url is None else replace(request, base_url=self._base_url)

    def _page(self, stream: str, sent: _InFlight, future: Future[Response]) -> ListPage | None:
        """The page of a response; None if it was too large and has to be requested with fewer rows."""
        try:
            response = future.result()
        except ResponseTooLarge as too_large:
            if not sent.list_request.paginator.shrink():
                raise
            self._client.log.warning(f"{too_large} Requesting fewer rows at a time.")
            return None
        except RequestRejected as rejected:
            windows = sent.list_request.windows
            if windows is None or not windows.narrow():
                raise
            self._client.log.info(f"{rejected} Requesting a shorter window.")
            return None
        return self._advance(stream, sent, response)

    def _fetch(self, stream: str, sent: _InFlight, begun: bool) -> Response:
        is_first = sent.request is sent.first and not begun
        try:
            return self._send(stream, sent.list_request, sent.request, not is_first)
        except PastTheEnd as past:
            return Response((None, []), past.asked_at, is_past_the_end=True)
        except DeclaredAnswer as declared:
            return self._unread(sent.list_request, declared, is_first=is_first)
        except NotFound as not_found:
            may_be_missing = sent.list_request.parent is not None or sent.list_request.may_be_gone
            if may_be_missing and (is_first or self._is_missing(stream, sent)):
                return Response((None, []), None, unread=not_found)
            if is_first:
                raise
            raise Failure(f"{not_found} The endpoint existed earlier in this sync; sync again.") from None

    def _unread(self, list_request: ListRequest, declared: DeclaredAnswer, *, is_first: bool) -> Response:
        """The response for a list that `answers` declares to be empty or skipped. Only its first page can say so.

        Of a list that is read in windows, the first page of each can say that the window is empty.
        """
        windows = list_request.windows
        if isinstance(declared, EmptyList) and windows is not None and windows.is_at_start:
            return Response((None, []), declared.asked_at, is_past_the_end=True)
        if isinstance(declared, SkippedList) and is_first and list_request.of is None:
            raise declared
        if not is_first:
            raise Failure(f"{declared} Other pages of the list were read; sync again.") from None
        if list_request.paginator.position is not None:  # an earlier sync read them; this one starts over
            raise RequestRejected(f"{declared} Other pages of the list were read.") from None
        return Response((None, []), declared.asked_at, unread=declared)

    def _is_missing(self, stream: str, sent: _InFlight) -> bool:
        """Whether a list is missing from its first page on now: its parent was deleted while it was read."""
        try:
            self._send(stream, sent.list_request, sent.first, True)
        except NotFound:
            return True
        return False

    def _send(self, stream: str, list_request: ListRequest, request: Request, endpoint_exists: bool) -> Response:
        if self._on_request is not None:
            self._on_request(request.written_out())
        one_record = list_request.paginator.one_record

        def expected(document: Any) -> tuple[Any, Sequence[dict[str, Any]]]:
            return document, records_of(document, list_request.records, one_record=one_record)

        known = endpoint_exists or list_request.endpoint_exists
        return self._client.send(stream, request, expected, endpoint_exists=known, form=list_request.form)

    def _is_secret(self, text: str) -> bool:
        return self._client.redact(text) != text

    def _advance(self, stream: str, sent: _InFlight, response: Response) -> ListPage:
        list_request = sent.list_request
        document, records = response.value
        if response.unread is not None:
            list_request.paginator.request = None
            return ListPage(list_request, 0, (), response.requested_at, ends=True, unread=response.unread)
        if list_request.parent is not None:
            for record in records:
                record[PARENT] = list_request.parent[1]
        try:
            keyed = [(list_request.key(record), record) for record in records]
            url = self._client.url(sent.request)
            page = Page(
                keyed,
                document,
                response.next_link,
                response.requested_at,
                url,
                self._is_secret,
                response.headers,
                response.is_past_the_end,
            )
            new = list_request.paginator.advance(page)
            continues, ends = sent.request is not sent.first, list_request.paginator.request is None
            return ListPage(list_request, len(keyed), new, response.requested_at, continues, ends)
        except ReadFailure as failure:
            message = f"{stream}: {sent.request} at {self._client.url(sent.request)}: {failure}."
            raise type(failure)(one_line(self._client.redact(message))) from failure


def resuming(read: Callable[[str | None], Iterator[T]], position: str | None, style: Pagination) -> Iterator[T]:
    """What is read from a position on or, if the server no longer accepts that, from the start.

    Tokens and links expire. Servers say so by any status: 400, 404, 410, even 500.
    """
    has_begun = position is None
    try:
        for found in read(position):
            has_begun = True
            yield found
        return
    except Failure as failure:
        if has_begun or not is_expired(failure, style):
            raise
    yield from read(None)


def is_expired(failure: Failure, style: Pagination) -> bool:
    """Whether a failure at a position can mean that the server no longer accepts the position."""
    return isinstance(failure, RequestRejected) or not (style.resumable or ends_sync(failure))


def records_of(document: Any, records: Records, *, one_record: bool = False) -> Sequence[dict[str, Any]]:
    """The list of records in a response or, with ``one_record``, its single record in a list.

    No content, or null where the list should be, is an empty list.

    Raises:
        ErrorInBody: the server reports an error instead.
        UnexpectedShape: the response has another shape.
    """
    return [_record_in(document, records.paths)] if one_record else _records_in(document, records)


def _record_in(document: Any, paths: Sequence[JsonPath]) -> dict[str, Any]:
    """The first object at one of the paths."""
    for path in paths:
        found = path.get(document)
        if isinstance(found, dict):
            return found
    _raise_error_in(document)
    raise UnexpectedShape(f"{_shape(document)}, and no object at {_either(paths)}")


def _records_in(document: Any, records: Records) -> Sequence[dict[str, Any]]:
    """The records at the first of the paths that leads to some. They must all be objects."""
    for path in records.paths:
        found = records.at(path.get(document))
        if found is not None:
            _raise_error_in(document, found)
            if not all(isinstance(record, dict) for record in found):
                hint = "plain values are `records: {values: ...}`"
                raise UnexpectedShape(f"a list at {path.text} whose items are not all objects ({hint})")
            return found
    _raise_error_in(document)
    left_out = next((path for path in records.paths if _leaves_out(document, path)), None)
    if (left_out and records.absent_if_empty) or any(_is_null(document, path) for path in records.paths):
        return []
    hint = ""
    if left_out and records.list:
        hint = f" (if it is left out when empty: `records: {{list: {left_out.text}, absent_if_empty: true}}`)"
    raise UnexpectedShape(f"{_shape(document)}, and no {records.noun} at {_either(records.paths)}{hint}")


def _raise_error_in(document: Any, records: Sequence[Any] | None = None) -> None:
    error = error_in(document, records)
    if error is not None:
        raise ErrorInBody(error)


def _is_null(document: Any, path: JsonPath) -> bool:
    """Whether a response has null at a path, or on the way to it. A property that is missing is not null."""
    for step in leading_steps(path.text)[0]:
        if document is None:
            return True
        if not isinstance(document, dict) or step not in document:
            return False
        document = document[step]
    return document is None


def _leaves_out(document: Any, path: JsonPath) -> bool:
    """Whether a response lacks the property at a path, or one on the way to it, and has no other records beside it."""
    for step in leading_steps(path.text)[0]:
        if not isinstance(document, dict):
            return False
        if step not in document:
            return not any(map(_has_records, document.values()))
        document = document[step]
    return False


def _has_records(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _shape(document: Any) -> str:
    if isinstance(document, dict):
        return f"an object with the keys {', '.join(document) or '(none)'}"
    return f"a bare {type(document).__name__}"


def _either(paths: Sequence[JsonPath]) -> str:
    return " or ".join(path.text for path in paths)


def children_in(parent: Record, records: Records) -> Sequence[dict[str, Any]]:
    """The records inside a parent record; none if the parent has null or nothing there.

    Raises:
        ReadFailure: the parent has something else there, or says that there is more than it has.
    """
    path = next((path for path in records.paths if path.get(parent) is not None), None)
    if path is None:
        return []
    if says_more(_around(parent, path)):
        raise ReadFailure(
            f"the parent's record has only the first page of the list at {path.text}: give the stream an endpoint, "
            "which is read to its end"
        )
    found = records.at(path.get(parent))
    if found is not None and all(isinstance(record, dict) for record in found):
        return found
    wanted = "list of objects" if records.list else records.noun
    raise ReadFailure(f"the parent's record has no {wanted} at {_either(records.paths)}")


def _around(parent: Record, path: JsonPath) -> Any:
    """The object within a record that has a list; None if that is the record itself."""
    steps, is_whole = leading_steps(path.text)
    return getter(steps[:-1])(parent) if is_whole and len(steps) > 1 else None


def _count_at(path: JsonPath, document: Any) -> int:
    counted = as_count(path.get(document))
    if counted is None:
        raise UnexpectedShape(f"{_shape(document)}, and no number at {path.text}")
    return counted
