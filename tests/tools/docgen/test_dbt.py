"""docs/dbt/sources.yml: every table as a dbt source, with data tests."""

from __future__ import annotations

from tests.specs import parsed, shipped
from tools.docgen.dbt import sources

SPEC = shipped()


def test_dbt_tests_keys_and_references() -> None:
    """Primary keys are unique and not null. References lead to the other table."""
    (source,) = parsed(sources(SPEC))["sources"]
    tables = {table["name"]: {column["name"]: column for column in table["columns"]} for table in source["tables"]}
    assert tables.keys() == {stream.destination_table for stream in SPEC.streams.values()}
    assert tables["flow_runs"]["id"]["data_tests"] == ["unique", "not_null"]
    (related,) = tables["flow_runs"]["flow_id"]["data_tests"]
    assert related["relationships"]["to"] == "source('prefect', 'flows')"
