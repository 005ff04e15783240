"""Zendesk's example."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.examples.example import Example
from tests.examples.stubs.api import DAY
from tests.examples.stubs.zendesk import ACCESS_TOKEN, EMAIL, TOKEN, Zendesk, throttled

HOUR = timedelta(hours=1)


@pytest.fixture
def zendesk() -> Zendesk:
    """An account with more users than fit a page, and a ticket with more comments than fit one."""
    api = Zendesk()
    for number in range(1, 5):
        api.now -= 10 * DAY
        api.add_ticket(number, api.now, comments=1 if number < 4 else 101)
        api.now += 10 * DAY
    for number in range(1, 1202):
        api.add_user(number, api.ago(90 * DAY))
    return api


def connected(api: Zendesk, *streams: str, token: str = TOKEN) -> Example:
    return Example("zendesk", api, *streams, email=EMAIL, api_token=token)


def test_all_rows_arrive_then_only_those_that_changed(zendesk: Zendesk) -> None:
    """Exports go on with cursors up to end_of_stream, and comments are read of tickets that changed."""
    example = connected(zendesk)
    assert {table: len(keys) for table, keys in example.sync().items()} == {
        "tickets": 4,
        "ticket_comments": 104,
        "users": 1201,
    }
    assert sorted(set(example.requests)) == [
        "GET /incremental/tickets/cursor",
        "GET /incremental/users/cursor",
        *(f"GET /tickets/{number}/comments" for number in range(1, 5)),
    ]
    assert example.requests.count("GET /incremental/users/cursor") == 2
    ticket = example.tables.rows["tickets"][2]
    assert ticket["generated_at"] == ticket["created_at"] == zendesk.ago(10 * DAY)
    assert (ticket["channel"], ticket["satisfaction"], ticket["tags"]) == ("web", "unoffered", ["printer"])
    assert example.tables.rows["ticket_comments"][4100]["attachments"] == ["fire.png"]

    zendesk.now += HOUR
    assert example.sync() == {}
    zendesk.comment(3, zendesk.now)
    zendesk.change(1, status="deleted")
    zendesk.now += HOUR
    assert example.sync() == {"tickets": [3], "ticket_comments": [3001]}
    assert example.tables.deleted == {"tickets": [1]}
    assert example.requests.count("GET /tickets/3/comments") == 1
    assert len(example.requests) == 3


def test_an_oauth_token_takes_the_place_of_an_api_token(zendesk: Zendesk) -> None:
    """A connection has one or the other."""
    example = Example("zendesk", zendesk, "tickets", access_token=ACCESS_TOKEN)
    assert len(example.sync()["tickets"]) == 4


def test_throttled_requests_are_sent_again(zendesk: Zendesk) -> None:
    """The API accepts ten exports a minute, and says in Retry-After when it accepts the next."""
    zendesk.faults.append(throttled())
    assert len(connected(zendesk, "tickets").sync()["tickets"]) == 4


def test_a_rejected_key_is_reported(zendesk: Zendesk) -> None:
    """The message names the settings, and repeats what the API says."""
    failure = connected(zendesk, token="n0-such-token").failure()
    assert "401" in failure
    assert "api_token" in failure
    assert "Couldn't authenticate you" in failure
    assert "n0-such-token" not in failure
