"""Slack's example."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.examples.example import Example
from tests.examples.stubs.api import DAY
from tests.examples.stubs.slack import TOKEN, Slack, throttled

HOUR = timedelta(hours=1)


@pytest.fixture
def slack() -> Slack:
    """A workspace with more users and messages than fit a page, and a channel that the app is not in."""
    api = Slack()
    general, _ = api.add_channel("general"), api.add_channel("secret", is_member=False)
    for number in range(230):
        api.post(general, api.ago((250 - number) * DAY))
        api.add_user(number)
    api.post(api.add_channel("random"), api.ago(3 * DAY), thread_ts="1512085950.000216", reply_count=2)
    return api


def connected(api: Slack, *streams: str, token: str = TOKEN) -> Example:
    return Example("slack", api, *streams, token=token)


def test_all_rows_arrive_then_only_those_that_changed(slack: Slack) -> None:
    """Each sync asks every channel that the app is in for its messages since, and a new one for all."""
    example = connected(slack)
    assert {table: len(keys) for table, keys in example.sync().items()} == {
        "channels": 3,
        "messages": 231,
        "users": 230,
    }
    message = example.tables.rows["messages"]["C00000002", slack.messages["C00000002"][0]["ts"]]
    assert (message["posted_at"], message["reply_count"]) == (slack.ago(3 * DAY), 2)
    assert message["thread_ts"] == "1512085950.000216"
    assert not any("not_in_channel" in warning for warning in example.log.warnings)

    slack.now += HOUR
    assert example.sync() == {}
    assert example.requests.count("GET /conversations.history") == 2
    assert len(example.requests) == 5

    ts = slack.post("C00000000", slack.ago(HOUR / 2))
    slack.post(slack.add_channel("new"), slack.ago(90 * DAY))
    slack.now += HOUR
    sent = example.sync()
    assert sent["messages"] == [("C00000000", ts), ("C00000003", slack.messages["C00000003"][0]["ts"])]
    assert sent["channels"] == ["C00000003"]
    slack.messages["C00000000"][0] |= {"text": "Hi", "edited": {"user": "U00000001", "ts": ts}}
    slack.now += HOUR
    assert example.sync() == {"messages": [("C00000000", ts)]}


def test_a_channel_that_does_not_let_the_app_in_is_skipped(slack: Slack) -> None:
    """If the list of channels does not say so before."""
    slack.channels[1]["is_member"] = None
    example = connected(slack, "channels", "messages")
    assert len(example.sync()["messages"]) == 231
    assert any("not_in_channel" in warning for warning in example.log.warnings)


def test_throttled_requests_are_sent_again(slack: Slack) -> None:
    """The API says in Retry-After how long to wait, and in the body that the request is not ok."""
    slack.faults.append(throttled())
    assert len(connected(slack, "users").sync()["users"]) == 230


def test_errors_with_status_200_are_reported(slack: Slack) -> None:
    """A rejected token names its setting. The message repeats what the API says. It is not sent again."""
    example = connected(slack, "users", token="xoxb-n0-such-token")
    failure = example.failure()
    assert "invalid_auth. Check that token in the configuration is valid." in failure
    assert "xoxb-n0-such-token" not in failure
    assert len(example.requests) == 1
