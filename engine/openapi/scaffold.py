"""A stream's block of streams.yaml, written from an API's OpenAPI document."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.openapi.columns import best_type
from engine.openapi.document import NoOperation, OpenApi, Operation
from engine.openapi.lists import READING, ListOperation, list_operation, paging_keys
from engine.openapi.shape import Shape
from engine.spec.kinds import keys_of
from engine.spec.model import KEY_TYPES, PAGINATION, Document, Endpoint

_KEYS: Final = ("id", "uuid", "guid", "key", "slug", "name")
_CURSORS: Final = ("updated", "updated_at", "updatedAt", "modified", "modified_at", "last_modified", "last_updated")
_CREATED: Final = ("created", "created_at", "createdAt", "inserted_at")
_NAMES: Final = ("name", "key", "slug", "title")
_DESCRIPTION_MAX: Final = 110  # characters
_SORT: Final = re.compile(r"(?P<by>\w+?)[_:. ](?P<order>asc|desc)(ending)?", re.I)
_PLAIN: Final = re.compile(r"[A-Za-z][\w ()/.'-]*[\w.)]")
_YAML_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


class CannotScaffold(Exception):
    """No stream can be written for a path; the message says why."""


def find_list(api: OpenApi, document: Document, wanted: str) -> ListOperation:
    """The list behind ``POST /flows/filter`` or just ``/flows/filter``.

    Raises:
        CannotScaffold: there is no such path, or it answers with no list of records.
    """
    methods, path = _parsed(wanted)
    found = [api.find(Endpoint(method, path)) for method in methods]
    operations = [one for one in found if isinstance(one, Operation)]
    for operation in operations:
        as_list = list_operation(operation, document)
        if as_list is not None:
            return as_list
    if operations:
        named = " and ".join(str(one.endpoint) for one in operations)
        raise CannotScaffold(f"{named}: the document declares no list of objects in the answer")
    missing = [one for one in found if isinstance(one, NoOperation)]
    if missing[0].methods:
        raise CannotScaffold(f"the server has {path} for {', '.join(missing[0].methods)} only; GET or POST is needed")
    near = next((one.near for one in missing if one.near), None)
    raise CannotScaffold(f"the server has no {path}{f'; did you mean {near}?' if near else ''}")


def _parsed(wanted: str) -> tuple[Sequence[str], str]:
    match = re.fullmatch(r"(?:(GET|POST)\s+)?(/[^\s?#]*)", wanted.strip(), re.I)
    if match is None:
        raise CannotScaffold(f'expected a path, or a method (GET or POST) and a path, found "{wanted}"')
    return ((match[1].upper(),) if match[1] else ("POST", "GET")), match[2]


def stream_name(endpoint: Endpoint) -> str:
    """A name for the stream of an endpoint: ``POST /work_pools/{name}/queues/filter`` reads work_pools_queues."""
    segments = [part for part in endpoint.path.split("/") if part and "{" not in part]
    while len(segments) > 1 and segments[-1].casefold() in READING:
        segments.pop()
    return _column("_".join(segments) or "records", ())


def scaffold(found: ListOperation, api: OpenApi, document: Document, name: str, indent: str = "  ") -> str:
    """The block of a stream, ready to stand below ``streams:``.

    Raises:
        CannotScaffold: its records have nothing that could be a primary key.
    """
    key = _key(found.record)
    columns = {key: found.record.properties[key], **found.record.properties}
    unnamed = [source for source in columns if not _can_be_named(source)]
    columns = {source: shape for source, shape in columns.items() if source not in unnamed}
    cursor = next((n for n in _CURSORS if n in columns and best_type(columns[n]) == "UTC_DATETIME"), None)
    names = dict(zip(columns, _column_names(columns), strict=True))
    lines = [
        f"description: {_quoted(f'One row per {_noun(found.endpoint)}.')}",
        f"endpoint: {found.endpoint}",
        *_about_path(found.endpoint),
        f"primary_key: {names[key]}{'' if key == _KEYS[0] else ' # there is no id; make sure that this one is unique'}",
        *([f"cursor_field: {names[cursor]}"] if cursor else []),
        "sync_mode: full_refresh",
        *_request(found, key),
        *_pagination(found, document),
        *([] if found.declared else [f"records: {found.records}"]),
        *_count(found.endpoint, api),
        *_changes(found, document, cursor),
        "fields:",
        *(f"  {_quoted(names[source])}: {_field(source, shape)}" for source, shape in columns.items()),
        *(f"  # left out, since no JSONPath can name it: {json.dumps(source)}" for source in unnamed),
    ]
    return "\n".join([f"{indent}{_quoted(name)}:", *(f"{indent}  {line}" for line in lines)]) + "\n"


def _about_path(endpoint: Endpoint) -> Iterator[str]:
    parameters = re.findall(r"\{[^}]*\}", endpoint.path)
    if parameters:
        yield f"# Put a value in place of {' and '.join(parameters)} before you sync."


def _key(record: Shape) -> str:
    fit = [name for name, shape in record.properties.items() if best_type(shape) in KEY_TYPES]
    for name in (*_KEYS, *(name for name in fit if name.endswith(("_id", "Id", "_key")))):
        if name in fit:
            return name
    raise CannotScaffold(
        f"its records have no property that could be a primary key; they have {', '.join(record.properties)}"
    )


def _request(found: ListOperation, key: str) -> Iterator[str]:
    """The sort, and what else the request cannot do without."""
    operation = found.operation
    where = "query" if found.endpoint.method == "GET" else "body"
    given = {n: s for n, (s, _) in operation.query.items()} if where == "query" else {}
    if operation.body is not None and where == "body":
        given = dict(operation.body.properties)
    for name, shape in given.items():
        best = _best_sort(shape.values or (), key)
        if best is not None:
            yield f"{where}: {{{_quoted(name)}: {_quoted(best[0])}}} # {best[1]}"
            break
    else:
        yield "# The request takes no sort: the order is the server's own; pages overlap, to guard against gaps."
    required = [n for n, (_, must) in operation.query.items() if must]
    required += operation.body.required if operation.body is not None else []
    if required:
        yield f"# The server requires {', '.join(required)}: add what you want to ask for."


@dataclass(frozen=True)
class _Sort:
    """A value that sorts: by what, and whether it rises."""

    value: str
    by: str
    rises: bool


def _sorts(values: Sequence[Any]) -> list[_Sort]:
    """The values as sorts, such as NAME_ASC, name:asc, or -name beside name; none where they are anything else."""
    texts = [value for value in values if isinstance(value, str)]
    if any(text.startswith("-") for text in texts):
        return [_Sort(text, text.lstrip("-").casefold(), not text.startswith("-")) for text in texts]
    matches = [_SORT.fullmatch(text) for text in texts]
    found = [_Sort(m[0], m["by"].casefold(), m["order"].casefold() == "asc") for m in matches if m is not None]
    return found if len(found) == len(values) else []


def _best_sort(values: Sequence[Any], key: str) -> tuple[str, str] | None:
    """The sort that moves rows least, and why it was chosen; None where the values are no sorts."""
    sorts = _sorts(values)
    if not sorts:
        return None
    best = min(sorts, key=lambda sort: (_stability(sort.by, key)[0], not sort.rises))
    return best.value, _stability(best.by, key)[1]


def _stability(by: str, key: str) -> tuple[int, str]:
    if by == key.casefold():
        return 0, "by the key: the order is total and never changes"
    if by in {name.casefold() for name in _CREATED}:
        return 1, "never changes for a row; rows of the same instant may still change places"
    if by in _NAMES:
        return 2, "changes only when a row is renamed"
    if by in {name.casefold() for name in _CURSORS}:
        return 4, "the only sort there is: rows move while they are read, and the overlap of pages guards against gaps"
    return 3, "the steadiest sort there is; make sure that it does not change for a row"


def _pagination(found: ListOperation, document: Document) -> Iterator[str]:
    style = document.api.pagination
    wanted = paging_keys(document, found.endpoint)
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
        own = {k.name: getattr(style, k.name) for k in keys_of(type(style)) if getattr(style, k.name) != k.default}
        values = {"style": word, **own, "page_size": int(max(most))}
        pairs = ", ".join(
            f"{name}: {json.dumps(v) if isinstance(v, int) else _quoted(v)}" for name, v in values.items()
        )
        yield f"pagination: {{{pairs}}} # the most that the server takes"


def _count(endpoint: Endpoint, api: OpenApi) -> Iterator[str]:
    """The endpoint beside the list that answers with the number of its rows, if there is one."""
    beside = endpoint.path.rstrip("/").rsplit("/", 1)[0]
    for path in (f"{beside}/count", f"{endpoint.path.rstrip('/')}/count"):
        found = api.find(Endpoint(endpoint.method, path))
        if isinstance(found, Operation) and found.answer is not None and found.answer.kinds == {"integer"}:
            if found.body is None or not found.body.required:
                yield f"count: {Endpoint(endpoint.method, path)}"
            return


def _changes(found: ListOperation, document: Document, cursor: str | None) -> Iterator[str]:
    """An incremental reading, where a sort by the cursor proves that it finds what changed."""
    if cursor is None:
        yield "# No property tells when a row changed, so the whole list is sent at each sync."
        return
    if found.endpoint.method != "POST" or found.operation.body is None or not found.paged:
        return
    for name, shape in found.operation.body.properties.items():
        for sort in _sorts(shape.values or ()):
            if not sort.rises and sort.by == cursor.casefold():
                yield "# To ask only for what was updated since the last sync, put this in place of sync_mode above."
                yield "# Not seen then: rows that are deleted, which a full refresh finds, and changes that leave"
                yield f"# {cursor} alone."
                yield "#   sync_mode: incremental"
                query = f"{{body: {{{_quoted(name)}: {_quoted(sort.value)}}}, until: $.{cursor}}}"
                yield f"#   read: {{style: changes, queries: [{query}]}}"
                return


def _field(source: str, shape: Shape) -> str:
    path = _path(source)
    column, words = best_type(shape), _shortened(shape.description)
    if column == "STRING" and not words:
        return path
    pairs = [f"path: {path}"]
    pairs += [f"type: {column}"] if column != "STRING" else []
    pairs += [f"description: {_quoted(words)}"] if words else []
    return f"{{{', '.join(pairs)}}}"


def _path(source: str) -> str:
    """The JSONPath of a property, as YAML."""
    if re.fullmatch(r"[A-Za-z_]\w*", source, re.ASCII):
        return f"$.{source}"
    quote = "'" if "'" not in source else '"'
    return json.dumps(f"$[{quote}{source}{quote}]", ensure_ascii=not source.isprintable())


def _can_be_named(source: str) -> bool:
    """Whether a JSONPath can name the property: it has no way to escape a quote."""
    return "\\" not in source and not {"'", '"'} <= set(source)


def _shortened(text: str) -> str:
    """The first sentence on one line, and not too much of it."""
    words = " ".join(text.replace("${", "{").split())
    sentence = re.split(r"(?<!e\.g\.)(?<!i\.e\.)(?<=[.!?])\s", words, maxsplit=1)[0]
    if len(sentence) <= _DESCRIPTION_MAX:
        return sentence
    return f"{sentence[: _DESCRIPTION_MAX - 4].rsplit(' ', 1)[0]} ..."


def _quoted(text: str) -> str:
    """The text as a YAML scalar that is text to every reader, also between braces."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _YAML_WORDS:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _noun(endpoint: Endpoint) -> str:
    """What one record is: the last word of the path that is a plural, as a singular."""
    segments = [part for part in endpoint.path.split("/") if part and "{" not in part]
    plurals = [part for part in segments if part.endswith("s")]
    words = (plurals or segments or ["record"])[-1].replace("_", " ").replace("-", " ")
    return f"{words[:-3]}y" if words.endswith("ies") else words.removesuffix("s")


def _column(text: str, taken: Collection[str]) -> str:
    """A name that Fivetran takes as it is, and that is not taken."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    name = re.sub(r"[^a-z0-9]+", "_", snake.casefold()).strip("_")
    if not re.match("[a-z]", name):
        name = f"n_{name}".rstrip("_")
    number = 2
    unique = name
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique


def _column_names(columns: Mapping[str, Shape]) -> list[str]:
    names: list[str] = []
    for source in columns:
        names.append(_column(source, names))
    return names
