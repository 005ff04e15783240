"""Several lists at once over one client: each answer is asked for before the one before it was worked through."""

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


class Pages:
    """Asks, as a context manager.

    Threads only ask and decode. Walks are told their pages, and entries handed on, by the thread that reads.

    Args:
        client: Sends requests.
        connections: How many of them may be under way at once.
        tell: Takes each request before it is sent.
    """

    def __init__(self, client: Client, concurrency: int, on_request: Callable[[Request], None] | None = None) -> None:
        self._client = client
        self._on_request = on_request
        self.concurrency = concurrency
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="pages")

    def __enter__(self) -> Pages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def read(
        self, stream: str, listings: Iterable[ListRequest], *, width: int = 1, ahead: bool = True, begun: bool = False
    ) -> Iterator[tuple[ListRequest, Response, Page, Sequence[KeyedRecord]]]:
        """The pages of lists as they come, each with its entries that are new in its list.

        A list's next page is on its way while this one is worked through. Ends only when each list is proven whole.

        Args:
            stream: Named in every message.
            asks: The lists; taken one by one as there is room.
            width: How many lists to read at once.
            ahead: Whether to ask for a page before it is wanted. Without, a reader that stops early costs nothing.
            begun: Whether an earlier call has read pages of these lists, so that the answer "not found" is a failure.

        Raises:
            NotFound: the first request of a list was answered 404 or 405.
            ReadFailure: pages do not add up to a whole list.
            Failure: a request failed for good.
        """
        waiting = iter(listings)
        under_way: dict[
            Future[Response], tuple[ListRequest, Request, Request]
        ] = {}  # with the first request of its list

        def launch(listing: ListRequest, first: Request | None = None) -> None:
            request = listing.paginator.request
            if request is not None:
                first = first or request
                future = self._pool.submit(self._fetch, stream, listing, request, None if begun else first)
                under_way[future] = listing, request, first

        try:
            for listing in islice(waiting, width):
                launch(listing)
            while under_way:
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    listing, request, first = under_way.pop(future)
                    response = future.result()
                    page, fresh = self._advance(stream, listing, request, response)
                    goes_on = response.missing is None and listing.paginator.request is not None
                    if not goes_on:
                        for following in islice(waiting, 1):
                            launch(following)
                    elif ahead:
                        launch(listing, first)
                    yield listing, response, page, fresh
                    if goes_on and not ahead:
                        launch(listing, first)
        finally:
            for future in under_way:
                future.cancel()

    def number(self, stream: str, request: Request) -> int:
        """The number that a request is answered with.

        Raises:
            Failure: it was answered with something else, or not at all.
        """
        number: int = self._client.send(stream, request, _whole_number).value
        return number

    def _fetch(self, stream: str, listing: ListRequest, request: Request, first: Request | None) -> Response:
        try:
            return self._request_list(stream, listing, request)
        except NotFound as not_found:
            if listing.may_be_missing and (request is first or self._is_missing(stream, listing, first)):
                return Response((None, []), None, missing=not_found)
            if request is first:
                raise
            raise Failure(f"{not_found} The endpoint answered before in this sync; sync again.") from None

    def _is_missing(self, stream: str, listing: ListRequest, first: Request | None) -> bool:
        """Whether a list that had a beginning has none any more: its parent was deleted while it was read."""
        if first is None:
            return False
        try:
            self._request_list(stream, listing, first)
        except NotFound:
            return True
        return False

    def _request_list(self, stream: str, listing: ListRequest, request: Request) -> Response:
        if self._on_request is not None:
            self._on_request(request)
        return self._client.send(
            stream,
            request,
            lambda document: (document, records_of(document, listing.records, one_record=listing.one_record)),
        )

    def _advance(
        self, stream: str, listing: ListRequest, request: Request, response: Response
    ) -> tuple[Page, Sequence[KeyedRecord]]:
        document, records = response.value
        if response.missing is not None:
            return Page([], None, None), ()
        if listing.parent is not None:
            for record in records:
                record[PARENT] = listing.parent
        try:
            page = Page([(listing.key(record), record) for record in records], document, response.next_link)
            return page, listing.paginator.advance(page)
        except ReadFailure as failure:
            raise ReadFailure(f"{stream}: {request} at {self._client.url(request)}: {failure}.") from failure


def records_of(document: Any, paths: Sequence[JsonPath], *, one_record: bool = False) -> list[dict[str, Any]]:
    """The records in a response: the list of them or, with ``one_record``, the one object.

    Raises:
        UnexpectedShape: the response has another shape.
    """
    return [_record_in(document, paths)] if one_record else _records_in(document, paths)


def _record_in(document: Any, paths: Sequence[JsonPath]) -> dict[str, Any]:
    """The record that stands at the first declared path with an object."""
    for path in paths:
        found = path.get(document)
        if isinstance(found, dict):
            return found
    raise UnexpectedShape(f"{_shape(document)}, and no object at {_named(paths)}")


def _records_in(document: Any, paths: Sequence[JsonPath]) -> list[dict[str, Any]]:
    """The list of records by the first declared shape that is a list of objects."""
    for path in paths:
        found = path.get(document)
        if isinstance(found, list):
            if not all(isinstance(record, dict) for record in found):
                raise UnexpectedShape(f"a list at {path.text} that holds other things than objects")
            return found
    raise UnexpectedShape(f"{_shape(document)}, and no list of records at {_named(paths)}")


def _shape(document: Any) -> str:
    if isinstance(document, dict):
        return f"an object with the keys {', '.join(document) or '(none)'}"
    return f"a bare {type(document).__name__}"


def _named(paths: Sequence[JsonPath]) -> str:
    return " or ".join(path.text for path in paths)


def children_in(parent: Record, paths: Sequence[JsonPath]) -> list[dict[str, Any]]:
    """The list of records that a parent's record holds; none where it holds null or nothing.

    Raises:
        ReadFailure: it holds something else.
    """
    values = [value for path in paths if (value := path.get(parent)) is not None]
    if not values:
        return []
    if isinstance(values[0], list) and all(isinstance(record, dict) for record in values[0]):
        return values[0]
    raise ReadFailure(f"the parent's record has no list of objects at {_named(paths)}")


def _whole_number(document: Any) -> int:
    if isinstance(document, int) and not isinstance(document, bool):
        return document
    raise UnexpectedShape("something that is not a number of records")
