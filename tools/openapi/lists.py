"""The operations of an API that return lists of records, and whether the api's pagination fits them."""

from __future__ import annotations

from dataclasses import dataclass

from engine.declare.types import Endpoint
from engine.jsonpath import JsonPath, leading_steps
from engine.spec.dialect import Spec, Stream
from engine.spec.records import Records
from tools.openapi.document import OpenApi, Operation
from tools.openapi.shape import Absent, Shape
from tools.request_forms import paging_keys, request_forms


@dataclass(frozen=True)
class ListOperation:
    """An operation that returns a list of objects.

    Attributes:
        operation: The operation.
        records: The JSONPath of the list in the response.
        declared: Whether the api's own ``records`` has this path.
        record: The shape of an object in the list.
        paged: Whether the operation accepts what the api's pagination sends.
        one_record: Whether the operation returns a single record rather than a list.
    """

    operation: Operation
    records: str
    declared: bool
    record: Shape
    paged: bool
    one_record: bool = False

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint of the operation."""
        return self.operation.endpoint


def lists(api: OpenApi, spec: Spec) -> list[ListOperation]:
    """The list operations of an API, in the order of its document."""
    found = (list_operation(operation, spec) for operation in api.operations)
    return [one for one in found if one is not None]


def list_operation(operation: Operation, spec: Spec) -> ListOperation | None:
    """The operation as a list; None if its response has no list of objects or is not described."""
    if operation.response is None:
        return None
    paged = operation.takes(paging_keys(spec, operation.endpoint))
    for path in spec.api.records.list:
        record = record_at(operation.response, Records(list=(path,)))
        if record is not None and record.properties:
            return ListOperation(operation, path.text, True, record, paged)
    if "id" in operation.response.properties:
        return None  # a single record with a list among its properties
    inner = {name: shape.items for name, shape in operation.response.properties.items()}
    held = [(name, record) for name, record in inner.items() if record is not None and record.properties]
    if len(held) != 1:
        return None
    ((name, record),) = held
    return ListOperation(operation, f"$.{name}", False, record, paged)


def object_operation(operation: Operation, spec: Spec) -> ListOperation | None:
    """An operation that returns one record; None if it does not return an object or may change something."""
    if operation.response is None or operation.endpoint.method != "GET":
        return None
    for path in spec.api.records.list:
        record = object_at(operation.response, Records(list=(path,)))
        if record is not None and record.properties:
            return ListOperation(operation, path.text, True, record, False, one_record=True)
    if not operation.response.properties:
        return None
    return ListOperation(operation, "$", False, operation.response, False, one_record=True)


def record_at(response: Shape, records: Records) -> Shape | None:
    """The shape of a record, at the first path that leads to what the records can be in."""
    for path in records.paths:
        found = follow(response, path)
        if isinstance(found, Absent):
            continue
        value = found.values_of_properties if records.map else found.items
        if value is not None and (records.map or records.values or value.kinds & {"object", "any"}):
            return value
    return None


def object_at(response: Shape, records: Records) -> Shape | None:
    """The shape of a single record, at the first path that leads to a possible object."""
    for path in records.paths:
        found = follow(response, path)
        if not isinstance(found, Absent) and found.kinds & {"object", "any"}:
            return found
    return None


def record_of(api: OpenApi, spec: Spec, stream: Stream) -> Shape | None:
    """The shape of a stream's records, in its endpoint's response or in the list that its parent's records hold."""
    if stream.endpoint is None:
        parent = spec.parent_of(stream)
        holder = record_of(api, spec, parent) if parent else None
        return record_at(holder, stream.records) if holder else None
    operation = api.find(stream.endpoint)
    if not isinstance(operation, Operation) or operation.response is None:
        return None
    whole = next(request_forms(spec, stream), None)
    at = object_at if whole is not None and whole.one_record else record_at
    return at(operation.response, stream.records)


def follow(shape: Shape, path: JsonPath) -> Shape | Absent:
    """The shape at a path; any value if the path has more than names and indexes, such as a wildcard."""
    steps, plain = leading_steps(path.text)
    found = shape.follow(steps)
    return found if plain or isinstance(found, Absent) else shape.anything
