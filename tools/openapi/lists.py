"""Which operations of an API answer with lists of records, and how they are paged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from engine.declare.types import Endpoint
from engine.jsonpath import JsonPath, leading_steps
from engine.spec.dialect import Spec, Stream
from tools.openapi.document import OpenApi, Operation
from tools.openapi.shape import Absent, Shape
from tools.request_forms import RequestForm, paged, request_forms

READING: Final = ("filter", "search", "list", "query")
"""Words at the end of a path by which a POST request asks for rows."""


@dataclass(frozen=True)
class ListOperation:
    """An operation that answers with a list of objects.

    Attributes:
        operation: The operation.
        records: The JSONPath of the list in the answer.
        declared: Whether the api's own ``records`` finds it.
        record: What one of them is.
        paged: Whether the request takes what the api's pagination sends.
        one_record: Whether the answer is no list, but one record.
    """

    operation: Operation
    records: str
    declared: bool
    record: Shape
    paged: bool
    one_record: bool = False

    @property
    def endpoint(self) -> Endpoint:
        """What is asked."""
        return self.operation.endpoint

    @property
    def only_reads(self) -> bool:
        """Whether the request changes nothing, by its method or by the last word of its path."""
        return self.endpoint.method == "GET" or self.endpoint.path.rstrip("/").rsplit("/", 1)[-1] in READING


def lists(api: OpenApi, spec: Spec) -> list[ListOperation]:
    """The list operations of an API, in its document's order."""
    found = (list_operation(operation, spec) for operation in api.operations)
    return [one for one in found if one is not None]


def list_operation(operation: Operation, spec: Spec) -> ListOperation | None:
    """The operation as a list; None where its answer holds no list of objects, or the document does not say."""
    if operation.answer is None:
        return None
    paged = operation.takes(paging_keys(spec, operation.endpoint))
    for path in spec.api.records:
        record = record_at(operation.answer, [path])
        if record is not None and record.properties:
            return ListOperation(operation, path.text, True, record, paged)
    if "id" in operation.answer.properties:
        return None  # a record of its own, which holds a list among other things
    inner = {name: shape.items for name, shape in operation.answer.properties.items()}
    held = [(name, record) for name, record in inner.items() if record is not None and record.properties]
    if len(held) != 1:
        return None
    ((name, record),) = held
    return ListOperation(operation, f"$.{name}", False, record, paged)


def object_operation(operation: Operation, spec: Spec) -> ListOperation | None:
    """An operation that answers with one record; None where its answer is no object, or it may change something."""
    if operation.answer is None or operation.endpoint.method != "GET":
        return None
    for path in spec.api.records:
        record = object_at(operation.answer, [path])
        if record is not None and record.properties:
            return ListOperation(operation, path.text, True, record, False, one_record=True)
    if not operation.answer.properties:
        return None
    return ListOperation(operation, "$", False, operation.answer, False, one_record=True)


def paging_keys(spec: Spec, endpoint: Endpoint) -> Sequence[str]:
    """The names under which the api's pagination sends its values to an endpoint."""
    forms = paged(spec, None, RequestForm(endpoint, ()), ())
    return list(dict.fromkeys(name for form in forms for sent in form.sent for name in sent.values))


def record_at(answer: Shape, paths: Iterable[JsonPath]) -> Shape | None:
    """What a record of an answer is, by the first path that leads to a list which can hold objects."""
    for path in paths:
        found = follow(answer, path)
        items = None if isinstance(found, Absent) else found.items
        if items is not None and items.kinds & {"object", "any"}:
            return items
    return None


def object_at(answer: Shape, paths: Iterable[JsonPath]) -> Shape | None:
    """What the one record of an answer is, by the first path that leads to what can be an object."""
    for path in paths:
        found = follow(answer, path)
        if not isinstance(found, Absent) and found.kinds & {"object", "any"}:
            return found
    return None


def record_of(api: OpenApi, spec: Spec, stream: Stream) -> Shape | None:
    """What a record of a stream is: of its endpoint's answer, or of the list that its parent's records hold."""
    if stream.endpoint is None:
        holder = record_of(api, spec, spec.streams[stream.parent.stream]) if stream.parent else None
        return record_at(holder, stream.records or ()) if holder else None
    operation = api.find(stream.endpoint)
    if not isinstance(operation, Operation) or operation.answer is None:
        return None
    whole = next(request_forms(spec, stream), None)
    at = object_at if whole is not None and whole.one_record else record_at
    return at(operation.answer, stream.records or ())


def follow(shape: Shape, path: JsonPath) -> Shape | Absent:
    """What stands at a path. Where more steps follow than those that name one place, it could be anything."""
    steps, plain = leading_steps(path.text)
    found = shape.follow(steps)
    return found if plain or isinstance(found, Absent) else Shape(shape.root, ({},))
