"""docs/streams.md: all tables at a glance, how they reference each other, and for each its promise and its columns."""

from __future__ import annotations

from collections.abc import Iterator

from engine.spec.dialect import Field, Spec, Stream
from tools.docgen.promise import promise


def page(spec: Spec) -> str:
    """The whole page, in Markdown."""
    return "".join(_page(spec))


def _page(spec: Spec) -> Iterator[str]:
    yield f"# Tables of the {spec.title} connector\n\n"
    yield "Generated from streams.yaml by `python -m engine generate`.\n\n"
    yield from _summary(spec)
    yield "\nFivetran adds `_fivetran_synced` and `_fivetran_deleted` to each table. "
    defaults = [f"`{name}: {setting.default}`" for name, setting in spec.configuration.items() if setting.default]
    yield f"What follows holds for the default settings{': ' if defaults else ''}{', '.join(defaults)}.\n\n"
    if (partitions := spec.api.partitions) is not None:
        columns = " and ".join(f"`{name}`" for name in partitions.columns)
        yield f"In a connection of several {partitions.noun}, each table begins with {columns}, which is part of its "
        yield f"primary key and of each reference. Tables that are the same in all {partitions.noun} say so.\n\n"
    yield from _diagram(spec)
    for stream in spec.streams.values():
        yield from _stream(spec, stream)


def _summary(spec: Spec) -> Iterator[str]:
    yield "| Table | One row is | Sync mode | By default |\n| --- | --- | --- | --- |\n"
    for stream in spec.streams.values():
        row = stream.description.split(". ")[0].rstrip(".").removeprefix("One row per ")
        on = "on" if stream.enabled else "off"
        table = stream.destination_table
        yield f"| [{table}](#{table}) | {_cell(row)} | {_mode(stream)} | {on} |\n"


def _stream(spec: Spec, stream: Stream) -> Iterator[str]:
    yield f"\n## {stream.destination_table}\n\n{stream.description}\n\n"
    yield f"- {_source(stream)}\n"
    by = f", by `{stream.cursor_field}`" if stream.sync_mode == "incremental" and stream.cursor_field else ""
    yield f"- Sync mode: {_mode(stream)}{by}\n"
    if stream.availability:
        yield f"- Available on: {stream.availability}. Elsewhere, the stream is skipped with a warning.\n"
    if not stream.enabled:
        yield "- Off by default.\n"
    if (partitions := spec.api.partitions) is not None and not spec.is_in_partitions(stream):
        yield f"- The same in all {partitions.noun}: read once.\n"
    for sentence in promise(spec, stream):
        yield f"- {sentence}\n"
    yield "\n| Column | Type | Meaning |\n| --- | --- | --- |\n"
    for name, column in stream.fields.items():
        key = " (primary key)" if name in stream.primary_key else ""
        yield f"| {name} | {column.type}{key} | {_cell(_meaning(column))} |\n"


def _source(stream: Stream) -> str:
    if stream.parent is None:
        return f"Endpoint: `{stream.endpoint}`"
    if stream.endpoint is None:
        return f"Source: the records of {stream.parent.name}"
    rows = f"rows of {stream.parent.name}" if stream.parent.stream else "each value in the settings"
    return f"Endpoint: `{stream.endpoint}`, for {rows}"


def _mode(stream: Stream) -> str:
    return stream.sync_mode.replace("_", " ")


def _meaning(column: Field) -> str:
    parts = [column.description or ""]
    if column.references is not None:
        parts.append(f"References {column.references}.")
    if column.availability is not None:
        parts.append(f"{column.availability} only.")
    if column.volatile:
        parts.append("The value when the row was last sent.")
    return " ".join(part for part in parts if part)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _diagram(spec: Spec) -> Iterator[str]:
    """How tables reference each other, as a Mermaid entity-relationship diagram."""
    yield "```mermaid\nerDiagram\n"
    for stream in spec.streams.values():
        for name, column in stream.fields.items():
            if column.references is not None:
                yield f'    {column.references.table} ||--o{{ {stream.destination_table} : "{name}"\n'
    for stream in spec.streams.values():
        shown = [
            f"        {column.type} {name}{_role(stream, name)}\n"
            for name, column in stream.fields.items()
            if name in stream.primary_key or column.references or name == stream.cursor_field
        ]
        yield "".join([f"    {stream.destination_table} {{\n", *shown, "    }\n"])
    yield "```\n"


def _role(stream: Stream, name: str) -> str:
    if name in stream.primary_key:
        return " PK"
    return " FK" if stream.fields[name].references else ""
