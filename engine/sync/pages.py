"""Reading lists in pages over one client: several lists at once, each a page ahead of its reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from types import TracebackType
from typing import Any

from engine.failures import Failure, NotFound, ReadFailure
from engine.http.client import Client
from engine.http.decoding import UnexpectedShape
from engine.jsonpath import PARENT, JsonPath
from engine.reading import ListRequest
from engine.requests import KeyedRecord, Page, Record, Request, Response


class PageReader:
    """Reads the pages of lists, as a context manager.

    Its threads only send requests and decode responses. Paginators advance, and records are yielded, in the thread that
    calls :meth:`read`.

    Args:
        client: Sends the requests.
        concurrency: Maximum number of requests in flight.
        on_request: Called with each request before it is sent.
    """

    def __init__(self, client: Client, concurrency: int, on_request: Callable[[Request], None] | None = None) -> None:
        self._client = client
        self._on_request = on_request
        self.concurrency = concurrency
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="pages")

    def __enter__(self) -> PageReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not cancel_futures: a thread in wait() is not woken by it. The client refuses the requests that remain.
        self._pool.shutdown(wait=False)

    def read(
        self, stream: str, lists: Iterable[ListRequest], *, width: int = 1, ahead: bool = True, begun: bool = False
    ) -> Iterator[tuple[ListRequest, Response, Page, Sequence[KeyedRecord]]]:
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
            ReadFailure: the pages do not add up to a complete list.
            Failure: a request failed for good.
        """
        waiting = iter(lists)
        # Each request in flight, after its list and before the first request of that list.
        in_flight: dict[Future[Response], tuple[ListRequest, Request, Request]] = {}

        def launch(list_request: ListRequest, first: Request | None = None) -> None:
            request = list_request.paginator.request
            if request is not None:
                first = first or request
                future = self._pool.submit(self._fetch, stream, list_request, request, None if begun else first)
                in_flight[future] = list_request, request, first

        try:
            for list_request in islice(waiting, width):
                launch(list_request)
            while in_flight:
                done, _ = wait(in_flight, return_when=FIRST_COMPLETED)
                for future in done:
                    list_request, request, first = in_flight.pop(future)
                    response = future.result()
                    page, records = self._advance(stream, list_request, request, response)
                    has_more = response.not_found is None and list_request.paginator.request is not None
                    if not has_more:
                        for following in islice(waiting, 1):
                            launch(following)
                    elif ahead:
                        launch(list_request, first)
                    yield list_request, response, page, records
                    if has_more and not ahead:
                        launch(list_request, first)
        finally:
            for future in in_flight:
                future.cancel()

    def count(self, stream: str, request: Request) -> int:
        """The integer that a request returns.

        Raises:
            Failure: the request failed, or returned anything else.
        """
        number: int = self._client.send(stream, request, _integer).value
        return number

    def _fetch(self, stream: str, list_request: ListRequest, request: Request, first: Request | None) -> Response:
        try:
            return self._send(stream, list_request, request)
        except NotFound as not_found:
            if list_request.may_be_missing and (request is first or self._is_missing(stream, list_request, first)):
                return Response((None, []), None, not_found=not_found)
            if request is first:
                raise
            raise Failure(f"{not_found} The endpoint existed earlier in this sync; sync again.") from None

    def _is_missing(self, stream: str, list_request: ListRequest, first: Request | None) -> bool:
        """Whether a list is missing from its first page on now: its parent was deleted while it was read."""
        if first is None:
            return False
        try:
            self._send(stream, list_request, first)
        except NotFound:
            return True
        return False

    def _send(self, stream: str, list_request: ListRequest, request: Request) -> Response:
        if self._on_request is not None:
            self._on_request(request)
        return self._client.send(
            stream,
            request,
            lambda document: (
                document,
                records_of(document, list_request.records, one_record=list_request.paginator.one_record),
            ),
        )

    def _advance(
        self, stream: str, list_request: ListRequest, request: Request, response: Response
    ) -> tuple[Page, Sequence[KeyedRecord]]:
        document, records = response.value
        if response.not_found is not None:
            return Page([], None, None), ()
        if list_request.parent is not None:
            for record in records:
                record[PARENT] = list_request.parent
        try:
            page = Page([(list_request.key(record), record) for record in records], document, response.next_link)
            return page, list_request.paginator.advance(page)
        except ReadFailure as failure:
            raise ReadFailure(f"{stream}: {request} at {self._client.url(request)}: {failure}.") from failure


def records_of(document: Any, paths: Sequence[JsonPath], *, one_record: bool = False) -> list[dict[str, Any]]:
    """The list of records in a response or, with ``one_record``, its single record in a list.

    Raises:
        UnexpectedShape: the response has another shape.
    """
    return [_record_in(document, paths)] if one_record else _records_in(document, paths)


def _record_in(document: Any, paths: Sequence[JsonPath]) -> dict[str, Any]:
    """The first object at one of the paths."""
    for path in paths:
        found = path.get(document)
        if isinstance(found, dict):
            return found
    raise UnexpectedShape(f"{_shape(document)}, and no object at {_either(paths)}")


def _records_in(document: Any, paths: Sequence[JsonPath]) -> list[dict[str, Any]]:
    """The first list at one of the paths. It must hold only objects."""
    for path in paths:
        found = path.get(document)
        if isinstance(found, list):
            if not all(isinstance(record, dict) for record in found):
                raise UnexpectedShape(f"a list at {path.text} whose items are not all objects")
            return found
    raise UnexpectedShape(f"{_shape(document)}, and no list of records at {_either(paths)}")


def _shape(document: Any) -> str:
    if isinstance(document, dict):
        return f"an object with the keys {', '.join(document) or '(none)'}"
    return f"a bare {type(document).__name__}"


def _either(paths: Sequence[JsonPath]) -> str:
    return " or ".join(path.text for path in paths)


def children_in(parent: Record, paths: Sequence[JsonPath]) -> list[dict[str, Any]]:
    """The list of records inside a parent record; an empty one if the parent has null or nothing there.

    Raises:
        ReadFailure: the parent has something else there.
    """
    values = [value for path in paths if (value := path.get(parent)) is not None]
    if not values:
        return []
    if isinstance(values[0], list) and all(isinstance(record, dict) for record in values[0]):
        return values[0]
    raise ReadFailure(f"the parent's record has no list of objects at {_either(paths)}")


def _integer(document: Any) -> int:
    if isinstance(document, int) and not isinstance(document, bool):
        return document
    raise UnexpectedShape("something other than an integer")
