"""The view over a history and the connector's table has each row once, in its latest version."""

from __future__ import annotations

import re
import shlex

import duckdb
import pytest

from spark import OPEN_AT
from spark.view import main, view
from tests.readme import PROJECT
from tests.specs import SHIPPED, shipped

NOW = "TIMESTAMPTZ '2024-05-02 00:00:00Z'"
OLDER = "TIMESTAMPTZ '2024-05-01 00:00:00Z'"

ROWS = {
    "only in the history": (None, (OLDER, False), "history"),
    "only in the connector's table": ((OLDER, False), None, "synced"),
    "open in the history": (None, (OLDER, True), None),
    "in both, the same version": ((OLDER, False), (OLDER, False), "synced"),
    "in both, later in the connector's table": ((NOW, False), (OLDER, False), "synced"),
    "in both, later in the history": ((OLDER, False), (NOW, False), "history"),
    "in both, later in the history, but open there": ((OLDER, False), (NOW, True), "synced"),
    "deleted after it was in the history": ((OLDER, True), (OLDER, False), None),
    "deleted, and its history was read later": ((OLDER, True), (NOW, False), None),
    "without a cursor in the history": ((OLDER, False), ("NULL", False), "synced"),
    "without a cursor in the connector's table": (("NULL", False), (OLDER, False), "synced"),
}
"""Where a row is: in the connector's table with its cursor and whether it is deleted, in the history with its cursor
and whether it was open, and from which of them the view has it."""


@pytest.mark.parametrize("case", ROWS)
def test_each_row_is_there_once(case: str) -> None:
    """From the connector unless only a later reading of the history has a change. Deleted rows are in neither part."""
    synced, history, found = ROWS[case]
    stream = shipped().streams["flow_runs"]
    columns = ", ".join(f"{name} {_type(field.type)}" for name, field in stream.fields.items())
    with duckdb.connect() as warehouse:
        warehouse.execute(f"CREATE TABLE synced ({columns.replace('TEXT_OR_JSON', 'JSON')}, _fivetran_deleted BOOLEAN)")
        warehouse.execute(f"CREATE TABLE history ({columns.replace('TEXT_OR_JSON', 'VARCHAR')}, {OPEN_AT} TIMESTAMPTZ)")
        if synced is not None:
            values = f"('x', {synced[0]}, 'synced', '[1]', {synced[1]})"
            warehouse.execute(f"INSERT INTO synced (id, updated, name, tags, _fivetran_deleted) VALUES {values}")
        if history is not None:
            values = f"('x', {history[0]}, 'history', '[1]', {OLDER if history[1] else 'NULL'})"
            warehouse.execute(f"INSERT INTO history (id, updated, name, tags, {OPEN_AT}) VALUES {values}")
        warehouse.execute(view(stream, "united", "synced", "history"))
        rows = warehouse.execute("SELECT name, tags FROM united").fetchall()
        assert rows == ([(found, "[1]")] if found is not None else [])
        assert [name for name, *_ in warehouse.execute("DESCRIBE united").fetchall()] == list(stream.fields)


def test_the_command_of_the_docs_prints_the_view(capsys: pytest.CaptureFixture[str]) -> None:
    """With the columns of workspaces in front, if the connection has any."""
    page = (PROJECT / "docs" / "scale.md").read_text("utf-8")
    (command,) = re.findall(r"^python -m spark\.view (.*)$", page, re.MULTILINE)
    arguments = [*shlex.split(command), "--file", str(SHIPPED)]
    main(arguments)
    main([*arguments, "--partitions", "--text", "STRING"])
    alone, partitioned = capsys.readouterr().out.split("CREATE OR REPLACE VIEW flow_runs_with_history AS\n")[1:]
    assert alone.startswith("SELECT\n  s.id,\n")
    assert "CAST(s.tags AS VARCHAR) AS tags" in alone
    assert partitioned.startswith("SELECT\n  s.workspace_id,\n  s.id,\n")
    assert "s.workspace_id = h.workspace_id AND s.id = h.id" in partitioned
    assert "CAST(s.tags AS STRING) AS tags" in partitioned


def _type(kind: str) -> str:
    kinds = {"UTC_DATETIME": "TIMESTAMPTZ", "JSON": "TEXT_OR_JSON", "INT": "INTEGER", "STRING": "VARCHAR"}
    return kinds.get(kind, kind)
