"""dbt/models/staging: every table as a source and as a staging model, with data tests."""

from __future__ import annotations

import re

from tests.specs import parsed, shipped
from tools.docgen.dbt_package import base_model, package, staged_names, staging_model

SPEC = shipped()
FILES = package(SPEC)


def test_every_table_is_a_source_and_two_models() -> None:
    """One with all rows, and one without the deleted ones, which has the same columns."""
    (source,) = parsed(FILES["source.yml"])["sources"]
    described = {model["name"]: model for model in parsed(FILES["staging.yml"])["models"]}
    assert [table["name"] for table in source["tables"]] == [s.destination_table for s in SPEC.streams.values()]
    for stream in SPEC.streams.values():
        base, staged = FILES[f"base/{base_model(stream)}.sql"], FILES[f"{staging_model(stream)}.sql"]
        columns = ["source_relation", *staged_names(stream).values()]
        assert [column["name"] for column in described[staging_model(stream)]["columns"]] == columns
        assert re.findall(r"^    (\w+),?$", staged, re.MULTILINE) == [*columns, "_fivetran_synced"]
        assert all(re.search(rf"\b{column}\b", base) for column in columns)
        assert "where not is_deleted" in staged


def test_columns_have_one_name_in_all_models() -> None:
    """A key is named after its table, so that a join reads the same on both sides."""
    names = staged_names(SPEC.streams["flow_run_states"])
    assert [names[name] for name in ("id", "flow_run_id", "type", "timestamp")] == [
        "state_id", "flow_run_id", "state_type", "state_timestamp",
    ]  # fmt: skip
    assert staged_names(SPEC.streams["flows"])["id"] == "flow_id"


def test_keys_and_references_are_tested_within_a_connection() -> None:
    """Rows of several connections can have the same ids."""
    models = {model["name"]: model for model in parsed(FILES["staging.yml"])["models"]}
    (unique,) = models["stg_prefect__flow_runs"]["data_tests"]
    assert unique["prefect.unique_key"]["arguments"] == {"columns": ["source_relation", "flow_run_id"]}
    columns = {column["name"]: column for column in models["stg_prefect__flow_runs"]["columns"]}
    (reference,) = columns["flow_id"]["data_tests"]
    assert reference["prefect.refers_to"]["arguments"] == {"to": "ref('base_prefect__flows')", "field": "flow_id"}


def test_tables_that_are_off_by_default_are_off_in_the_package() -> None:
    """A variable turns each table on or off."""
    for stream in SPEC.streams.values():
        default = f"var('prefect__using_{stream.destination_table}', {str(stream.enabled).lower()})"
        assert f"enabled={default}" in FILES[f"{staging_model(stream)}.sql"]
