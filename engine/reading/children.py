"""Children: the records of a stream that belong to rows of another one, its parent.

A position among children is a position among the parents and, if a page of parents is done in part, the key of the last
parent that is done: ``2024-05-01T10:00:00.000000Z after ["a"]``, with the key quoted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Final
from urllib.parse import quote

from engine.failures import Failure, NotFound, OrderMoved, ReadFailure, SkippedList
from engine.jsonpath import PARENT
from engine.nouns import counted
from engine.pagination import Paginator, paginate_unjoined
from engine.reading.batch import Batch
from engine.reading.known_parents import KnownParents
from engine.reading.pages import ListPage, ListRequest, children_in, with_records
from engine.reading.source import Source
from engine.requests import KeyedRecord, Record, Request, leaves_its_place
from engine.spec.dialect import Parent, Related
from engine.spec.records import Records

_AFTER: Final = " after "

Existing = Callable[[Source, Sequence[Hashable]], Mapping[Hashable, Record]]
"""The records of those rows of a source that still exist, by their keys."""


@dataclass(frozen=True)
class ListOfChildren:
    """How children are requested: without the values of their parent, which are bound to the request.

    ``paginate``: makes the paginator of a request. Its second argument is whether the pages must join. ``records``:
    where the records are in a response, if not where the stream's are.
    """

    request: Request
    paginate: Callable[[Request, bool], Paginator]
    records: Records = Records()


@dataclass(frozen=True)
class SinceLast:
    """What is requested of rows whose children the destination has; the others are new, and asked for all children.

    ``known``: those rows. ``changes``: requests their changes; None for all their children.
    """

    known: KnownParents
    changes: ListOfChildren | None = None


def children_of(
    source: Source,
    rows: Sequence[KeyedRecord],
    asked_at: datetime | None,
    existing: Existing,
    since_last: SinceLast | None = None,
) -> Iterator[Batch]:
    """The records that belong to these rows of the source's parent.

    "Not found" means that a row has no children only if the row itself is gone.

    Args:
        source: The source of the child stream.
        rows: Rows of its parent.
        asked_at: When those rows were requested.
        existing: Asks for rows of the parent again.
        since_last: If only the changes of some rows are wanted. It notes which rows are done, once the caller has
            taken their last batch.

    Raises:
        NotFound: the server does not have the endpoint.
        Failure: a request failed for good, or the children of a row that exists are not found.
    """
    declared = source.stream.source
    assert declared is not None and source.parent is not None  # it has a parent
    conditions = declared.where if isinstance(declared, Parent) else ()
    rows = [keyed for keyed in rows if source.parent.mapping.is_row(keyed[1])]
    rows = [keyed for keyed in rows if all(condition.holds(keyed[1]) for condition in conditions)]
    if source.stream.endpoint is None:
        yield Batch([keyed for _, record in rows for keyed in _embedded_in(source, record)], asked_at)
        return
    missing: dict[Hashable, NotFound] = {}
    rows = _with_a_path(source, declared, rows, since_last)
    groups = [*_groups(source, declared, rows, since_last)]
    rows_of = {group[0][0]: group for group in groups}
    done = set[Hashable]()  # the first keys of groups that are done
    for page in _pages(source, declared, groups, since_last):
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
        of_new, position = _is_new(source, since_last, page.list_request.of), _last_done(groups, done)
        yield Batch(page.new, page.asked_at, position, continues=page.continues, of_new=of_new)
        if page.ends and since_last is not None:
            _note_read(source, page, rows_of[page.list_request.of], since_last)
            yield Batch((), page.asked_at, position)
    if missing:
        again = [keyed for keyed in rows if keyed[0] in missing]
        yield from _again(source, declared, again, missing, existing, since_last)


def _is_new(source: Source, since_last: SinceLast | None, key: Hashable) -> bool:
    """Whether a row of the parent is new since the last pass, so that all its children are, if that matters."""
    if since_last is None or source.parent is None:
        return False
    return not since_last.known.knows(source.parent.stream.name, key)


def _note_read(source: Source, page: ListPage, rows: Sequence[KeyedRecord], since_last: SinceLast) -> None:
    """Note that the children of these rows were read. Rows whose children were skipped are new to the next pass."""
    assert source.parent is not None
    note = since_last.known.skip if isinstance(page.unread, SkippedList) else since_last.known.read
    note(source.parent.stream.name, [key for key, _ in rows])


def _with_a_path(
    source: Source, declared: Parent | Related, rows: Sequence[KeyedRecord], since_last: SinceLast | None
) -> Sequence[KeyedRecord]:
    """The rows whose values lead to a path of their own. No request can name the children of the others."""
    assert source.stream.endpoint is not None
    paths = [source.stream.endpoint.path]
    if since_last is not None and since_last.changes is not None:
        paths.append(since_last.changes.request.endpoint.path)
    found: list[KeyedRecord] = []
    for key, record in rows:
        if any(leaves_its_place(path, {"parent": record}) for path in paths):
            source.warning(f"{declared.name} {key} cannot be part of a path; its rows are skipped")
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


def _pages(
    source: Source, declared: Parent | Related, groups: Sequence[Sequence[KeyedRecord]], since_last: SinceLast | None
) -> Iterator[ListPage]:
    try:
        requests = (_list_request(source, declared, group, since_last) for group in groups)
        yield from source.read(requests, width=source.concurrency)
    except OrderMoved:
        for group in groups:
            unjoined = partial(_list_request, source, declared, group, since_last, joined=False)
            yield from source.read_until_settled(unjoined)


def _again(
    source: Source,
    declared: Parent | Related,
    rows: Sequence[KeyedRecord],
    missing: Mapping[Hashable, NotFound],
    existing: Existing,
    since_last: SinceLast | None,
) -> Iterator[Batch]:
    """Ask once more for the children that were not found of rows that exist, which can have another name by now."""
    assert source.parent is not None
    alive = existing(source.parent, list(missing))
    if alive and source.has_children is None:
        first = missing[next(key for key, _ in rows if key in alive)]
        of = counted(len(missing), source.parent.stream.name) if len(missing) > 1 else ""
        raise NotFound(str(first), first.url, from_api=first.from_api, of=of)
    now = [(key, {**record, **alive[key]}) for key, record in rows if key in alive]
    groups = [[keyed] for keyed in _with_a_path(source, declared, now, since_last)]
    for page in _pages(source, declared, groups, since_last):
        if isinstance(page.unread, NotFound):
            if source.parent.records is not None:
                raise Failure(f"{page.unread} It is one of parent.list: remove it there if it is gone.")
            row = f"Its row in {source.parent.stream.name} exists"
            raise Failure(f"{page.unread} {row}, so nothing is concluded from that; sync again.")
        yield Batch(page.new, page.asked_at, None, 0, page.continues, _is_new(source, since_last, page.list_request.of))
        if page.ends and since_last is not None:
            _note_read(source, page, [keyed for keyed in rows if keyed[0] == page.list_request.of], since_last)


def _embedded_in(source: Source, parent: Record) -> Iterator[KeyedRecord]:
    """The records of a stream without an endpoint, which are inside its parent's record."""
    try:
        for record in children_in(parent, source.stream.records):
            record[PARENT] = parent
            yield source.mapping.key(record), record
    except ReadFailure as failure:
        raise ReadFailure(f"{source.stream.name}: {failure}.") from None


def _list_request(
    source: Source,
    parent: Parent | Related,
    group: Sequence[KeyedRecord],
    since_last: SinceLast | None,
    *,
    joined: bool = True,
) -> ListRequest:
    children = _whole(source, parent)
    if since_last is not None and since_last.changes is not None and not _is_new(source, since_last, group[0][0]):
        children = since_last.changes
    records = [record for _, record in group]
    request = children.request.bind({parent.variable: records if parent.batch else records[0]})
    _check_values(source, parent, request)
    paginator = children.paginate(request, joined)
    list_request = source.listed(paginator, None if parent.batch else group[0], of=group[0][0])
    return with_records(list_request, children.records)


def _whole(source: Source, parent: Parent | Related) -> ListOfChildren:
    """How all children are requested."""
    request, style = source.request(source.stream.body), source.pagination
    if isinstance(parent, Related):
        request = source.request(parent.body, parent.query)
        style = source.style_of(request)
    return ListOfChildren(
        request.bind(source.start()),
        lambda bound, joined: source.paginate(style, bound) if joined else paginate_unjoined(style, bound),
    )


def _check_values(source: Source, parent: Parent | Related, request: Request) -> None:
    """Without the value, the request would be for the rows of every parent."""
    for variable in request.variables:
        if variable.name != parent.variable or variable.path is None:
            continue
        value = variable.value(request.values or {})
        if value is None or (parent.batch and None in value):
            raise ReadFailure(
                f"{source.stream.name}: a record of {parent.name} has no value at {variable.path.text}, which the "
                "request needs."
            )


def _groups(
    source: Source, parent: Parent | Related, rows: Sequence[KeyedRecord], since_last: SinceLast | None
) -> Iterator[Sequence[KeyedRecord]]:
    """The rows in groups that are requested together: in their order, and either known or new."""
    size = parent.batch or 1
    for _, alike in groupby(rows, lambda keyed: _is_new(source, since_last, keyed[0])):
        some = list(alike)
        yield from (some[at : at + size] for at in range(0, len(some), size))
