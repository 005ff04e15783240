"""Linear's example."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.examples.example import Example
from tests.examples.stubs.api import DAY
from tests.examples.stubs.linear import KEY, Linear, error, throttled

HOUR = timedelta(hours=1)


@pytest.fixture
def linear() -> Linear:
    """A workspace with more issues and comments than fit a page."""
    api = Linear()
    for number in range(101):
        api.add_issue(number, api.ago((120 - number) * DAY))
    for number in range(251):
        api.add_comment(number, api.ago((300 - number) * HOUR))
    api.add_user(0, api.ago(300 * DAY))
    return api


def connected(api: Linear, *streams: str, key: str = KEY) -> Example:
    return Example("graphql", api, *streams, api_key=key)


def test_all_rows_arrive_then_only_those_that_changed(linear: Linear) -> None:
    """Pages go on with cursors while there is a next one, and the same query has the changes."""
    example = connected(linear)
    assert {table: len(keys) for table, keys in example.sync().items()} == {"issues": 101, "comments": 251, "users": 1}
    assert len(example.requests) == 6
    issue = example.tables.rows["issues"]["i7"]
    assert (issue["labels"], issue["state_type"], issue["estimate"]) == (["Bug"], "unstarted", 2.0)
    assert (issue["created_at"], str(issue["due_date"])) == (linear.ago(113 * DAY), "2024-05-01")

    linear.now += HOUR
    assert example.sync() == {}
    linear.now += HOUR
    linear.finish(7, linear.ago(HOUR / 2))
    linear.add_comment(251, linear.ago(HOUR / 2))
    assert example.sync() == {"issues": ["i7"], "comments": ["c251"]}
    assert len(example.requests) == 3
    assert example.column("issues", "completed_at")["i7"] == linear.ago(HOUR / 2)


@pytest.mark.parametrize("limit", ["Requests", "Complexity"])
def test_throttled_requests_are_sent_again(linear: Linear, limit: str) -> None:
    """The API rejects them with status 400, and says when the limit that is used up accepts the next."""
    linear.faults.append(throttled(limit))
    assert len(connected(linear, "users").sync()["users"]) == 1


def test_errors_with_status_200_are_reported(linear: Linear) -> None:
    """The message repeats what the API says. It is not sent again."""
    linear.faults.append(error("INTERNAL_SERVER_ERROR", "Something is wrong with this node", 200))
    example = connected(linear, "users")
    assert "Something is wrong with this node" in example.failure()
    assert len(example.requests) == 1


def test_a_rejected_key_is_reported(linear: Linear) -> None:
    """The message names the setting, and repeats what the API says."""
    failure = connected(linear, "users", key="lin_api_n0such").failure()
    assert "401" in failure
    assert "api_key" in failure
    assert "not authenticated" in failure
    assert "lin_api_n0such" not in failure
