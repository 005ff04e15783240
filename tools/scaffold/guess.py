"""Guesses about an API, from the names and schemas in its OpenAPI document.

The document does not state which property identifies a row, which one shows that the row changed, which sort is stable,
or which POST only reads. Every convention that the scaffold relies on is in this module. A guess that can be wrong, or
that is not obvious, comes with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from engine.declare.types import Endpoint
from engine.nouns import singular
from engine.pagination import PAGINATION, Pagination
from engine.pagination.link import Link
from engine.pagination.offset import Offset
from engine.pagination.page_number import PageNumber
from engine.pagination.placed import parameter_of
from engine.pagination.token import Token
from engine.spec.types import KEY_TYPES
from tools.openapi.columns import best_type
from tools.openapi.document import PATH_PARAMETER, OpenApi, Operation
from tools.openapi.shape import Shape
from tools.scaffold.names import has_path, path_of, snake_case

READ_ONLY_POST_SUFFIXES: Final = ("filter", "search", "list", "query")
"""Words at the end of the path of a POST that only reads."""

_IDS: Final = ("id", "uuid", "guid", "identifier")
_OTHER_KEYS: Final = ("key", "slug", "name")
_KEY_SUFFIXES: Final = ("_id", "Id", "_key")
_CREATED: Final = ("created", "created_at", "createdAt", "inserted_at")
_UPDATED: Final = ("updated", "updated_at", "updatedAt", "modified", "modified_at", "last_modified", "last_updated")
_NAMES: Final = ("name", "key", "slug", "title")
_NEXT_PAGE: Final = ("next_page", "next", "next_link", "next_page_token", "next_token", "nextPageToken", "cursor")
_SINCE: Final = re.compile(r"(?i)(updated|modified|changed)(_?at)?[_\[.]?(since|after|gte|gt|from|min)\]?|since")
_SORTS: Final = ("sort", "sort_by", "sortBy", "order_by", "orderBy", "ordering")
_ORDERS: Final = ("direction", "order", "sort_order", "sortOrder", "sort_direction", "order_direction", "dir")
_SIZES: Final = ("limit", "per_page", "perPage", "page_size", "pageSize", "size", "max_results", "maxResults")
_OFFSETS: Final = ("offset", "skip", "start_at", "startAt")
_PAGES: Final = ("page", "page_number", "pageNumber")
_SORT: Final = re.compile(r"(?P<by>\w+?)[_:. ](?P<order>asc|desc)(ending)?", re.I)  # NAME_ASC, name:asc

T = TypeVar("T")


@dataclass(frozen=True)
class Guess(Generic[T]):
    """A value, and why it was chosen or what to check; an empty string if it is obvious."""

    value: T
    reason: str = ""


# --- endpoints --------------------------------------------------------------------------------------------------------


def only_reads(endpoint: Endpoint) -> bool:
    """Whether a request changes nothing, judged by its method or the last word of its path."""
    return endpoint.method == "GET" or endpoint.path.rstrip("/").rsplit("/", 1)[-1] in READ_ONLY_POST_SUFFIXES


def stream_name(endpoint: Endpoint) -> str:
    """A name for the stream of an endpoint: ``work_pools_queues`` for ``POST /work_pools/{name}/queues/filter``."""
    return snake_case("_".join(_words(endpoint)) or "records")


def record_noun(endpoint: Endpoint) -> str:
    """The noun for a record that an endpoint returns, from the last plural word of its path, or else the last word.

    ``POST /work_pools/{name}/queues/filter`` returns a queue, ``GET /user_access`` a user access.
    """
    words = _words(endpoint) or ["record"]
    plurals = [word for word in words if singular(word) != word]
    return noun((plurals or words)[-1])


def noun(plural: str) -> str:
    """The noun for one item of a list, from the list's name: ``flow run`` for ``flow_runs``."""
    return singular(plural.replace("_", " ").replace("-", " "))


def _words(endpoint: Endpoint) -> Sequence[str]:
    """The path's segments except parameters, ``..``, and the suffix of a POST that only reads."""
    return _without_suffix([part for part in endpoint.path.split("/") if part.strip(".") and "{" not in part])


def _without_suffix(segments: Sequence[str]) -> Sequence[str]:
    end = len(segments)
    while end > 1 and segments[end - 1].casefold() in READ_ONLY_POST_SUFFIXES:
        end -= 1
    return segments[:end]


def count_endpoint(endpoint: Endpoint, api: OpenApi) -> Endpoint | None:
    """The endpoint that returns the number of rows of a list: ``.../count`` beside the list or below it."""
    path = endpoint.path.rstrip("/")
    for candidate in (f"{path.rsplit('/', 1)[0]}/count", f"{path}/count"):
        found = api.find(Endpoint(endpoint.method, candidate))
        if isinstance(found, Operation) and found.response is not None and found.response.kinds == {"integer"}:
            needs_body = found.body is not None and found.body.required
            return None if needs_body else Endpoint(endpoint.method, candidate)
    return None


# --- properties -------------------------------------------------------------------------------------------------------


def primary_key(record: Shape) -> Guess[str] | None:
    """The property that identifies a record; None if no property can."""
    able = [name for name, shape in record.properties.items() if has_path(name) and best_type(shape) in KEY_TYPES]
    for name in (*_IDS, *_OTHER_KEYS, *(name for name in able if name.endswith(_KEY_SUFFIXES))):
        if name in able:
            return Guess(name, "" if name in _IDS else "no id property: check that this one is unique")
    return None


def cursor(record: Shape) -> str | None:
    """The property with the instant at which a record last changed; None if there is none."""
    shapes = record.properties
    return next((name for name in _UPDATED if name in shapes and best_type(shapes[name]) == "UTC_DATETIME"), None)


def held_lists(record: Shape) -> Iterator[tuple[str, Shape]]:
    """The properties that hold a list of objects, and the shape of these objects."""
    for name, shape in record.properties.items():
        items = shape.items
        if items is not None and items.properties and re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            yield name, items


# --- parents ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RequiredParameter:
    """A parameter without which a request cannot be sent: ``in_path``, or else in the query."""

    name: str
    in_path: bool

    @property
    def variable(self) -> str:
        """The name of its value in streams.yaml."""
        return snake_case(self.name)


def required_parameters(operation: Operation) -> Sequence[RequiredParameter]:
    """The parameters of the path, and those of the query that the server requires."""
    in_path = [RequiredParameter(name, True) for name in PATH_PARAMETER.findall(operation.endpoint.path)]
    return [*in_path, *(RequiredParameter(name, False) for name, (_, must) in operation.query.items() if must)]


def parent_property(parameter: RequiredParameter, child: Endpoint, parent: Endpoint, record: Shape) -> str | None:
    """The property of a parent's records that has the value of a child's parameter; None if there is none.

    ``/work_pools/{name}/queues`` takes the ``name`` of the records at ``/work_pools``; a query parameter
    ``flow_run_id`` takes the ``id`` of flow runs.
    """
    short = parameter.variable.removeprefix(f"{snake_case(record_noun(parent))}_")
    candidates = [short] if short != parameter.variable else []
    if parameter.in_path:
        above = child.path.partition(f"{{{parameter.name}}}")[0].strip("/")
        own = [part for part in parent.path.split("/") if part]
        if above.removesuffix(f"/{parameter.name}") != "/".join(_without_suffix(own)):
            return None
        candidates = [parameter.name, short]
    shapes = record.properties
    return next((name for name in candidates if name in shapes and best_type(shapes[name]) in KEY_TYPES), None)


# --- sorts ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sort:
    """Parameters that sort a list: by which property, in lower case, and whether it ascends."""

    sent: Mapping[str, str]
    by: str
    ascends: bool


def stable_sort(operation: Operation, key: str) -> Guess[Mapping[str, str]] | None:
    """The parameters that move rows least while they are read; None if the request has no sort that is listed.

    Args:
        operation: The list.
        key: The property that identifies a record.
    """
    found = sorts(operation)
    if not found:
        return None
    best = min(found, key=lambda one: (_stability(one.by, key)[0], not one.ascends))
    return Guess(best.sent, _stability(best.by, key)[1])


def newest_first(operation: Operation, cursor: str) -> Mapping[str, str] | None:
    """The parameters that sort by the cursor, descending; None if the request has no such sort."""
    wanted = {cursor.casefold(), *([_short(cursor)] if cursor in _UPDATED else [])}
    return next((one.sent for one in sorts(operation) if not one.ascends and one.by in wanted), None)


def _short(name: str) -> str:
    """A property as sorts name it: ``updated`` for ``updated_at``."""
    return re.sub(r"(_at|At)$", "", name).casefold()


def sorts(operation: Operation) -> list[Sort]:
    """The sorts that the document lists: NAME_ASC or name:asc, name and -name, or a name and a direction beside it."""
    listed = {
        name: [v for v in shape.values or () if isinstance(v, str)] for name, shape in _parameters(operation).items()
    }
    for name, values in listed.items():
        found = [Sort({name: value}, by, ascends) for value, by, ascends in _in_one(values)]
        if found:
            return found
    by_name = next((name for name in _SORTS if listed.get(name)), None)
    order = next((name for name in _ORDERS if name != by_name and _directions(listed.get(name, ()))), None)
    if by_name is None or order is None:
        return []
    directions = _directions(listed[order])
    return [
        Sort({by_name: value, order: word}, value.casefold(), ascends)
        for value in listed[by_name]
        for word, ascends in directions.items()
    ]


def free_sort(operation: Operation) -> str | None:
    """The parameter that sorts a list by values which the document does not list; None if there is none."""
    taken = _parameters(operation)
    return next((name for name in _SORTS if name in taken and not taken[name].values), None)


def _in_one(values: Sequence[str]) -> list[tuple[str, str, bool]]:
    """The values of a parameter as sorts, by which property and whether they ascend. Empty if any is something else."""
    if any(text.startswith("-") for text in values):
        return [(text, text.lstrip("-").casefold(), not text.startswith("-")) for text in values]
    matches = [_SORT.fullmatch(text) for text in values]
    found = [(m[0], m["by"].casefold(), m["order"].casefold() == "asc") for m in matches if m is not None]
    return found if len(found) == len(values) else []


def _directions(values: Sequence[str]) -> Mapping[str, bool]:
    """The values of a parameter that is a direction, and whether each ascends; empty if it is something else."""
    found = {
        value: value.casefold().startswith("asc") for value in values if re.fullmatch(r"(?i)(asc|desc)(ending)?", value)
    }
    return found if len(found) == len(values) else {}


def _stability(by: str, key: str) -> tuple[int, str]:
    """How much rows move in a sort by a property: 0 for not at all. And why."""
    if by == key.casefold():
        return 0, "by the primary key: the order is total and never changes"
    if by in {name.casefold() for name in _CREATED}:
        return 1, "never changes for a row; rows of the same instant may swap places"
    if by in _NAMES:
        return 2, "changes only when a row is renamed"
    if by in {name.casefold() for name in _UPDATED}:
        return 4, "the only sort: rows move during the read, and overlapping pages guard against gaps"
    return 3, "the most stable sort that the server offers; check that it never changes for a row"


def _parameters(operation: Operation) -> Mapping[str, Shape]:
    """The parameters that select and sort rows: in the query of a GET, in the body of a POST."""
    if operation.endpoint.method == "GET":
        return {name: shape for name, (shape, _) in operation.query.items()}
    return operation.body.properties if operation.body is not None else {}


# --- pages ------------------------------------------------------------------------------------------------------------


def largest_page(operation: Operation, style: Pagination) -> int | None:
    """The server's maximum page size, if it is below the page size of a style; otherwise None."""
    if isinstance(style, (Link, Token)) or style.page_size is None:
        return None
    parameter = parameter_of("size", {**style.query, **style.body}) or style.usual.get("size", "")
    limit = operation.value(parameter)
    maxima = [int(form["maximum"]) for form in (limit.forms if limit else ()) if "maximum" in form]
    return max(maxima) if maxima and max(maxima) < style.page_size else None


def counted_pagination(operation: Operation) -> Mapping[str, Any] | None:
    """Pagination by an offset or a page number, by the names of the parameters; None if there are none."""
    taken = _parameters(operation)
    size = next((name for name in _SIZES if name in taken), None)
    for style, variable, names in ((Offset, "offset", _OFFSETS), (PageNumber, "page", _PAGES)):
        at = next((name for name in names if name in taken), None)
        if size is None or at is None:
            continue
        sent = {"size": size, variable: at}
        unusual = {name: f"${variable}" for variable, name in sent.items() if style.usual[variable] != name}
        return {
            "style": PAGINATION.style_of(style()),
            **({"query" if operation.endpoint.method == "GET" else "body": unusual} if unusual else {}),
            **_limits(taken[size], taken[at], is_page=variable == "page"),
        }
    return None


def _limits(size: Shape, at: Shape, *, is_page: bool) -> Mapping[str, int]:
    """The page size, if the server's maximum is below the default, and the first page, if it is 0."""
    maxima = [int(form["maximum"]) for form in size.forms if "maximum" in form]
    most = {"page_size": max(maxima)} if maxima and max(maxima) < Offset().page_size else {}
    is_zero = is_page and any(0 in (form.get("minimum"), form.get("default")) for form in at.forms)
    return {**most, **({"first": 0} if is_zero else {})}


def changed_since(operation: Operation) -> str | None:
    """The query parameter of a GET that selects the rows which changed since an instant; None if there is none."""
    if operation.endpoint.method != "GET":
        return None
    able = {name for name, (shape, _) in operation.query.items() if shape.kinds & {"date-time", "string", "any"}}
    names = [name for name in operation.query if name in able and _SINCE.fullmatch(name)]
    return min(names, key=lambda name: name.casefold() == "since", default=None)


def token_pagination(operation: Operation, api: OpenApi) -> Mapping[str, Any] | None:
    """Pagination by token, if a response links to the next page and ``GET .../next`` takes a single parameter."""
    properties = operation.response.properties if operation.response is not None else {}
    link = next((name for name in _NEXT_PAGE if name in properties), None)
    following = api.find(Endpoint("GET", f"{operation.endpoint.path.rstrip('/')}/next"))
    if link is None or not isinstance(following, Operation) or len(following.query) != 1:
        return None
    (parameter,) = following.query
    total = {"total": "$.total"} if "total" in properties else {}
    return {
        "style": "token",
        "token": path_of(link),
        "query": {parameter: "$token"},
        "endpoint": following.endpoint,
        **total,
    }
