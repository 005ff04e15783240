"""Builds the project that installs the package, changes its tables, and builds it again. Runs in dbt's environment.

    python -m tests.dbt.build_twice WAREHOUSE

In the folder of the project. Fails if a build fails, or if a model's rows are not those of a build from scratch.
"""

from __future__ import annotations

import sys

import duckdb
from dbt.cli.main import dbtRunner

CHANGES = """
SET schema = 'analytics_one';
-- deleted by a re-sync, which leaves the other column as it was
UPDATE flow_runs SET _fivetran_deleted = true WHERE id = 'r1';
-- retried, and tagged otherwise
UPDATE flow_runs SET state_type = 'RUNNING', state_name = 'Retrying', state_id = 's6', end_time = NULL, run_count = 2,
    tags = '["other"]', _fivetran_synced = '2026-03-12 11:00:00' WHERE id = 'r2';
INSERT INTO flow_run_states
    VALUES ('s6', 'r2', 'RUNNING', 'Retrying', '2026-03-10 10:00:00', '2026-03-12 11:00:00', false);
-- new
INSERT INTO flow_runs SELECT * REPLACE ('r9' AS id, 's7' AS state_id) FROM flow_runs WHERE id = 'r2';
INSERT INTO flow_run_states
    VALUES ('s7', 'r9', 'RUNNING', 'Running', '2026-03-10 09:00:00', '2026-03-12 11:00:00', false);
-- deleted
UPDATE analytics_several.flow_runs SET _fivetran_deleted = true, _fivetran_synced = '2026-03-12 11:00:00'
    WHERE workspace_id = 'w1';
-- without a tag that no other run of the day has
UPDATE analytics_several.flow_runs SET tags = '["team"]', _fivetran_synced = '2026-03-12 11:00:00'
    WHERE workspace_id = 'w2';
"""


def dbt(*command: str) -> None:
    """Run a command of dbt; raises if it fails."""
    done = dbtRunner().invoke([*command, "--profiles-dir", ".."])
    if not done.success:
        raise SystemExit(f"dbt {' '.join(command)} failed: {done.exception}")


def rows(warehouse: str) -> dict[str, list[tuple[object, ...]]]:
    """The rows of all models."""
    with duckdb.connect(warehouse) as connection:
        tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'analytics_prefect'"
        names = [name for (name,) in connection.execute(tables).fetchall()]
        return {name: connection.execute(f"FROM analytics_prefect.{name} ORDER BY ALL").fetchall() for name in names}


def main() -> None:
    """Build, change what is synced, build, and compare with a build from scratch."""
    warehouse = sys.argv[1]
    dbt("deps")
    dbt("seed")
    dbt("build", "--exclude", "resource_type:seed")
    with duckdb.connect(warehouse) as connection:
        connection.execute(CHANGES)
    dbt("run")
    added = rows(warehouse)
    dbt("run", "--full-refresh")
    differing = [name for name, expected in rows(warehouse).items() if added[name] != expected]
    if differing:
        raise SystemExit(f"not as built from scratch: {', '.join(differing)}")


if __name__ == "__main__":
    main()
