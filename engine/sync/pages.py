"""Several lists at once over one client: each answer is asked for before the one before it was worked through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from types import TracebackType
from typing import Any

from engine.failures import Failure, NotFound, ReadFailure
from engine.http.client import Client
from engine.http.decoding import Undeclared
from engine.paging import Walk
from engine.paging.one_object import ObjectWalk
from engine.reading import Ask
from engine.requests import Answer, Entry, Page, Record, Request
from engine.spec.jsonpath import PARENT, JsonPath


class Pages:
    """Asks, as a context manager.

    Threads only ask and decode. Walks are told their pages, and entries handed on, by the thread that reads.

    Args:
        client: Sends requests.
        connections: How many of them may be under way at once.
        tell: Takes each request before it is sent.
    """

    def __init__(self, client: Client, connections: int, tell: Callable[[Request], None] | None = None) -> None:
        self._client = client
        self._tell = tell
        self.connections = connections
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="pages")

    def __enter__(self) -> Pages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def read(
        self, stream: str, asks: Iterable[Ask], *, width: int = 1, ahead: bool = True, begun: bool = False
    ) -> Iterator[tuple[Ask, Answer, Page, Sequence[Entry]]]:
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
        waiting = iter(asks)
        under_way: dict[Future[Answer], tuple[Ask, Request, Request]] = {}  # with the first request of its list

        def launch(ask: Ask, first: Request | None = None) -> None:
            request = ask.walk.request
            if request is not None:
                first = first or request
                future = self._pool.submit(self._fetch, stream, ask, request, None if begun else first)
                under_way[future] = ask, request, first

        try:
            for ask in islice(waiting, width):
                launch(ask)
            while under_way:
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    ask, request, first = under_way.pop(future)
                    answer = future.result()
                    page, fresh = self._take(stream, ask, request, answer)
                    goes_on = answer.missing is None and ask.walk.request is not None
                    if not goes_on:
                        for following in islice(waiting, 1):
                            launch(following)
                    elif ahead:
                        launch(ask, first)
                    yield ask, answer, page, fresh
                    if goes_on and not ahead:
                        launch(ask, first)
        finally:
            for future in under_way:
                future.cancel()

    def number(self, stream: str, request: Request) -> int:
        """The number that a request is answered with.

        Raises:
            Failure: it was answered with something else, or not at all.
        """
        number: int = self._client.ask(stream, request, _whole_number).value
        return number

    def _fetch(self, stream: str, ask: Ask, request: Request, first: Request | None) -> Answer:
        try:
            return self._answer(stream, ask, request)
        except NotFound as not_found:
            if ask.may_be_missing and (request is first or self._is_missing(stream, ask, first)):
                return Answer((None, []), None, missing=not_found)
            if request is first:
                raise
            raise Failure(f"{not_found} The endpoint answered before in this sync; sync again.") from None

    def _is_missing(self, stream: str, ask: Ask, first: Request | None) -> bool:
        """Whether a list that had a beginning has none any more: its parent was deleted while it was read."""
        if first is None:
            return False
        try:
            self._answer(stream, ask, first)
        except NotFound:
            return True
        return False

    def _answer(self, stream: str, ask: Ask, request: Request) -> Answer:
        if self._tell is not None:
            self._tell(request)
        return self._client.ask(
            stream, request, lambda document: (document, records_of(ask.walk, document, ask.records))
        )

    def _take(self, stream: str, ask: Ask, request: Request, answer: Answer) -> tuple[Page, Sequence[Entry]]:
        document, records = answer.value
        if answer.missing is not None:
            return Page([], None, None), ()
        if ask.parent is not None:
            for record in records:
                record[PARENT] = ask.parent
        try:
            page = Page([(ask.key(record), record) for record in records], document, answer.next_link)
            return page, ask.walk.take(page)
        except ReadFailure as failure:
            message = f"{stream}: {request} at {self._client.url(request)}: {failure}."
            failure.args = (self._client.redact(message),)  # not another one, whose context would repeat what it says
            raise


def records_of(walk: Walk, document: Any, paths: Sequence[JsonPath]) -> list[dict[str, Any]]:
    """The records in an answer to a walk's request: the list of them, or the one that the answer is.

    Raises:
        Undeclared: it is of another shape.
    """
    return [_record_in(document, paths)] if isinstance(walk, ObjectWalk) else _records_in(document, paths)


def _record_in(document: Any, paths: Sequence[JsonPath]) -> dict[str, Any]:
    """The record that stands at the first declared path with an object."""
    for path in paths:
        found = path.get(document)
        if isinstance(found, dict):
            return found
    raise Undeclared(f"{_shape(document)}, and no object at {_named(paths)}")


def _records_in(document: Any, paths: Sequence[JsonPath]) -> list[dict[str, Any]]:
    """The list of records by the first declared shape that is a list of objects."""
    for path in paths:
        found = path.get(document)
        if isinstance(found, list):
            if not all(isinstance(record, dict) for record in found):
                raise Undeclared(f"a list at {path.text} that holds other things than objects")
            return found
    raise Undeclared(f"{_shape(document)}, and no list of records at {_named(paths)}")


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
    raise Undeclared("something that is not a number of records")
