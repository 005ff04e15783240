"""GitHub's example."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dev.testbed.loopback import Reply, Seen
from tests.examples.example import Example
from tests.examples.stubs.api import DAY
from tests.examples.stubs.github import TOKEN, GitHub, secondary, throttled

HOUR = timedelta(hours=1)


@pytest.fixture
def github() -> GitHub:
    """Three repositories: one with more issues than fit a page, one without issues, one with pull requests."""
    api = GitHub()
    api.add_repository("acme/api")
    api.add_repository("acme/docs", has_issues=False)
    api.add_repository("acme-labs/web")
    for number in range(120):
        api.add_issue("acme/api", api.ago((130 - number) * DAY))
    for number in range(4):
        api.add_issue("acme-labs/web", api.ago((30 - number) * DAY), is_pull=number % 2 == 1)
    return api


def connected(api: GitHub, *streams: str, token: str = TOKEN) -> Example:
    return Example("github", api, *streams, token=token, organizations="acme, acme-labs")


def test_all_rows_arrive_then_only_those_that_changed(github: GitHub) -> None:
    """Each sync asks every repository for what was updated since, and a new one for all."""
    example = connected(github)
    assert {table: len(keys) for table, keys in example.sync().items()} == {
        "repositories": 3,
        "issues": 122,
        "pull_requests": 2,
    }
    issue = example.tables.rows["issues"][1300000001]
    assert (issue["repository_id"], issue["author"], issue["labels"]) == (1300000, "octocat", ["bug"])
    assert issue["updated_at"] == github.ago(130 * DAY)
    assert example.column("repositories", "organization")[1300002] == "acme-labs"
    assert example.column("pull_requests", "is_draft") == {1300002002: False, 1300002004: False}

    github.now += HOUR
    assert example.sync() == {}
    assert example.requests.count("GET /repos/acme/api/issues") == 2  # of issues and of pull requests
    assert len(example.requests) == 8

    github.close("acme/api", 7)
    github.close("acme-labs/web", 2)
    github.add_repository("acme/new")
    github.add_issue("acme/new", github.ago(90 * DAY))
    github.now += HOUR
    assert example.sync() == {
        "issues": [1300000007, 1300003001],
        "pull_requests": [1300002002],
        "repositories": [1300003],
    }
    assert example.tables.rows["issues"][1300000007]["closed_at"] == github.ago(HOUR)
    assert example.tables.deleted == {}


def test_an_issue_that_changes_during_the_read_hides_no_other(github: GitHub) -> None:
    """It keeps its place, so those after it do not move to a page that was read already."""
    answer = github.answer

    def changing(seen: Seen, path: str) -> Reply:
        if "page" in seen.query:
            github.close("acme/api", 5)
        return answer(seen, path)

    github.answer = changing  # type: ignore[method-assign]
    assert len(connected(github, "issues").sync()["issues"]) == 122


def test_a_repository_that_is_renamed_during_the_sync_is_found(github: GitHub) -> None:
    """The API redirects from the former name to the repository's number."""
    github.renamed["acme/api"] = github.repositories[0]["id"]
    assert len(connected(github, "issues").sync()["issues"]) == 122


def test_requests_wait_for_the_rate_limit(github: GitHub) -> None:
    """A 403 means that a limit is used up if a header or the message says so."""
    github.faults.extend([throttled(github.now), secondary()])
    assert len(connected(github, "repositories").sync()["repositories"]) == 3


def test_a_rejected_token_is_reported(github: GitHub) -> None:
    """The message names the setting, and repeats what the API says."""
    failure = connected(github, token="n0-such-token").failure()
    assert "401" in failure
    assert "Bad credentials" in failure
    assert "n0-such-token" not in failure
