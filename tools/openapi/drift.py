"""What an API offers that streams.yaml does not read, and what streams.yaml reads that the API does not offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.declare.types import Endpoint
from engine.jsonpath import leading_steps
from engine.spec.dialect import Spec, Stream
from tools.openapi.document import NoOperation, OpenApi, Operation
from tools.openapi.lists import ListOperation, follow, lists, record_of
from tools.openapi.shape import Absent, Shape
from tools.request_forms import request_forms


@dataclass(frozen=True)
class Drift:
    """The differences.

    Attributes:
        lists: Lists that no stream copies.
        asked_by: For an endpoint, the streams that ask it on the way to their own rows.
        properties: For each stream, the properties of its records that no column maps.
        endpoints: For each stream, what it asks that the API does not have.
        columns: For each stream, the columns that no property of its records fills.
    """

    lists: Sequence[ListOperation]
    asked_by: Mapping[Endpoint, Sequence[str]]
    properties: Mapping[str, Mapping[str, Shape]]
    endpoints: Mapping[str, Sequence[Endpoint]]
    columns: Mapping[str, Sequence[str]]


def drift(api: OpenApi, spec: Spec) -> Drift:
    """Compare an API's document with streams.yaml."""
    copied: set[Endpoint] = set()
    asked_by: dict[Endpoint, list[str]] = {}
    properties: dict[str, Mapping[str, Shape]] = {}
    endpoints: dict[str, list[Endpoint]] = {}
    columns: dict[str, list[str]] = {}
    for stream in spec.streams.values():
        for endpoint in dict.fromkeys(template.endpoint for template in request_forms(spec, stream)):
            found = api.find(endpoint)
            if isinstance(found, NoOperation) and found.outside:
                continue  # the document need not tell of what lies above the base URL
            if isinstance(found, NoOperation):
                endpoints.setdefault(stream.name, []).append(endpoint)
            else:
                asked_by.setdefault(found.endpoint, []).append(stream.name)
        whole = api.find(stream.endpoint) if stream.endpoint else None
        if isinstance(whole, Operation):
            copied.add(whole.endpoint)
        record = record_of(api, spec, stream)
        if record is not None:
            if unmapped := _unmapped(stream, record):
                properties[stream.name] = unmapped
            if unfilled := _unfilled(stream, record):
                columns[stream.name] = unfilled
    unread = [one for one in lists(api, spec) if one.endpoint not in copied and (one.paged or one.only_reads)]
    return Drift(unread, asked_by, properties, endpoints, columns)


def _unmapped(stream: Stream, record: Shape) -> Mapping[str, Shape]:
    first_steps = {leading_steps(path.text)[0][:1] for column in stream.fields.values() for path in column.path}
    return {name: shape for name, shape in record.properties.items() if (name,) not in first_steps}


def _unfilled(stream: Stream, record: Shape) -> list[str]:
    return [
        name
        for name, column in stream.fields.items()
        if all(isinstance(follow(record, path), Absent) for path in column.path)
    ]
