"""Which declared stream's rows hold what another list must be asked with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.declare.types import PATH_VALUE, Endpoint
from engine.spec.dialect import Spec, Stream
from engine.spec.types import KEY_TYPES
from tools.openapi.columns import best_type
from tools.openapi.document import OpenApi, Operation
from tools.openapi.lists import READING, ListOperation, record_of
from tools.openapi.shape import Shape
from tools.openapi.wording import noun, snake_case


@dataclass(frozen=True)
class Wanted:
    """A value without which a list cannot be asked: the parameter, and whether it is part of the path."""

    parameter: str
    in_path: bool

    @property
    def name(self) -> str:
        """As streams.yaml calls the value."""
        return snake_case(self.parameter, ())


@dataclass(frozen=True)
class ParentRow:
    """Where a wanted value stands: in a property of a stream's records, each of which is called ``noun``."""

    stream: str
    noun: str
    source: str


def wanted_values(operation: Operation) -> Sequence[Wanted]:
    """What a request needs in its path, and in its query where the server requires it."""
    in_path = [Wanted(name, True) for name in PATH_VALUE.findall(operation.endpoint.path)]
    return [*in_path, *(Wanted(name, False) for name, (_, required) in operation.query.items() if required)]


def parent_row(found: ListOperation, wanted: Wanted, api: OpenApi, spec: Spec) -> ParentRow | None:
    """The stream whose rows hold a wanted value; None where none is declared of which that can be told.

    ``/work_pools/{name}/queues`` wants what the rows of the list at ``/work_pools`` have as ``name``; a parameter
    ``flow_run_id`` what those of flow runs have as ``id``.
    """
    for stream in spec.streams.values():
        if stream.endpoint is None or stream.parent is not None:
            continue
        record = record_of(api, spec, stream)
        source = _source(found.endpoint, wanted, stream.endpoint, record) if record is not None else None
        if source is not None:
            return ParentRow(stream.name, noun(stream.endpoint).replace(" ", "_"), source)
    return None


def _source(child: Endpoint, wanted: Wanted, parent: Endpoint, record: Shape) -> str | None:
    own = noun(parent).replace(" ", "_")
    short = wanted.name.removeprefix(f"{own}_")
    if wanted.in_path:
        below = child.path.partition(f"{{{wanted.parameter}}}")[0].strip("/")
        if below.removesuffix(f"/{wanted.parameter}") != collection(parent):
            return None
        candidates = [wanted.parameter, short]
    else:
        candidates = [short] if short != wanted.name else []
    fit = (name for name in candidates if name in record.properties and best_type(record.properties[name]) in KEY_TYPES)
    return next(fit, None)


def collection(endpoint: Endpoint) -> str:
    """The path of a list without the words that only say that it is read: ``flow_runs`` of ``/flow_runs/filter``."""
    segments = [part for part in endpoint.path.split("/") if part]
    while len(segments) > 1 and segments[-1].casefold() in READING:
        segments.pop()
    return "/".join(segments)


def stream_of(operation: Operation, spec: Spec) -> Stream | None:
    """The declared stream that reads an operation's list, if one does."""
    return next((one for one in spec.streams.values() if one.endpoint == operation.endpoint), None)


def held_lists(record: Shape) -> Iterator[tuple[str, Shape]]:
    """The lists of objects that each record holds, by the property's name."""
    for name, shape in record.properties.items():
        items = shape.items
        if items is not None and items.properties and re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            yield name, items
