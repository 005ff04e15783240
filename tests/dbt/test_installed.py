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
from tests.specs import shipped

COMMANDS = """
from dbt.cli.main import dbtRunner
for command in (["deps"], ["seed"], ["build", "--exclude", "resource_type:seed"]):
    done = dbtRunner().invoke([*command, "--profiles-dir", ".."])
    assert done.success, done.exception
"""


@pytest.mark.dbt
def test_it_unites_connections_and_workspaces(tmp_path: Path, dbt: None) -> None:
    """In a project with two connections, one of which syncs two workspaces. Neither has more than two of the tables."""
    shutil.copytree(PACKAGE, tmp_path / "dbt", ignore=shutil.ignore_patterns("target", "logs", "dbt_packages"))
    environment = {**os.environ, "PREFECT_WAREHOUSE": str(tmp_path / "warehouse.db"), "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        [str(DBT.with_name("python")), "-c", COMMANDS],
        cwd=tmp_path / "dbt" / "integration_tests",
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "There is no table deployments" in done.stdout
    assert re.search(r"PASS=\d+ WARN=0 ERROR=0 SKIP=0", done.stdout.split("resource_type")[-1])


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
