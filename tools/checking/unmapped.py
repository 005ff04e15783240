"""What an API offers and streams.yaml does not read: lists that no stream reads, properties that no column maps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import shorten
from typing import Final

from engine.declare.node import Node
from engine.declare.types import Endpoint
from engine.jsonpath import leading_steps
from engine.spec.dialect import Spec, Stream
from tools.checking.findings import Finding, Place, locate
from tools.openapi.columns import best_type
from tools.openapi.document import OpenApi
from tools.openapi.lists import lists, record_of
from tools.request_forms import request_forms
from tools.scaffold.guess import only_reads

_NAMES_MAX: Final = 8  # properties in a message
_DESCRIPTION_MAX: Final = 120  # characters


def unread_lists(api: OpenApi, spec: Spec, root: Node) -> Iterator[Finding]:
    """A note for each list operation, of those that only read, that is no stream's endpoint.

    A stream may send requests to such a list for another purpose: to its change feed, for example.
    """

    def known(endpoint: Endpoint) -> tuple[str, str | None]:
        return endpoint.method, api.known_path(endpoint)

    streams = spec.streams.values()
    read = {known(stream.endpoint) for stream in streams if stream.endpoint is not None}
    requested = {
        (known(form.endpoint), stream.name): None for stream in streams for form in request_forms(spec, stream)
    }
    for one in lists(api, spec):
        if known(one.endpoint) in read or not (one.paged or only_reads(one.endpoint)):
            continue
        by = ", ".join(name for endpoint, name in requested if endpoint == known(one.endpoint))
        remarks = [*([] if one.paged else ["does not accept api.pagination"]), *([f"requested by {by}"] if by else [])]
        remark = f" ({'; '.join(remarks)})" if remarks else ""
        names = list(one.record.properties)
        columns = f"{', '.join(names[:_NAMES_MAX])}{' ...' if len(names) > _NAMES_MAX else ''}"
        yield _note(root, ("streams",), f"no stream reads {one.endpoint}{remark}: {columns}")


def unmapped_properties(api: OpenApi, spec: Spec, streams: Iterable[Stream], root: Node) -> Iterator[Finding]:
    """A note for each property of the streams' records that no column maps, not even in part."""
    for stream in streams:
        record = record_of(api, spec, stream)
        columns = stream.fields.values()
        paths = [path for column in columns for path in (*column.path, *([column.present] if column.present else []))]
        mapped = {leading_steps(path.text)[0][:1] for path in paths}
        for name, shape in record.properties.items() if record else ():
            if (name,) not in mapped:
                message = f'no column maps "{name}" ({best_type(shape)})'
                if shape.description:
                    message += f": {shorten(shape.description, _DESCRIPTION_MAX, placeholder=' ...')}"
                yield _note(root, ("streams", stream.name, "fields"), message, stream.name)


def _note(root: Node, place: Place, message: str, stream: str | None = None) -> Finding:
    return Finding(**vars(locate(root, place, message)), level="note", stream=stream, aspect="unmapped")
