"""docs/dbt/sources.yml: the tables as dbt sources, with descriptions and data tests."""

from __future__ import annotations

from typing import Any

import yaml

from engine.spec.dialect import Field, Spec, Stream


def sources(spec: Spec) -> str:
    """The file, in YAML. Its `data_tests` need dbt 1.8 or newer."""
    name = "".join(c if c.isalnum() else "_" for c in spec.title.lower())
    source = {
        "name": name,
        "description": f"Synced from {spec.title} by Fivetran.",
        "schema": f"{{{{ var('{name}_schema', '{name}') }}}}",
        "loaded_at_field": "_fivetran_synced",
        "tables": [_table(name, stream) for stream in spec.streams.values()],
    }
    text: str = yaml.safe_dump({"version": 2, "sources": [source]}, sort_keys=False, allow_unicode=True, width=120)
    return f"# Generated from streams.yaml by `python -m engine generate`.\n{text}"


def _table(source: str, stream: Stream) -> dict[str, Any]:
    return {
        "name": stream.destination_table,
        "description": stream.description,
        "columns": [_column(source, stream, name, column) for name, column in stream.fields.items()],
    }


def _column(source: str, stream: Stream, name: str, column: Field) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name}
    if column.description:
        found["description"] = column.description
    tests: list[Any] = []
    if stream.primary_key == (name,):
        tests += ["unique", "not_null"]
    elif name in stream.primary_key:
        tests += ["not_null"]
    if column.references is not None:
        # Severity warn: a run may outlive its deployment, and the other table may be off.
        to = f"source('{source}', '{column.references.table}')"
        arguments = {"to": to, "field": column.references.column}
        tests.append({"relationships": {**arguments, "config": {"severity": "warn", "where": "not _fivetran_deleted"}}})
    if tests:
        found["data_tests"] = tests
    return found
