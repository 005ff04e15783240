"""The staging layer of the dbt package in dbt/: sources and staging models, with data tests, from streams.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from engine.nouns import singular
from engine.spec.dialect import Spec, Stream

HEADER: Final = "Generated from streams.yaml by `python -m engine generate`."
PREFIXED: Final = frozenset({"id", "name", "type", "status", "timestamp", "message", "trigger", "tag", "permissions"})
"""Columns that are named after their table in a staging model: `id` of flows is `flow_id`. Some are reserved words."""

RENAMED: Final[Mapping[str, str]] = {
    "created": "created_at",
    "updated": "updated_at",
    "paused": "is_paused",
    "active": "is_active",
    "enabled": "is_enabled",
    "auto_scheduled": "is_auto_scheduled",
}
_CASTS: Final[Mapping[str, str]] = {
    "STRING": "cast({} as {{{{ dbt.type_string() }}}})",
    "UTC_DATETIME": "{{{{ prefect.utc('{}') }}}}",
    "BOOLEAN": "cast({} as {{{{ dbt.type_boolean() }}}})",
    "INT": "cast({} as {{{{ dbt.type_int() }}}})",
    "LONG": "cast({} as {{{{ dbt.type_bigint() }}}})",
    "DOUBLE": "cast({} as {{{{ prefect.type_double() }}}})",
    "JSON": "{{{{ prefect.json('{}') }}}}",
}
"""How a staging model casts a column."""

FIVETRAN: Final[Mapping[str, str]] = {"_fivetran_synced": "_fivetran_synced", "_fivetran_deleted": "is_deleted"}


def package(spec: Spec) -> Mapping[str, str]:
    """The generated files of the package and their contents, by their paths in models/staging."""
    files = {"source.yml": _sources(spec), "staging.yml": _staging(spec)}
    for stream in spec.streams.values():
        files[f"base/{base_model(stream)}.sql"] = _base(stream)
        files[f"{staging_model(stream)}.sql"] = _live(stream)
    return files


def base_model(stream: Stream) -> str:
    """The model with all rows, also the soft-deleted ones."""
    return f"base_prefect__{stream.destination_table}"


def staging_model(stream: Stream) -> str:
    """The model with the rows that are not deleted."""
    return f"stg_prefect__{stream.destination_table}"


def staged_names(stream: Stream) -> Mapping[str, str]:
    """The names of a table's columns in its staging model."""
    table = stream.destination_table
    prefix = "state" if table.endswith("_run_states") else singular(table)  # as flow_runs has state_type, state_name
    renamed = {name: f"{prefix}_{name}" if name in PREFIXED else RENAMED.get(name, name) for name in stream.fields}
    assert len(set(renamed.values())) == len(renamed), f"two columns of {table} get one name"
    return renamed


def _base(stream: Stream) -> str:
    names = {**staged_names(stream), **FIVETRAN}
    columns = ",\n".join(f"        '{name}': '{staged}'" for name, staged in names.items())
    casts = "".join(
        f",\n    {_cast(column.type, staged)} as {staged}"
        for column, staged in zip(stream.fields.values(), names.values(), strict=False)
    )
    return (
        f"-- {HEADER}\n{_enabled(stream)}\nwith connections as (\n\n"
        f"    {{{{ prefect.connections('{stream.destination_table}', {{\n{columns}\n    }}) }}}}\n\n)\n\n"
        f"select\n    source_relation{casts},\n    {_cast('UTC_DATETIME', '_fivetran_synced')} as _fivetran_synced,\n"
        "    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted\nfrom connections\n"
    )


def _live(stream: Stream) -> str:
    columns = "".join(f",\n    {name}" for name in [*staged_names(stream).values(), "_fivetran_synced"])
    return (
        f"-- {HEADER}\n{_enabled(stream)}\nselect\n    source_relation{columns}\n"
        f"from {{{{ ref('{base_model(stream)}') }}}}\nwhere not is_deleted\n"
    )


def _cast(column_type: str, name: str) -> str:
    return _CASTS[column_type].format(name) if column_type in _CASTS else name


def _using(stream: Stream) -> str:
    return f"var('prefect__using_{stream.destination_table}', {str(stream.enabled).lower()})"


def _enabled(stream: Stream) -> str:
    return f"{{{{ config(enabled={_using(stream)}) }}}}\n"


def _sources(spec: Spec) -> str:
    source = {
        "name": "prefect",
        "description": f"Synced from {spec.title} by Fivetran.",
        "database": "{% if target.type != 'spark' %}{{ var('prefect_database', target.database) }}{% endif %}",
        "schema": "{{ var('prefect_schema', 'prefect') }}",
        "loader": "Fivetran",
        "config": {"enabled": "{{ var('prefect_sources', []) == [] }}"},
        "tables": [_source(stream) for stream in spec.streams.values()],
    }
    return _yaml({"version": 2, "sources": [source]})


def _source(stream: Stream) -> dict[str, Any]:
    config: dict[str, Any] = {"enabled": f"{{{{ {_using(stream)} and var('prefect_sources', []) == [] }}}}"}
    if stream.incremental is not None and stream.incremental.open is not None:  # changes whenever Prefect runs anything
        config["loaded_at_field"] = "_fivetran_synced"
        config["freshness"] = {
            "warn_after": {"count": 72, "period": "hour"},
            "error_after": {"count": 168, "period": "hour"},
        }
    return {
        "name": stream.destination_table,
        "identifier": f"{{{{ var('prefect_{stream.destination_table}_identifier', '{stream.destination_table}') }}}}",
        "description": stream.description,
        "config": config,
        "columns": [_described(name, column.description) for name, column in stream.fields.items()],
    }


def _staging(spec: Spec) -> str:
    return _yaml({"version": 2, "models": [_model(spec, stream) for stream in spec.streams.values()]})


def _model(spec: Spec, stream: Stream) -> dict[str, Any]:
    names = staged_names(stream)
    key = ["source_relation", *(names[name] for name in stream.primary_key)]
    columns = [_described("source_relation", "The connection and, of several, the workspace that the row is from.")]
    for name, column in stream.fields.items():
        described = _described(names[name], column.description)
        if column.references is not None:
            target = spec.streams[column.references.table]
            described["data_tests"] = [
                {
                    "prefect.refers_to": {
                        "arguments": {
                            "to": f"ref('{base_model(target)}')",
                            "field": staged_names(target)[column.references.column],
                        },
                        "config": {"severity": "warn", "enabled": f"{{{{ {_using(target)} }}}}"},
                    }
                }
            ]
        columns.append(described)
    return {
        "name": staging_model(stream),
        "description": f"{stream.description} Without deleted rows.",
        "data_tests": [{"prefect.unique_key": {"arguments": {"columns": key}}}],
        "columns": columns,
    }


def _described(name: str, description: str | None) -> dict[str, Any]:
    return {"name": name, "description": description} if description else {"name": name}


def _yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
    return f"# {HEADER}\n{text}"
