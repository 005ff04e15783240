"""The APIs, each with an account whose lists have several pages, and one change there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from dev.comparison.case import Case, Table
from tests.examples.stubs import airflow, github, hubspot, jira, linear, pagerduty, paypal, slack, stripe, zendesk
from tests.examples.stubs.api import DAY

HOUR: Final = timedelta(hours=1)


def _began() -> datetime:
    """When the first of the three syncs begins: the last one is now, as some tools take the machine's time."""
    return datetime.now(timezone.utc).replace(microsecond=0) - 2 * HOUR


def _ids(records: Any, path: str = "id") -> frozenset[str]:
    return frozenset(str(record[path]) for record in records)


def _stripe() -> Case:
    api = stripe.Stripe(_began())
    for number in range(230):
        api.add("customers", f"cus_{number:05}", api.ago(number * DAY + HOUR), email=f"c{number}@acme.test")
    for number in range(3):
        at = api.ago(number * 10 * DAY + 2 * DAY)
        api.add("charges", f"ch_{number:05}", at, amount=1999, currency="eur", customer="cus_00001")
        api.add("refunds", f"re_{number:05}", at, amount=100, currency="eur", charge="ch_00001")
        api.add("balance_transactions", f"txn_{number:05}", at, amount=1999, fee=88, net=1911)
        api.add_invoice(number, at, lines=1 + 110 * number)

    def change() -> Mapping[tuple[str, str], str]:
        api.now -= HOUR / 2
        api.change("customer.updated", "customers", "cus_00100", email="ada@acme.test")
        api.now += HOUR / 2
        return {("customers", "cus_00100"): "ada@acme.test"}

    lines = frozenset(str(line["id"]) for lines in api.lines.values() for line in lines)
    keys = {name: _ids(records) for name, records in api.lists.items()} | {"invoice_line_items": lines}
    tables = {name: Table() for name in keys}
    words = "a customer of 100 days ago changes"
    return Case("Stripe", api, {"api_key": stripe.KEY}, tables, keys, change, words)


def _github() -> Case:
    api = github.GitHub(_began())
    api.add_repository("acme/api")
    api.add_repository("acme/docs", has_issues=False)
    api.add_repository("acme-labs/web")
    for number in range(120):
        api.add_issue("acme/api", api.ago((130 - number) * DAY))
    for number in range(4):
        api.add_issue("acme-labs/web", api.ago((30 - number) * DAY), is_pull=number % 2 == 1)

    def change() -> Mapping[tuple[str, str], str]:
        api.close("acme/api", 7)
        return {("issues", "1300000007"): "completed"}

    found = [issue for issues in api.issues.values() for issue in issues or ()]
    keys = {
        "repositories": _ids(api.repositories),
        "issues": _ids(issue for issue in found if "pull_request" not in issue),
        "pull_requests": _ids(issue for issue in found if "pull_request" in issue),
    }
    settings = {"token": github.TOKEN, "organizations": "acme, acme-labs"}
    return Case("GitHub", api, settings, {name: Table() for name in keys}, keys, change, "an issue is closed")


def _hubspot() -> Case:
    api = hubspot.HubSpot(_began(), most=400)
    for number in range(700):
        api.add_contact(1000 - number, api.ago((number % 90 + 1) * DAY + number * HOUR / 60))
    for number in range(3):
        api.add_deal(number + 1, api.ago((number + 1) * DAY), contacts=range(1000 - 10 * number, 998 - 10 * number, -1))
    for number in range(105):
        api.add_owner(number, api.ago(90 * DAY))

    def change() -> Mapping[tuple[str, str], str]:
        api.change("deals", 1, api.ago(HOUR / 2), amount="77.7")
        api.associated["1"].append(500)
        return {("deals", "1"): "77.7", ("deal_contacts", "500"): "500"}

    associated = frozenset(str(key) for keys in api.associated.values() for key in keys)
    keys = {name: _ids(getattr(api, name)) for name in ("contacts", "deals", "owners")} | {"deal_contacts": associated}
    tables = {name: Table() for name in keys} | {"deal_contacts": Table(("contact_id",), ("toObjectId",))}
    words = "a deal has another amount and one more contact"
    return Case("HubSpot", api, {"token": hubspot.TOKEN}, tables, keys, change, words)


def _zendesk() -> Case:
    api = zendesk.Zendesk(_began())
    for number in range(1, 5):
        api.now -= number * DAY
        api.add_ticket(number, api.now, comments=1 if number < 4 else 101)
        api.now += number * DAY
    for number in range(1, 1202):
        api.add_user(number, api.ago(90 * DAY - number * HOUR / 60))

    def change() -> Mapping[tuple[str, str], str]:
        api.now -= HOUR / 2
        api.comment(3, api.now)
        api.change(3, status="pending")
        api.now += HOUR / 2
        return {("tickets", "3"): "pending", ("ticket_comments", "3001"): "3001"}

    comments = frozenset(str(comment["id"]) for comments in api.comments.values() for comment in comments)
    keys = {"tickets": _ids(api.tickets.values()), "ticket_comments": comments, "users": _ids(api.users.values())}
    settings = {"email": zendesk.EMAIL, "api_token": zendesk.TOKEN}
    return Case("Zendesk", api, settings, {name: Table() for name in keys}, keys, change, "a ticket is commented on")


def _jira() -> Case:
    api = jira.Jira(_began())
    for number in range(1, 206):
        api.add_issue(number, api.ago(30 * DAY - number * HOUR))
    for number in range(105):
        api.comment(1, api.ago(20 * DAY - number * HOUR / 60))
        api.add_project(number)
    api.close(2, api.ago(10 * DAY))

    def change() -> Mapping[tuple[str, str], str]:
        api.comment(3, api.ago(HOUR / 2))
        api.issues["10003"]["fields"]["summary"] = "It is back"
        return {("issues", "10003"): "It is back", ("comments", "100030000"): "100030000"}

    keys = {
        "issues": _ids(api.issues.values()),
        "comments": frozenset(str(one["id"]) for comments in api.comments.values() for one in comments),
        "changelogs": frozenset(str(one["id"]) for changes in api.changes.values() for one in changes),
        "projects": _ids(api.projects),
    }
    settings = {"email": jira.EMAIL, "api_token": jira.TOKEN}
    return Case("Jira", api, settings, {name: Table() for name in keys}, keys, change, "an issue is commented on")


def _airflow() -> Case:
    api = airflow.Airflow(_began())
    for name in ("load", "report"):
        api.add_dag(name)
    for number in range(130):
        api.add_run(("load", "report")[number % 2], api.ago((200 - number) * HOUR), tasks=1)
    run = api.add_run("load", api.ago(HOUR), tasks=3)

    def change() -> Mapping[tuple[str, str], str]:
        api.now -= HOUR / 2
        api.finish(run)
        api.now += HOUR / 2
        tasks = {("task_instances", f"{run[1]}/task{number}"): "success" for number in range(3)}
        return {("dag_runs", run[1]): "success", **tasks}

    tasks = frozenset(f"{one['dag_run_id']}/{one['task_id']}" for tasks in api.tasks.values() for one in tasks)
    keys = {"dags": _ids(api.dags, "dag_id"), "dag_runs": _ids(api.runs, "dag_run_id"), "task_instances": tasks}
    tables = {
        "dags": Table(("dag_id",)),
        "dag_runs": Table(("run_id",), ("dag_run_id",)),
        "task_instances": Table(("run_id", "task_id"), ("dag_run_id", "task_id")),
    }
    start = f"{api.ago(90 * DAY):%Y-%m-%d}"
    settings = {"username": airflow.USER, "password": airflow.PASSWORD, "start_date": start}
    return Case("Airflow", api, settings, tables, keys, change, "a run of three tasks ends")


def _paypal() -> Case:
    api = paypal.PayPal(_began())
    for number in range(18):
        api.add_transaction(number, api.ago((17 - number) * 10 * DAY + 5 * HOUR))
    for number in range(60):
        api.add_dispute(number, api.ago((60 - number) * DAY))

    def change() -> Mapping[tuple[str, str], str]:
        api.now -= HOUR / 2
        api.complete(16)
        api.now += HOUR / 2
        return {("transactions", "5TY00016"): '"S"'}

    initiated = frozenset(str(one["transaction_info"]["transaction_id"]) for one in api.transactions)
    keys = {"transactions": initiated, "disputes": _ids(api.disputes, "dispute_id")}
    tables = {
        "transactions": Table(paths=("transaction_info.transaction_id",)),
        "disputes": Table(paths=("dispute_id",)),
    }
    start = f"{api.ago(200 * DAY):%Y-%m-%d}"
    settings = {"client_id": paypal.CLIENT, "client_secret": paypal.SECRET, "start_date": start}
    return Case("PayPal", api, settings, tables, keys, change, "a transaction of ten days ago succeeds")


def _linear() -> Case:
    api = linear.Linear(_began())
    for number in range(101):
        api.add_issue(number, api.ago((120 - number) * DAY))
    for number in range(251):
        api.add_comment(number, api.ago((300 - number) * HOUR))
    for number in range(3):
        api.add_user(number, api.ago((300 - number) * DAY))

    def change() -> Mapping[tuple[str, str], str]:
        api.finish(7, api.ago(HOUR / 2))
        return {("issues", "i7"): "completed"}

    keys = {name: _ids(getattr(api, name)) for name in ("issues", "comments", "users")}
    tables = {name: Table() for name in keys}
    return Case("Linear (GraphQL)", api, {"api_key": linear.KEY}, tables, keys, change, "an issue is completed")


def _pagerduty() -> Case:
    api = pagerduty.PagerDuty(_began())
    for number in range(3):
        api.add_service(number)
    for number in range(4):
        api.add_incident(number, api.ago((3 - number) * 100 * DAY + HOUR))

    def change() -> Mapping[tuple[str, str], str]:
        api.now -= HOUR / 2
        api.resolve(0)
        api.now += HOUR / 2
        return {("incidents", "PINC00000"): "resolved", ("incident_log_entries", "R00000001"): "resolve_log_entry"}

    keys = {
        "incidents": _ids(api.incidents),
        "incident_log_entries": frozenset(str(entry["id"]) for log in api.logs.values() for entry in log),
        "services": _ids(api.services),
    }
    settings = {"api_key": pagerduty.KEY, "start_date": f"{api.ago(730 * DAY):%Y-%m-%d}"}
    words = "an incident of 300 days ago is resolved"
    return Case("PagerDuty", api, settings, {name: Table() for name in keys}, keys, change, words)


def _slack() -> Case:
    api = slack.Slack(_began())
    general, _, random = (
        api.add_channel("general"),
        api.add_channel("secret", is_member=False),
        api.add_channel("random"),
    )
    for number in range(230):
        api.post(general, api.ago((250 - number) * DAY))
        api.add_user(number)
    api.post(random, api.ago(3 * DAY))

    def change() -> Mapping[tuple[str, str], str]:
        ts = api.post(general, api.ago(HOUR / 2))
        return {("messages", ts): ts}

    keys = {
        "channels": _ids(api.channels),
        "messages": frozenset(str(one["ts"]) for messages in api.messages.values() for one in messages),
        "users": _ids(api.users),
    }
    tables = {"channels": Table(), "messages": Table(("ts",)), "users": Table()}
    return Case("Slack", api, {"token": slack.TOKEN}, tables, keys, change, "a message is posted")


CASES: Final[Mapping[str, Callable[[], Case]]] = {
    "stripe": _stripe,
    "github": _github,
    "hubspot": _hubspot,
    "zendesk": _zendesk,
    "jira": _jira,
    "airflow": _airflow,
    "paypal": _paypal,
    "graphql": _linear,
    "pagerduty": _pagerduty,
    "slack": _slack,
}
