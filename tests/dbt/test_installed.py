"""The dbt package in a project that installs it, and what its files say about each other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.dbt.package import DBT, PACKAGE
from tests.readme import PROJECT
from tests.specs import shipped


@pytest.mark.dbt
def test_it_unites_connections_and_adds_what_changes(tmp_path: Path, dbt: None) -> None:
    """In a project with two connections, one of which syncs two workspaces. Both lack most tables.

    After runs were deleted, retried and added, a build leaves the rows that a build from scratch would make.
    """
    shutil.copytree(PACKAGE, tmp_path / "dbt", ignore=shutil.ignore_patterns("target", "logs", "dbt_packages"))
    warehouse = str(tmp_path / "warehouse.db")
    done = subprocess.run(
        [str(DBT.with_name("python")), "-m", "tests.dbt.build_twice", warehouse],
        cwd=tmp_path / "dbt" / "integration_tests",
        env={**os.environ, "PYTHONPATH": str(PROJECT), "PREFECT_WAREHOUSE": warehouse, "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "There is no table deployments" in done.stdout
    assert "There is no table analytics_later.flow_runs: no run of this connection is in the models." in done.stdout
    assert not re.search(r"WARN=[1-9]", done.stdout)


def test_tables_are_off_where_the_connector_leaves_them_out() -> None:
    """The package's defaults, for all models, and those of Fivetran's Quickstart follow streams.yaml."""
    variables = yaml.safe_load((PACKAGE / "dbt_project.yml").read_text("utf-8"))["vars"]["prefect"]
    quickstart = yaml.safe_load((PACKAGE / ".quickstart" / "quickstart.yml").read_text("utf-8"))
    streams = {stream.destination_table: stream for stream in shipped().streams.values()}
    expected = {f"prefect__using_{name}": [name] for name in streams if name not in ("flow_runs", "flows")}
    assert quickstart["table_variables"] == expected
    used = set(re.findall(r"prefect__using_(\w+)", "".join(p.read_text() for p in (PACKAGE / "models").glob("*.sql"))))
    for name in used:
        assert variables.get(f"prefect__using_{name}", True) == streams[name].enabled
    for path in (PACKAGE / "models").glob("*.sql"):
        for name, default in re.findall(r"var\('prefect__using_(\w+)', (true|false)\)", path.read_text()):
            assert (default == "true") == streams[name].enabled, path.name
    assert set(quickstart["public_models"]) == {path.stem for path in (PACKAGE / "models").glob("*.sql")}


def test_the_readme_has_every_variable() -> None:
    """With its default, where the models give one."""
    text = (PACKAGE / "README.md").read_text("utf-8")
    sources = [path.read_text("utf-8") for path in PACKAGE.rglob("*.sql") if "staging" not in path.parts]
    for name, default in re.findall(r"var\('(prefect__\w+)', (\w+)\)", "".join(sources)):
        if "using" not in name and "stuck" not in name:
            assert f"| `{name}` | {default.replace('none', 'time of the build')} |" in text, name
