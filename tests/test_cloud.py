"""The streams that only Prefect Cloud has, on a server that returns records of the documented shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.failures import Unauthorized
from engine.setup_form import setup_tests
from engine.spec.load import resolve
from engine.sync import sync
from tests.fivetran.comparison import differences, in_recorder
from tests.hostile.account import AccountWarehouse
from tests.readme import PROJECT
from tests.shop import Lines, Recorder
from tests.specs import shipped, shipped_with

Json = dict[str, Any]
ROWS = 5
SECRET = "canary-5ecret"
ACCOUNT, WORKSPACE = "/api/accounts/a1", "/api/accounts/a1/workspaces/w1"


def base(kind: str, n: int) -> Json:
    """The keys that most records have. The last record has no instants, as the documentation allows."""
    instant = None if n == ROWS - 1 else f"2026-05-0{n + 1}T10:00:00.{n}Z"
    return {"id": f"{kind}-{n}", "created": instant, "updated": instant}


def api_key(n: int) -> Json:
    """An API key as it appears in lists, with the values that must not be synced."""
    expiration = "2027-01-01T00:00:00Z" if n else None
    return {**base("key", n), "name": f"key {n}", "expiration": expiration, "masked_key": SECRET, "hash": SECRET}


def webhook(n: int) -> Json:
    bot = f"bot-{n}" if n else None
    owner = {"id": bot, "name": "x", "api_key": api_key(n)} if bot else None
    return {
        **base("webhook", n), "name": f"hook {n}", "description": "", "enabled": n % 2 == 0, "template": '{"a": 1}',
        "slug": f"slug{n}", "account": "a1", "workspace": "w1", "service_account_id": bot, "service_account": owner,
    }  # fmt: skip


def sla(n: int) -> Json:
    return {
        **base("sla", n), "name": f"SLA {n}", "description": "", "enabled": True, "type": "FrequencySla",
        "severity": "moderate", "trigger": {"type": "event", "posture": "Proactive", "within": 60.0},
        "actions": [{"type": "sla-violation"}], "labels": {"team": "ü"} if n else None, "tags": ["a", "b"],
        "account": "a1", "workspace": "w1", "actor": None,
    }  # fmt: skip


def user_access(n: int) -> Json:
    return {
        **base("user-access", n), "workspace_id": "w1", "workspace_role_id": f"workspace-role-{n}",
        "actor_id": f"actor-{n}", "user_id": f"user-{n}", "first_name": "Zoë", "last_name": f"Ng {n}",
        "email": f"u{n}@example.test", "handle": f"u{n}",
    }  # fmt: skip


def bot_access(n: int) -> Json:
    role, actor = f"workspace-role-{n}", f"actor-{n}"
    ids = {"workspace_id": "w1", "workspace_role_id": role, "actor_id": actor, "bot_id": f"bot-{n}"}
    return {**base("bot-access", n), **ids, "bot_name": f"bot {n}"}


def team_access(n: int) -> Json:
    ids = {"workspace_id": "w1", "workspace_role_id": f"workspace-role-{n}", "team_id": f"team-{n}"}
    return {**base("team-access", n), **ids, "team_name": f"team {n}"}


def workspace(n: int) -> Json:
    role = f"workspace-role-{n}" if n else None
    named = {"name": f"Space {n}", "description": None if n else "first", "handle": f"space-{n}"}
    return {**base("w", n), "account_id": "a1", **named, "default_workspace_role_id": role, "is_public": n == 1}


def membership(n: int) -> Json:
    """The first belongs to a service account."""
    person = {"user_id": f"user-{n}", "first_name": "Zoë", "last_name": "Ng", "handle": f"u{n}", "email": "z@x.test"}
    return {
        "id": f"member-{n}", "actor_id": f"actor-{n}", **(person if n else dict.fromkeys(person)),
        "account_role_name": "Member", "account_role_id": f"account-role-{n}", "active": n != 2,
        "last_login": "2026-05-01T10:00:00+02:00" if n else None,
    }  # fmt: skip


def account_role(n: int) -> Json:
    of = {"account_id": "a1" if n else None, "name": f"Role {n}", "is_system_role": not n}
    return {**base("account-role", n), **of, "permissions": ["read:account", "read:bot"]}


def workspace_role(n: int) -> Json:
    inherited = f"workspace-role-{n - 1}" if n else None
    of: Json = {"account_id": "a1" if n else None, "name": f"Role {n}", "description": "", "permissions": []}
    return {**base("workspace-role", n), **of, "scopes": ["see_flows"], "inherited_role_id": inherited}


def bot(n: int) -> Json:
    of = {"actor_id": f"actor-{n}", "account_id": "a1", "name": f"bot {n}", "account_role_name": "Member"}
    return {**base("bot", n), **of, "api_key": api_key(n)}


def team(n: int) -> Json:
    member = {"id": "actor-1", "handle": "u1", "name": "Zoë", "email": None, "type": "service_account"}
    space = {"workspace_id": "w1", "workspace_handle": "s", "workspace_role_id": "r", "workspace_role_name": "R"}
    of: Json = {"account_id": "a1", "name": f"team {n}", "description": "d" if n else None}
    return {**base("team", n), **of, "memberships": [member] * n, "workspaces": [space] * n}


ACCOUNT_RECORD: Json = {
    **base("a", 0), "name": "Acme", "handle": "acme", "location": "Here", "link": "https://acme.test",
    "image_location": None, "stripe_customer_id": None, "auth_expiration_seconds": 86400,
    "status": "ACTIVE", "status_last_updated": "2026-05-01T10:00:00Z", "workos_connection_ids": [],
    "workos_directory_ids": [], "workos_organization_id": None, "plan_type": "ORGANIZATION", "plan_tier": "TEAM",
    "self_serve": True, "scim_state": "DISABLED", "sso_state": "DISABLED", "billing_email": "z@x.test",
    "features": ["teams", "sso"], "max_deployments_per_workspace": 100, "work_pool_limit": 10,
    "mex_work_pool_limit": 5, "run_retention_days": 14, "audit_log_retention_days": 7, "automations_limit": 20,
    "settings": {
        "allow_public_workspaces": False, "ai_log_summaries": True, "managed_execution": True,
        "default_result_storage": {"block_type": {"slug": "s3"}, "data": {"secret_key": SECRET}},
    },
}  # fmt: skip

CREATED = {"CREATED_ASC", "CREATED_DESC", "NAME_ASC", "NAME_DESC"}
LISTS = {  # by stream: the path, a record, and the sorts that a request can have
    "webhooks": (f"{WORKSPACE}/webhooks/filter", webhook, CREATED),
    "slas": (f"{WORKSPACE}/slas/filter", sla, set()),  # has query parameters instead
    "workspace_user_access": (f"{WORKSPACE}/user_access/filter", user_access, CREATED),
    "workspace_bot_access": (f"{WORKSPACE}/bot_access/filter", bot_access, CREATED - {"NAME_ASC", "NAME_DESC"}),
    "workspace_team_access": (f"{WORKSPACE}/team_access/filter", team_access, set()),
    "workspaces": (f"{ACCOUNT}/workspaces/filter", workspace, set()),
    "account_memberships": (f"{ACCOUNT}/account_memberships/filter", membership, CREATED),
    "account_roles": (f"{ACCOUNT}/account_roles/filter", account_role, set()),
    "workspace_roles": (f"{ACCOUNT}/workspace_roles/filter", workspace_role, set()),
    "service_accounts": (f"{ACCOUNT}/bots/filter", bot, set()),
    "teams": (f"{ACCOUNT}/teams/filter", team, CREATED),
}
STREAMS = [*LISTS, "accounts"]
RECORDS = {name: [row(n) for n in range(ROWS)] for name, (_, row, _) in LISTS.items()}
RECORDS["accounts"] = [ACCOUNT_RECORD]
BY_PATH = {path: (RECORDS[name], sorts) for name, (path, _, sorts) in LISTS.items()}


def cloud(seen: Seen) -> Reply:
    """As documented: the account is an object; lists accept limit and offset, and a sort if they have any."""
    if seen.headers.get("Authorization") != "Bearer pnu_key":
        return Reply({"detail": "Unauthorized"}, 401)
    if (seen.method, seen.path) == ("GET", ACCOUNT):
        return Reply(ACCOUNT_RECORD)
    if seen.path not in BY_PATH:
        return Reply({"detail": "Not Found"}, 404)
    if seen.method != "POST":
        return Reply({"detail": "Method Not Allowed"}, 405)
    rows, sorts = BY_PATH[seen.path]
    body = seen.json or {}
    accepted = {"limit", "offset", *(["sort"] if sorts else [])}
    if body.keys() - accepted or body.get("sort", "CREATED_ASC") not in sorts | {"CREATED_ASC"}:
        return Reply({"detail": "extra inputs are not permitted"}, 422)
    if seen.query and not seen.path.endswith("/slas/filter"):
        return Reply({"detail": "extra inputs are not permitted"}, 422)
    at, limit = body.get("offset", 0), body.get("limit", 200)
    return Reply({"detail": "limit"}, 422) if limit > 200 else Reply(rows[at : at + limit])


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback(cloud) as loopback:
        yield loopback


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The streams of Prefect Cloud, which are read faster than all."""
    path = tmp_path / "streams.yaml"
    path.write_text(shipped_with(*STREAMS), "utf-8")
    return path


def settings(server: Loopback) -> dict[str, str]:
    url = server.url.removesuffix("/api") + WORKSPACE
    return {"api_url": url, "api_key": "pnu_key", "batch_size": "2", "streams": ", ".join(STREAMS)}


def test_every_stream_of_prefect_cloud_is_tested() -> None:
    """All of them are off by default, and streams.yaml calls them untested: no test runs against Prefect Cloud."""
    streams = shipped().streams
    cloud = {name: stream for name, stream in streams.items() if "Prefect Cloud" in (stream.availability or "")}
    assert cloud.keys() == set(STREAMS)
    for stream in cloud.values():
        assert not stream.enabled
        assert stream.availability == "Prefect Cloud (from its documentation; untested)"


def test_every_row_and_column_arrives(server: Loopback) -> None:
    """In pages of two, from the workspace and from the account above it. No secret of a key or a block arrives."""
    recorder, lines = Recorder(), Lines()
    sync(resolve(PROJECT / "streams.yaml", settings(server)), {}, recorder, lines)
    assert lines.warnings == []
    for name in STREAMS:
        rows = in_recorder(recorder, name)
        assert set(rows) == {record["id"] for record in RECORDS[name]}
        assert differences(name, rows, RECORDS[name]) == []
    assert SECRET not in str(recorder.tables)
    assert {seen.path for seen in server.seen} == {*BY_PATH, ACCOUNT}
    assert sum(seen.path == f"{ACCOUNT}/bots/filter" for seen in server.seen) >= ROWS - 1
    assert sum(seen.path == ACCOUNT for seen in server.seen) == 1


def test_the_setup_tests_pass(server: Loopback, file: Path) -> None:
    """They read a small page of each table, and the account's object."""
    lines = Lines()
    for test in setup_tests(file, lines):
        assert test.run(settings(server)) is None, test.label
    assert lines.warnings == []


def test_every_column_is_filled_by_some_row(server: Loopback, file: Path) -> None:
    """A path that no record has would leave its column NULL unnoticed."""
    recorder = Recorder()
    sync(resolve(file, settings(server)), {}, recorder, Lines())
    empty = {
        f"{name}.{column}"
        for name in STREAMS
        for column in shipped().streams[name].fields
        if all(row[column] is None for row in in_recorder(recorder, name).values())
    }
    assert empty == set()


def test_tables_without_access_are_skipped(server: Loopback, file: Path) -> None:
    """A workspace's key has no access to the account. With all tables selected, the workspace's tables arrive."""

    def answer(seen: Seen) -> Reply:
        return cloud(seen) if seen.path.startswith(WORKSPACE) else Reply({"detail": "Forbidden"}, 403)

    server.answer = answer
    recorder, lines = Recorder(), Lines()
    sync(resolve(file, settings(server)), {}, recorder, lines)
    above = {name for name, (path, _, _) in LISTS.items() if not path.startswith(WORKSPACE)} | {"accounts"}
    assert set(recorder.tables) == set(STREAMS) - above
    assert {line.partition(":")[0] for line in lines.warnings} == above
    assert all("this API key has no access; skipping" in line for line in lines.warnings)


def test_a_table_that_was_synced_and_is_no_longer_accessible_is_a_failure(server: Loopback, file: Path) -> None:
    """The key has lost a permission, and skipping the table would leave it stale without a failure."""
    recorder = Recorder()
    resolved = resolve(file, settings(server))
    sync(resolved, {}, recorder, Lines())
    respond = server.answer

    def answer(seen: Seen) -> Reply:
        return Reply({"detail": "Forbidden"}, 403) if seen.path.endswith("/webhooks/filter") else respond(seen)

    server.answer = answer
    with pytest.raises(Unauthorized, match="webhooks"):
        sync(resolved, recorder.state, recorder, Lines())


def test_a_key_without_any_access_is_a_failure(server: Loopback, file: Path) -> None:
    """It is not a successful sync of nothing. A key that the server does not accept at all is a failure at once."""
    for status in (401, 403):
        server.answer = lambda seen, status=status: Reply({"detail": "no"}, status)  # type: ignore[misc]
        with pytest.raises(Unauthorized):
            sync(resolve(file, settings(server)), {}, Recorder(), Lines())


# --- workspaces ------------------------------------------------------------------------------------------------------


def of_all_workspaces(seen: Seen) -> Reply:
    """The same lists in each workspace, with the same ids."""
    path = re.sub(rf"^{ACCOUNT}/workspaces/w-\d", WORKSPACE, seen.path)
    return cloud(replace(seen, path=path))


def test_each_workspace_of_an_account_arrives(server: Loopback, file: Path) -> None:
    """With its id in front of each row, in the tables that a workspace has; those of the account are read once."""
    server.answer = of_all_workspaces
    recorder, lines = AccountWarehouse(), Lines()
    resolved = resolve(file, {**settings(server), "workspaces": "space-1, Space 2, w-3"})
    sync(resolved, {}, recorder, lines)
    assert lines.warnings == []
    of_account = {"workspaces", "accounts", "account_memberships", "account_roles", "workspace_roles"}
    of_account |= {"service_accounts", "teams"}
    for table in resolved.tables:
        rows = recorder.tables[table.name]
        if table.name in of_account:
            assert set[object](rows) == {record["id"] for record in RECORDS[table.name]}
            continue
        assert set[object](rows) == {(f"w-{n}", record["id"]) for n in (1, 2, 3) for record in RECORDS[table.name]}
        assert table.primary_key == ("workspace_id", "id")
        assert all(
            row["workspace_id"] == key[0] and row.keys() == {*table.fields, "deleted"} for key, row in rows.items()
        )
    assert sum(seen.path == ACCOUNT for seen in server.seen) == 1


def test_the_setup_tests_find_the_workspaces(server: Loopback, file: Path) -> None:
    """They read a table of each, and name a workspace that is not there without repeating its name."""
    server.answer = of_all_workspaces
    for selected, wrong in (("all", None), ("-space-1", None), ("w-1, s3cret", "workspaces: item 2 is none of the")):
        lines = Lines()
        *first, last = setup_tests(file, lines)
        for test in first:
            assert test.run({**settings(server), "workspaces": selected}) is None
        found = last.run({**settings(server), "workspaces": selected})
        assert found is None if wrong is None else (found or "").startswith(wrong)
    assert "s3cret" not in (found or "")
    assert "space-2 (w-2)" in (found or "")
