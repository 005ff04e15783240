"""Children: the records of a stream that belong to rows of another one, its parent.

A position among children is a position among the parents and, if a page of parents is done in part, the key of the last
parent that is done: ``2024-05-01T10:00:00.000000Z after ["a"]``, with the key quoted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final
from urllib.parse import quote

from engine.failures import Failure, NotFound, OrderMoved, ReadFailure, SkippedList
from engine.jsonpath import PARENT
from engine.nouns import counted
from engine.pagination import paginate_unjoined
from engine.reading.batch import Batch
from engine.reading.pages import ListPage, ListRequest, children_in
from engine.reading.source import Source
from engine.requests import KeyedRecord, Record, Request, leaves_its_segment
from engine.spec.dialect import Parent, Related
from engine.variables import variables_in

_AFTER: Final = " after "

Existing = Callable[[Source, Sequence[Hashable]], set[Hashable]]
"""Which rows of a source still exist, by their keys."""


def children_of(
    source: Source, rows: Sequence[KeyedRecord], asked_at: datetime | None, existing: Existing
) -> Iterator[Batch]:
    """The records that belong to these rows of the source's parent.

    "Not found" means that a row has no children only if the row itself is gone.

    Args:
        source: The source of the child stream.
        rows: Rows of its parent.
        asked_at: When those rows were requested.
        existing: Asks for rows of the parent again.

    Raises:
        NotFound: the server does not have the endpoint.
        Failure: a request failed for good, or the children of a row that exists are not found.
    """
    declared = source.stream.source
    assert declared is not None and source.parent is not None  # it has a parent
    rows = [keyed for keyed in rows if source.parent.mapping.is_row(keyed[1])]
    if source.stream.endpoint is None:
        yield Batch([keyed for _, record in rows for keyed in _embedded_in(source, record)], asked_at)
        return
    missing: dict[Hashable, NotFound] = {}
    rows = _with_a_path(source, declared, rows)
    groups = [*_groups(rows, declared.batch or 1)]
    done = set[Hashable]()  # the first keys of groups that are done
    for page in _pages(source, declared, groups):
        if isinstance(page.unread, NotFound) and page.list_request.parent is not None:
            if not (page.unread.from_api and page.list_request.paginator.one_record):  # otherwise, it has no record
                missing[page.list_request.parent[0]] = page.unread
                continue
        else:
            source.has_children = True
        if isinstance(page.unread, SkippedList):
            source.skip(page.list_request.of, page.unread)
        if page.ends:
            done.add(page.list_request.of)
        yield Batch(page.new, page.asked_at, _last_done(groups, done), continues=page.continues)
    if missing:
        yield from _again(source, declared, [keyed for keyed in rows if keyed[0] in missing], missing, existing)


def _with_a_path(source: Source, declared: Parent, rows: Sequence[KeyedRecord]) -> Sequence[KeyedRecord]:
    """The rows whose values lead to a path of their own. No request can name the children of the others."""
    assert source.stream.endpoint is not None
    in_path = [*variables_in(source.stream.endpoint.path)]
    found: list[KeyedRecord] = []
    for key, record in rows:
        values = [variable.value({"parent": record}) for variable in in_path]
        if any(value is not None and leaves_its_segment(str(value)) for value in values):
            source.warning(f"{declared.stream} {key} cannot be part of a path; its rows are skipped")
        else:
            found.append((key, record))
    return found


def _last_done(groups: Sequence[Sequence[KeyedRecord]], done: set[Hashable]) -> str | None:
    """The last parent before the first that is not done."""
    last = None
    for group in groups:
        if group[0][0] not in done:
            break
        last = group[-1][0]
    return _quoted(last) if last is not None else None


def _quoted(key: Hashable) -> str:
    return quote(json.dumps(key, default=str))


def split(position: str | None) -> tuple[str | None, str]:
    """The position among the parents, and the quoted key of the last parent of the page that follows that is done."""
    parents, is_within, last = (position or "").rpartition(_AFTER)
    return (parents if is_within else position) or None, last if is_within else ""


def joined(parents: str | None, last: str | None) -> str | None:
    """The reverse of :func:`split`."""
    if last or _AFTER in (parents or ""):
        return f"{parents or ''}{_AFTER}{last or ''}"
    return parents


def after(
    rows: Sequence[KeyedRecord], last: str, changed_later: Callable[[Record], bool] | None = None
) -> Sequence[KeyedRecord]:
    """The rows after the one with this quoted key; all rows if it is not among them.

    ``changed_later``: whether a row changed since the pass began. It can have been elsewhere in the list before, so it
    is not done.
    """
    keys = [_quoted(key) for key, _ in rows] if last else []
    if last not in keys:
        return rows
    done = keys.index(last) + 1
    moved = [keyed for keyed in rows[:done] if changed_later is not None and changed_later(keyed[1])]
    return [*moved, *rows[done:]]


def _pages(source: Source, declared: Parent, groups: Sequence[Sequence[KeyedRecord]]) -> Iterator[ListPage]:
    try:
        requests = (_list_request(source, declared, group) for group in groups)
        yield from source.read(requests, width=source.concurrency)
    except OrderMoved:
        for group in groups:
            yield from source.read_until_settled(partial(_list_request, source, declared, group, joined=False))


def _again(
    source: Source,
    declared: Parent,
    rows: Sequence[KeyedRecord],
    missing: Mapping[Hashable, NotFound],
    existing: Existing,
) -> Iterator[Batch]:
    """Ask once more for the children that were not found of rows that exist."""
    assert source.parent is not None
    alive = existing(source.parent, list(missing))
    if alive and source.has_children is None:
        first = missing[next(key for key, _ in rows if key in alive)]
        of = counted(len(missing), source.parent.stream.name) if len(missing) > 1 else ""
        raise NotFound(str(first), first.url, from_api=first.from_api, of=of)
    groups = [[keyed] for keyed in rows if keyed[0] in alive]
    for page in _pages(source, declared, groups):
        if isinstance(page.unread, NotFound):
            row = f"Its row in {source.parent.stream.name} exists"
            raise Failure(f"{page.unread} {row}, so nothing is concluded from that; sync again.")
        yield Batch(page.new, page.asked_at, continues=page.continues)


def _embedded_in(source: Source, parent: Record) -> Iterator[KeyedRecord]:
    """The records of a stream without an endpoint, which are inside its parent's record."""
    try:
        for record in children_in(parent, source.stream.records):
            record[PARENT] = parent
            yield source.mapping.key(record), record
    except ReadFailure as failure:
        raise ReadFailure(f"{source.stream.name}: {failure}.") from None


def _list_request(source: Source, parent: Parent, group: Sequence[KeyedRecord], *, joined: bool = True) -> ListRequest:
    request, pagination = source.request(source.stream.body), source.pagination
    if isinstance(parent, Related):
        request = source.request(parent.body, parent.query)
        pagination = source.style_of(request)
    records = [record for _, record in group]
    request = request.bind({parent.variable: records if parent.batch else records[0]})
    _check_values(source, parent, request)
    paginator = pagination.paginate(request) if joined else paginate_unjoined(pagination, request)
    return source.listed(paginator, None if parent.batch else group[0], of=group[0][0])


def _check_values(source: Source, parent: Parent, request: Request) -> None:
    """Without the value, the request would be for the rows of every parent."""
    for variable in request.variables:
        if variable.name != parent.variable or variable.path is None:
            continue
        value = variable.value(request.values or {})
        if value is None or (parent.batch and None in value):
            raise ReadFailure(
                f"{source.stream.name}: a record of {parent.stream} has no value at {variable.path.text}, which the "
                "request needs."
            )


def _groups(rows: Sequence[KeyedRecord], size: int) -> Iterator[Sequence[KeyedRecord]]:
    return (rows[at : at + size] for at in range(0, len(rows), size))
