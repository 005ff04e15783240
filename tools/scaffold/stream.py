"""A stream's block of streams.yaml for an operation of an OpenAPI document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from engine.declare.types import Endpoint
from engine.jsonpath import leading_steps
from engine.pagination import PAGINATION
from engine.spec.dialect import Spec
from tools.openapi.columns import best_type
from tools.openapi.document import PATH_PARAMETER, NoOperation, OpenApi, Operation
from tools.openapi.lists import ListOperation, list_operation, object_operation, record_of
from tools.openapi.shape import Shape
from tools.request_forms import paging_keys
from tools.scaffold import guess
from tools.scaffold.emit import Comment, Line, Section, Value, without_defaults
from tools.scaffold.names import column_names, first_sentence, has_path, path_of, snake_case


class CannotScaffold(Exception):
    """No stream can be written for a path; the message says why."""


# --- the operation ----------------------------------------------------------------------------------------------------


def find_list(api: OpenApi, spec: Spec, wanted: str) -> ListOperation:
    """The operation that returns a list: ``POST /flows/filter``, or ``/flows/filter`` with POST or GET.

    If there is none, a GET that returns an object is a list of one record.

    Raises:
        CannotScaffold: the API has no such path, or it returns no records.
    """
    methods, path = _parsed(wanted)
    endpoints = [Endpoint(method, path) for method in methods]
    if PATH_PARAMETER.search(path) or "$(" in path:  # the document's own parameter names show which values they take
        endpoints = [Endpoint(one.method, api.known_path(one) or path) for one in endpoints]
    found = [api.find(one) for one in endpoints]
    operations = [one for one in found if isinstance(one, Operation)]
    as_lists = [one for one in (list_operation(operation, spec) for operation in operations) if one is not None]
    if as_lists:
        return next((one for one in as_lists if one.paged or guess.only_reads(one.endpoint)), as_lists[0])
    as_objects = (object_operation(operation, spec) for operation in operations)
    if (one := next((one for one in as_objects if one is not None), None)) is not None:
        return one
    if operations:
        named = " and ".join(str(one.endpoint) for one in operations)
        raise CannotScaffold(f"{named}: the OpenAPI document declares no list of objects in the response")
    raise CannotScaffold(_missing(methods, path, [one for one in found if isinstance(one, NoOperation)]))


def _parsed(wanted: str) -> tuple[Sequence[str], str]:
    match = re.fullmatch(r"(?:(GET|POST)\s+)?((?:/|\.\.(?:/|$))[^\s?#]*)", wanted.strip(), re.I)
    if match is None:
        raise CannotScaffold(f'expected a path, or a method (GET or POST) and a path, found "{wanted}"')
    return ((match[1].upper(),) if match[1] else ("POST", "GET")), match[2]


def _missing(methods: Sequence[str], path: str, missing: Sequence[NoOperation]) -> str:
    """Why the document has no operation at a path."""
    if missing[0].outside:
        return f"{path} is above the base URL, and the OpenAPI document does not describe it"
    if missing[0].methods:
        return f"the server has {path} for {', '.join(missing[0].methods)} only, not for {' or '.join(methods)}"
    near = next((one.near for one in missing if one.near), None)
    return f"the server has no {path}{f'; did you mean {near}?' if near else ''}"


# --- its stream -------------------------------------------------------------------------------------------------------


def scaffold(found: ListOperation, api: OpenApi, spec: Spec, name: str | None = None) -> Section:
    """The block of a stream that reads a list, under ``name`` or a name made from the path.

    Raises:
        CannotScaffold: no property of the records can be a primary key, or a request needs a value that no stream of
            the spec provides.
    """
    target = _target(found, api, spec)
    table = _table(found.record, target.parent)
    one = guess.record_noun(found.endpoint)
    single = found.one_record and target.parent is None
    return Section(
        name or guess.stream_name(found.endpoint),
        [
            Line("description", f"One row: the {one}." if single else f"One row per {one}."),
            Line("endpoint", target.endpoint),
            *([] if target.parent is None else [Line("parent", target.parent.stream)]),
            *_caution(found),
            *table.keys,
            Line("sync_mode", "full_refresh"),
            *_parameters(found, table.key, target.query),
            *_pagination(found, api, spec),
            *([] if found.declared else [Line("records", found.records)]),
            *([] if target.parent or found.one_record else _count(found, api)),
            *_changes(found, table.cursor),
            table.fields,
        ],
    )


def scaffold_held(found: ListOperation, held: str, spec: Spec, name: str | None = None) -> Section:
    """The block of a stream of the objects in a list that each record of another list holds.

    Args:
        found: The list of the records that hold the objects.
        held: The property that holds them.
        spec: The spec, in which a stream must read ``found``.
        name: The stream's name, if it is not to be made from the path and the property.

    Raises:
        CannotScaffold: no stream reads the list, its records hold no such list, or the objects have no primary key.
    """
    stream = next((one for one in spec.streams.values() if one.endpoint == found.endpoint), None)
    if stream is None:
        raise CannotScaffold(f"no stream reads {found.endpoint}; scaffold it first, then the lists in its records")
    key = stream.fields[stream.primary_key[0]]
    source = next((str(leading_steps(path.text)[0][0]) for path in key.path if leading_steps(path.text)[0]), None)
    if source is None:
        raise CannotScaffold(f"the primary key of {stream.name} is no property of its records")
    holder = guess.record_noun(found.endpoint)
    parent = _Parent(stream.name, snake_case(holder), source)
    table = _table(_held_record(found, held), parent)
    return Section(
        name or snake_case(f"{parent.noun}_{held}"),
        [
            Line("description", f"One row per {guess.noun(held)} of each {holder}."),
            Line("parent", stream.name),
            Line("records", path_of(held)),
            *table.keys,
            Line("sync_mode", "full_refresh"),
            table.fields,
        ],
    )


def _held_record(found: ListOperation, held: str) -> Shape:
    inside = dict(guess.held_lists(found.record))
    if held not in inside:
        names = ", ".join(inside) or "none"
        raise CannotScaffold(f"the records of {found.endpoint} have no list of objects named {held}; they have {names}")
    return inside[held]


def _caution(found: ListOperation) -> Iterator[Comment]:
    if not found.paged and not guess.only_reads(found.endpoint):
        yield Comment("Make sure that this request only reads: a POST may create or change something.")


# --- its parent -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Parent:
    """A stream whose records have a value in a property. ``noun`` is one of its records, in snake case."""

    stream: str
    noun: str
    property: str


@dataclass(frozen=True)
class _Target:
    """Where a stream's requests go, and for each row of which parent.

    Attributes:
        endpoint: The endpoint as the stream declares it.
        parent: The parent; None for most lists.
        query: The parent's values in the query.
    """

    endpoint: Endpoint
    parent: _Parent | None = None
    query: Mapping[str, str] = field(default_factory=dict)


def _target(found: ListOperation, api: OpenApi, spec: Spec) -> _Target:
    required = guess.required_parameters(found.operation)
    parent = _parent(found, required[0], api, spec) if len(required) == 1 else None
    if parent is None:
        if any(one.in_path for one in required):
            names = " and ".join(one.name for one in required)
            raise CannotScaffold(
                f"{found.endpoint} needs {names}, and no stream of streams.yaml provides it; "
                "scaffold the list that returns it first"
            )
        return _Target(found.endpoint)
    (one,) = required
    value = f"parent{path_of(parent.property)[1:]}"
    if not one.in_path:
        return _Target(found.endpoint, parent, {one.name: f"${value}"})
    path = found.endpoint.path.replace(f"{{{one.name}}}", f"$({value})")
    return _Target(Endpoint(found.endpoint.method, path), parent)


def _parent(found: ListOperation, parameter: guess.RequiredParameter, api: OpenApi, spec: Spec) -> _Parent | None:
    """The first stream whose records have the value of a parameter; None if there is none."""
    for stream in spec.streams.values():
        if stream.endpoint is None or stream.parent is not None:
            continue
        record = record_of(api, spec, stream)
        source = guess.parent_property(parameter, found.endpoint, stream.endpoint, record) if record else None
        if source is not None:
            return _Parent(stream.name, snake_case(guess.record_noun(stream.endpoint)), source)
    return None


# --- its columns ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Table:
    """The columns of a stream.

    Attributes:
        key: The property that identifies a record.
        cursor: The property with the instant of a record's last change; None if there is none.
        keys: The lines that name the primary key and the cursor field.
        fields: The columns.
    """

    key: str
    cursor: str | None
    keys: Sequence[Line]
    fields: Section


def _table(record: Shape, parent: _Parent | None) -> _Table:
    shapes = record.properties
    key, cursor = guess.primary_key(record), guess.cursor(record)
    if key is None:
        raise CannotScaffold(f"the records have no property that could be a primary key; they have {', '.join(shapes)}")
    names = column_names(name for name in dict.fromkeys([key.value, *shapes]) if has_path(name))
    columns: list[Line | Comment] = [Line(column, _column(name, shapes[name])) for name, column in names.items()]
    primary_key: Value = names[key.value]
    if parent is not None:
        owner = f"{parent.noun}_{snake_case(parent.property)}"
        if owner not in names.values():
            columns.append(Line(owner, f"$parent{path_of(parent.property)[1:]}"))
        if key.reason:  # unique within one parent at best
            primary_key = [owner, names[key.value]]
    columns += [
        Comment(f"left out, no JSONPath can name it: {json.dumps(name)}") for name in shapes if name not in names
    ]
    keys = [Line("primary_key", primary_key, key.reason)]
    keys += [] if cursor is None else [Line("cursor_field", names[cursor])]
    return _Table(key.value, cursor, keys, Section("fields", columns))


def _column(name: str, shape: Shape) -> Value:
    """A field mapping, in its short form if the path is all that it needs."""
    column = {"path": path_of(name), "type": best_type(shape), "description": first_sentence(shape.description)}
    if column["type"] == "STRING":
        del column["type"]
    if not column["description"]:
        del column["description"]
    return column if len(column) > 1 else column["path"]


# --- its requests -----------------------------------------------------------------------------------------------------


def _parameters(found: ListOperation, key: str, query: Mapping[str, str]) -> Iterator[Line | Comment]:
    """The sort and the parent's values, and a comment on what is missing."""
    operation = found.operation
    sort = guess.stable_sort(operation, key)
    sorted_by = sort.value if sort is not None else {}
    reason = sort.reason if sort is not None else ""
    if found.endpoint.method == "GET":
        query = {**query, **sorted_by}
    elif sorted_by:
        yield Line("body", sorted_by, reason)
        reason = ""
    if query:
        yield Line("query", query, reason)
    if (free := guess.free_sort(operation)) is not None and not sorted_by:
        yield Comment(f"The request takes {free}, but the document lists no values for it: add one, such as by id.")
    elif found.paged and not sorted_by:
        yield Comment("The request has no sort: the server chooses the order. Overlapping pages guard against gaps.")
    required = [name for name, (_, must) in operation.query.items() if must]
    required += operation.body.required if operation.body is not None else []
    missing = [name for name in required if name not in query and name not in sorted_by]
    if missing:
        yield Comment(f"The server requires {', '.join(missing)}: add the value to send.")


def _pagination(found: ListOperation, api: OpenApi, spec: Spec) -> Iterator[Line | Comment]:
    """A line if the list is not read with the api's own pagination."""
    style = spec.api.pagination
    if found.one_record:
        yield Line("pagination", {"style": "single", "one": True})
    elif found.paged:
        most = guess.largest_page(found.operation, style)
        if most is not None:
            smaller = {"style": PAGINATION.style_of(style), **without_defaults(style), "page_size": most}
            yield Line("pagination", smaller, "the server's maximum")
    elif (by_token := guess.token_pagination(found.operation, api)) is not None:
        yield Line("pagination", by_token)
    elif (counted := guess.counted_pagination(found.operation)) is not None:
        yield Line("pagination", counted, "by the names of the parameters")
    else:
        names = paging_keys(spec, found.endpoint)
        taken = [name for name in names if found.operation.takes([name])]
        if taken:
            lacking = " or ".join(name for name in names if name not in taken)
            yield Comment(
                f"The request takes {' and '.join(taken)} but not {lacking}: the one response may not hold every row."
            )
        yield Line("pagination", "single")


def _count(found: ListOperation, api: OpenApi) -> Iterator[Line]:
    endpoint = guess.count_endpoint(found.endpoint, api)
    if endpoint is not None:
        yield Line("count", endpoint)


def _changes(found: ListOperation, cursor: str | None) -> Iterator[Comment]:
    """An offer to read only changes, if the server can sort by the cursor."""
    if cursor is None:
        yield Comment("No property shows when a row changed, so every sync sends the whole list.")
        return
    changes = _changes_query(found, cursor)
    if changes is not None:
        yield Comment("To read only the rows that changed since the last sync, replace sync_mode with the lines below.")
        if (since := guess.changed_since(found.operation)) is not None:
            yield Comment(f"Make sure that {since} selects by {cursor}, and not by when a row was made.")
        yield Comment(
            f"They miss deleted rows, which a full refresh finds, and changes that do not move {cursor}.",
            [Line("sync_mode", "incremental"), Line("incremental", {"changes": changes})],
        )


def _changes_query(found: ListOperation, cursor: str) -> Mapping[str, Value] | None:
    """The query for rows that changed: by a parameter, or newest first; None if the server has neither."""
    since = guess.changed_since(found.operation)
    if since is not None:
        return {"query": {since: "$since"}}
    sort = guess.newest_first(found.operation, cursor)
    if sort is None or not (found.paged or guess.counted_pagination(found.operation)):
        return None
    return {"query" if found.endpoint.method == "GET" else "body": sort, "stop_at": path_of(cursor)}
