"""Jira's example."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.examples.example import Example
from tests.examples.stubs.api import DAY
from tests.examples.stubs.jira import EMAIL, TOKEN, Jira, throttled

HOUR = timedelta(hours=1)


@pytest.fixture
def jira() -> Jira:
    """A site with an issue that has more comments than fit a page, and more projects than fit one."""
    api = Jira()
    for number in range(1, 5):
        api.add_issue(number, api.ago(30 * DAY - number * HOUR))
    for number in range(105):
        api.comment(1, api.ago(20 * DAY - number * HOUR))
        api.add_project(number)
    api.close(2, api.ago(10 * DAY))
    return api


def connected(api: Jira, *streams: str, token: str = TOKEN) -> Example:
    return Example("jira", api, *streams, email=EMAIL, api_token=token)


def test_all_rows_arrive_then_only_those_that_changed(jira: Jira) -> None:
    """Changes are found though the times of a search are eight hours behind, and children are not read twice."""
    example = connected(jira)
    assert {table: len(keys) for table, keys in example.sync().items()} == {
        "issues": 4,
        "comments": 105,
        "changelogs": 1,
        "projects": 105,
    }
    issue = example.tables.rows["issues"]["10002"]
    assert (issue["key"], issue["status_category"], issue["labels"]) == ("WEB-2", "done", ["ui"])
    assert (issue["updated"], str(issue["due_date"])) == (jira.ago(10 * DAY), str(date(2024, 5, 1)))
    assert example.column("changelogs", "fields") == {"100029": ["status"]}
    assert example.tables.rows["comments"]["100010007"]["is_public"] is True

    jira.now += HOUR
    assert example.sync() == {}
    jira.now += HOUR
    jira.comment(3, jira.ago(HOUR / 2))
    jira.close(4, jira.ago(HOUR / 2))
    assert example.sync() == {"issues": ["10003", "10004"], "comments": ["100030000"], "changelogs": ["100049"]}
    jira.now += HOUR
    assert example.sync() == {}
    assert not any("/issue/" in request for request in example.requests)


def test_children_are_found_however_far_apart_syncs_are(jira: Jira) -> None:
    """Be the issues that lead to them synced or not: children look as far back as those."""
    example = connected(jira, "comments")
    example.sync()
    jira.now += DAY
    jira.comment(3, jira.ago(20 * HOUR))
    assert example.sync() == {"comments": ["100030000"]}


def test_a_long_search_is_read_by_tokens(jira: Jira) -> None:
    """The last page says that it is the last, and has no token."""
    for number in range(5, 206):
        jira.add_issue(number, jira.ago(DAY))
    example = connected(jira, "issues")
    assert len(example.sync()["issues"]) == 205
    assert len(example.requests) == 3


def test_throttled_requests_are_sent_again(jira: Jira) -> None:
    """The API says in Retry-After how long to wait."""
    jira.faults.append(throttled())
    assert len(connected(jira, "issues").sync()["issues"]) == 4


def test_a_rejected_token_is_reported(jira: Jira) -> None:
    """The message names the setting, and repeats what the API says."""
    failure = connected(jira, "issues", token="n0-such-token").failure()
    assert "401" in failure
    assert "api_token" in failure
    assert "Client must be authenticated" in failure
    assert "n0-such-token" not in failure
