"""A stream's block of streams.yaml, written from an API's OpenAPI document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.declare.blocks import Block, keys_of
from engine.declare.types import PATH_VALUE, Endpoint
from engine.jsonpath import leading_steps
from engine.pagination import PAGINATION
from engine.spec.dialect import Spec
from engine.spec.types import KEY_TYPES
from tools.openapi.columns import best_type
from tools.openapi.document import NoOperation, OpenApi, Operation
from tools.openapi.lists import READING, ListOperation, list_operation, object_operation, paging_keys
from tools.openapi.parents import ParentRow, held_lists, parent_row, stream_of, wanted_values
from tools.openapi.shape import Shape
from tools.openapi.sorts import UPDATED, best_sort, sorts
from tools.openapi.wording import column_names, has_path, noun, path_of, quoted, shortened, snake_case

_UNIQUE: Final = ("id", "uuid", "guid", "identifier")
_KEYS: Final = (*_UNIQUE, "key", "slug", "name")


_NEXT: Final = ("next_page", "next", "next_link", "next_page_token", "next_token", "nextPageToken", "cursor")


class CannotScaffold(Exception):
    """No stream can be written for a path; the message says why."""


def find_list(api: OpenApi, spec: Spec, wanted: str) -> ListOperation:
    """The list behind ``POST /flows/filter`` or just ``/flows/filter``, without what follows a ``#``.

    Where there is no list, a GET request that answers with an object stands for the one record that this is.

    Raises:
        CannotScaffold: there is no such path, or it answers with no records.
    """
    methods, path = _parsed(wanted.partition("#")[0])
    asked = [Endpoint(method, path) for method in methods]
    if PATH_VALUE.search(path):  # by the names that the document gives, which tell what they are
        asked = [Endpoint(one.method, api.known_path(one) or path) for one in asked]
    found = [api.find(one) for one in asked]
    operations = [one for one in found if isinstance(one, Operation)]
    as_lists = [one for one in (list_operation(operation, spec) for operation in operations) if one is not None]
    if as_lists:
        return next((one for one in as_lists if one.paged or one.only_reads), as_lists[0])
    as_objects = (object_operation(operation, spec) for operation in operations)
    if (one := next((one for one in as_objects if one is not None), None)) is not None:
        return one
    if operations:
        named = " and ".join(str(one.endpoint) for one in operations)
        raise CannotScaffold(f"{named}: the document declares no list of objects in the answer")
    missing = [one for one in found if isinstance(one, NoOperation)]
    if missing[0].outside:
        raise CannotScaffold(f"{path} lies above the base URL, and the document does not tell of it")
    if missing[0].methods:
        raise CannotScaffold(f"the server has {path} for {', '.join(missing[0].methods)} only; GET or POST is needed")
    near = next((one.near for one in missing if one.near), None)
    raise CannotScaffold(f"the server has no {path}{f'; did you mean {near}?' if near else ''}")


def _parsed(wanted: str) -> tuple[Sequence[str], str]:
    match = re.fullmatch(r"(?:(GET|POST)\s+)?((?:/|\.\.(?:/|$))[^\s?#]*)", wanted.strip(), re.I)
    if match is None:
        raise CannotScaffold(f'expected a path, or a method (GET or POST) and a path, found "{wanted}"')
    return ((match[1].upper(),) if match[1] else ("POST", "GET")), match[2]


def stream_name(endpoint: Endpoint) -> str:
    """A name for the stream of an endpoint: ``POST /work_pools/{name}/queues/filter`` reads work_pools_queues."""
    segments = [part for part in endpoint.path.split("/") if part.strip(".") and "{" not in part]
    while len(segments) > 1 and segments[-1].casefold() in READING:
        segments.pop()
    return snake_case("_".join(segments) or "records", ())


def scaffold(found: ListOperation, api: OpenApi, spec: Spec, name: str, indent: str = "  ") -> str:
    """The block of a stream, ready to stand below ``streams:``.

    Raises:
        CannotScaffold: its records have nothing that could be a primary key, or no declared stream's rows hold what
            each request needs.
    """
    parent = _Parent.of(found, api, spec)
    columns = _Columns.of(found.record, parent.row)
    lines = [
        f"description: {quoted(_description(found, parent.row))}",
        f"endpoint: {parent.endpoint}",
        *parent.lines,
        *_about_endpoint(found),
        *columns.keys,
        "sync_mode: full_refresh",
        *_request(found, columns.key, parent),
        *_pagination(found, api, spec),
        *([] if found.declared else [f"records: {found.records}"]),
        *([] if parent.row or found.one_record else _count(found.endpoint, api)),
        *_changes(found, columns.cursor),
        *columns.fields,
    ]
    return _block(name, lines, indent)


def _description(found: ListOperation, parent: ParentRow | None) -> str:
    one = noun(found.endpoint)
    return f"One row: the {one}." if found.one_record and parent is None else f"One row per {one}."


def scaffold_held(found: ListOperation, held: str, spec: Spec, name: str | None, indent: str = "  ") -> tuple[str, str]:
    """The name and the block of a stream of the objects that each record of a list holds.

    Raises:
        CannotScaffold: no stream reads the list, its records hold no such list, or that has no primary key.
    """
    parent = stream_of(found.operation, spec)
    if parent is None:
        raise CannotScaffold(f"no stream reads {found.endpoint}; scaffold that one first, then what its rows hold")
    inside = dict(held_lists(found.record))
    if held not in inside:
        others = f"those that it holds are {', '.join(inside)}" if inside else "it holds none"
        raise CannotScaffold(f"a record of {found.endpoint} holds no list of objects called {held}; {others}")
    one = noun(found.endpoint)
    singular = noun(Endpoint(found.endpoint.method, f"/{held}"))
    (source, *_), _ = leading_steps(parent.fields[parent.primary_key[0]].path[0].text)
    row = ParentRow(parent.name, one.replace(" ", "_"), str(source))
    columns = _Columns.of(inside[held], row)
    lines = [
        f"description: {quoted(f'One row per {singular} of a {one}.')}",
        f"parent: {parent.name}",
        f"records: {path_of(held)}",
        *columns.keys,
        "sync_mode: full_refresh",
        *columns.fields,
    ]
    name = name or snake_case(f"{row.noun}_{held}", ())
    return name, _block(name, lines, indent)


def _block(name: str, lines: Sequence[str], indent: str) -> str:
    return "\n".join([f"{indent}{quoted(name)}:", *(f"{indent}  {line}" for line in lines)]) + "\n"


@dataclass(frozen=True)
class _Parent:
    """What a list is asked with for each row of another stream; nothing, for most lists."""

    endpoint: Endpoint
    row: ParentRow | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    lines: Sequence[str] = ()

    @classmethod
    def of(cls, found: ListOperation, api: OpenApi, spec: Spec) -> _Parent:
        wanted = wanted_values(found.operation)
        rows = [parent_row(found, one, api, spec) for one in wanted]
        row = rows[0] if len(rows) == 1 else None
        if row is None:
            if any(one.in_path for one in wanted):
                names = " and ".join(one.parameter for one in wanted)
                raise CannotScaffold(
                    f"{found.endpoint} is asked with {names}, and of no stream of streams.yaml it can be told that its "
                    "rows hold it; scaffold the list that does first"
                )
            return cls(found.endpoint)
        (one,) = wanted
        endpoint, query = found.endpoint, {}
        if one.in_path:
            path = found.endpoint.path.replace(f"{{{one.parameter}}}", f"{{{one.name}}}")
            endpoint = Endpoint(found.endpoint.method, path)
        else:
            query = {one.parameter: f"${one.name}"}
        line = f"parent: {{stream: {row.stream}, values: {{{one.name}: {path_of(row.source)}}}}}"
        return cls(endpoint, row, query, [line])


@dataclass(frozen=True)
class _Columns:
    """The columns of a record as lines of a block, and what identifies and moves a row."""

    key: str
    cursor: str | None
    keys: Sequence[str]
    fields: Sequence[str]

    @classmethod
    def of(cls, record: Shape, parent: ParentRow | None) -> _Columns:
        key = _key(record)
        columns = {key: record.properties[key], **record.properties}
        unnamed = [source for source in columns if not has_path(source)]
        columns = {source: shape for source, shape in columns.items() if source not in unnamed}
        cursor = next((n for n in UPDATED if n in columns and best_type(columns[n]) == "UTC_DATETIME"), None)
        names = dict(zip(columns, column_names(columns), strict=True))
        lines = [f"  {quoted(names[source])}: {_field(source, shape)}" for source, shape in columns.items()]
        primary, note = names[key], "" if key in _UNIQUE else " # there is no id; make sure that this one is unique"
        if parent is not None:
            belongs = f"{parent.noun}_{snake_case(parent.source, ())}"
            if belongs not in names.values():
                lines.append(f"  {belongs}: $parent{path_of(parent.source)[1:]}")
            if note:
                primary = f"[{belongs}, {names[key]}]"
        keys = [f"primary_key: {primary}{note}", *([f"cursor_field: {names[cursor]}"] if cursor else [])]
        lines += [f"  # left out, since no JSONPath can name it: {json.dumps(source)}" for source in unnamed]
        return cls(key, cursor, keys, ["fields:", *lines])


def _about_endpoint(found: ListOperation) -> Iterator[str]:
    if not found.paged and not found.only_reads:
        yield "# Make sure that this request only reads: a POST may as well make or change something."


def _key(record: Shape) -> str:
    fit = [name for name, shape in record.properties.items() if best_type(shape) in KEY_TYPES]
    for name in (*_KEYS, *(name for name in fit if name.endswith(("_id", "Id", "_key")))):
        if name in fit:
            return name
    raise CannotScaffold(
        f"its records have no property that could be a primary key; they have {', '.join(record.properties)}"
    )


def _request(found: ListOperation, key: str, parent: _Parent) -> Iterator[str]:
    """The sort, and what else the request cannot do without."""
    operation = found.operation
    where = "query" if found.endpoint.method == "GET" else "body"
    given = {n: s for n, (s, _) in operation.query.items()} if where == "query" else {}
    if operation.body is not None and where == "body":
        given = dict(operation.body.properties)
    sent = {**(parent.query if where == "query" else {})}
    bests = ((name, best_sort(shape.values or (), key)) for name, shape in given.items())
    name, best = next(((name, best) for name, best in bests if best is not None), ("", None))
    if best is not None:
        sent[name] = best[0]
    if sent:
        pairs = ", ".join(f"{quoted(name)}: {quoted(text)}" for name, text in sent.items())
        yield f"{where}: {{{pairs}}}{f' # {best[1]}' if best is not None else ''}"
    if best is None and found.paged:
        yield "# The request takes no sort: the order is the server's own; pages overlap, to guard against gaps."
    if parent.query and where != "query":
        yield f"query: {{{', '.join(f'{quoted(name)}: {quoted(text)}' for name, text in parent.query.items())}}}"
    required = [n for n, (_, must) in operation.query.items() if must and n not in parent.query]
    required += operation.body.required if operation.body is not None else []
    if required:
        yield f"# The server requires {', '.join(required)}: add what you want to ask for."


def _pagination(found: ListOperation, api: OpenApi, spec: Spec) -> Iterator[str]:
    if found.one_record:
        yield "pagination: {style: single, one: true}"
        return
    style = spec.api.pagination
    wanted = paging_keys(spec, found.endpoint)
    if not found.paged and (by_token := _token(found, api)) is not None:
        yield by_token
        return
    if not found.paged:
        given = [name for name in wanted if found.operation.takes([name])]
        if given:
            lacking = " or ".join(name for name in wanted if name not in given)
            yield f"# It takes {' and '.join(given)}, but no {lacking}: one answer is read, which may not be all."
        yield "pagination: single"
        return
    limit = found.operation.value(getattr(style, "limit_key", ""))
    most = [form["maximum"] for form in (limit.forms if limit else ()) if "maximum" in form]
    if most and getattr(style, "page_size", 0) > max(most):
        word = next(word for word, block in PAGINATION.blocks.items() if isinstance(style, block))
        block: type[Block] = type(style)
        own = {k.name: getattr(style, k.attribute) for k in keys_of(block) if getattr(style, k.attribute) != k.default}
        own = {name: value for name, value in own.items() if isinstance(value, (str, int))}
        values = {"style": word, **own, "page_size": int(max(most))}
        pairs = ", ".join(f"{name}: {json.dumps(v) if isinstance(v, int) else quoted(v)}" for name, v in values.items())
        yield f"pagination: {{{pairs}}} # the most that the server takes"


def _token(found: ListOperation, api: OpenApi) -> str | None:
    """Pages by token, where an answer has a link to the next and the API an operation that takes one value for it."""
    answer = found.operation.response
    link = next((name for name in _NEXT if answer is not None and name in answer.properties), None)
    following = api.find(Endpoint("GET", f"{found.endpoint.path.rstrip('/')}/next"))
    if link is None or not isinstance(following, Operation) or len(following.query) != 1:
        return None
    (parameter,) = following.query
    total = ", total: $.total" if answer is not None and "total" in answer.properties else ""
    return (
        f"pagination: {{style: token, token: {path_of(link)}, parameter: {quoted(parameter)}, "
        f"endpoint: {following.endpoint}{total}}}"
    )


def _count(endpoint: Endpoint, api: OpenApi) -> Iterator[str]:
    """The endpoint beside the list that answers with the number of its rows, if there is one."""
    beside = endpoint.path.rstrip("/").rsplit("/", 1)[0]
    for path in (f"{beside}/count", f"{endpoint.path.rstrip('/')}/count"):
        found = api.find(Endpoint(endpoint.method, path))
        if isinstance(found, Operation) and found.response is not None and found.response.kinds == {"integer"}:
            if found.body is None or not found.body.required:
                yield f"count: {Endpoint(endpoint.method, path)}"
            return


def _changes(found: ListOperation, cursor: str | None) -> Iterator[str]:
    """An incremental reading, where a sort by the cursor proves that it finds what changed."""
    if cursor is None:
        yield "# No property tells when a row changed, so the whole list is sent at each sync."
        return
    if found.endpoint.method != "POST" or found.operation.body is None or not found.paged:
        return
    for name, shape in found.operation.body.properties.items():
        for sort in sorts(shape.values or ()):
            if not sort.rises and sort.by == cursor.casefold():
                yield "# To ask only for what was updated since the last sync, put this in place of sync_mode above."
                yield "# Not seen then: rows that are deleted, which a full refresh finds, and changes that leave"
                yield f"# {cursor} alone."
                yield "#   sync_mode: incremental"
                query = f"{{body: {{{quoted(name)}: {quoted(sort.value)}}}, stop_at: $.{cursor}}}"
                yield f"#   incremental: {{changes: {query}}}"
                return


def _field(source: str, shape: Shape) -> str:
    path = path_of(source)
    column, words = best_type(shape), shortened(shape.description)
    if column == "STRING" and not words:
        return path
    pairs = [f"path: {path}"]
    pairs += [f"type: {column}"] if column != "STRING" else []
    pairs += [f"description: {quoted(words)}"] if words else []
    return f"{{{', '.join(pairs)}}}"
