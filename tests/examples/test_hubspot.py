"""HubSpot's example."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from dev.testbed.loopback import Reply, Seen
from tests.examples.example import Example
from tests.examples.stubs.api import DAY
from tests.examples.stubs.hubspot import TOKEN, HubSpot, throttled

HOUR = timedelta(hours=1)


@pytest.fixture
def hubspot() -> HubSpot:
    """An account with more contacts than a search returns, and more owners than fit a page."""
    api = HubSpot(most=400)
    for number in range(700):
        api.add_contact(1000 - number, api.ago((number % 90 + 1) * DAY))
    for number in range(3):
        api.add_deal(number + 1, api.ago((number + 1) * DAY), contacts=range(1000, 1000 - number, -1))
    for number in range(105):
        api.add_owner(number, api.ago(90 * DAY))
    return api


def connected(api: HubSpot, *streams: str, token: str = TOKEN) -> Example:
    return Example("hubspot", api, *streams, token=token)


def test_all_rows_arrive_then_only_those_that_changed(hubspot: HubSpot) -> None:
    """More contacts than a search returns arrive in the order of their ids. Properties are strings."""
    example = connected(hubspot)
    assert {table: len(keys) for table, keys in example.sync().items()} == {
        "contacts": 700,
        "deals": 3,
        "deal_contacts": 3,
        "owners": 105,
    }
    assert example.requests.count("POST /crm/v3/objects/contacts/search") == 4
    deal = example.tables.rows["deals"][1]
    assert (Decimal(deal["amount"]), deal["is_closed"], deal["close_date"]) == (
        Decimal("1500.5"),
        True,
        hubspot.ago(DAY),
    )
    assert example.column("deal_contacts", "labels")[3, 1000] == ["Decision maker"]
    assert example.column("owners", "teams")["7"] == ["Sales"]
    assert not any("did not fit" in warning for warning in example.log.warnings)

    hubspot.now += HOUR
    assert example.sync() == {}
    assert len(example.requests) == 4
    hubspot.now += HOUR
    hubspot.change("contacts", 700, hubspot.ago(HOUR / 2), lifecyclestage="customer")
    hubspot.change("deals", 1, hubspot.ago(HOUR / 2), amount="")
    hubspot.associated["1"] = [999]
    assert example.sync() == {"contacts": [700], "deals": [1], "deal_contacts": [(1, 999)]}
    assert example.column("contacts", "lifecycle_stage")[700] == "customer"
    assert example.column("deals", "amount")[1] is None


def test_a_contact_that_changes_during_the_read_hides_no_other(hubspot: HubSpot) -> None:
    """It keeps its place in the list."""
    example, answer = connected(hubspot, "contacts"), hubspot.answer

    def changing(seen: Seen, path: str) -> Reply:
        reply = answer(seen, path)
        hubspot.now += HOUR
        hubspot.change("contacts", 301 + len(hubspot.seen), hubspot.now)
        return reply

    hubspot.answer = changing  # type: ignore[method-assign]
    assert len(set(example.sync()["contacts"])) == 700


def test_throttled_requests_are_sent_again(hubspot: HubSpot) -> None:
    """The API accepts five searches a second."""
    hubspot.faults.append(throttled())
    assert len(connected(hubspot, "contacts").sync()["contacts"]) == 700


def test_a_rejected_token_is_reported(hubspot: HubSpot) -> None:
    """The message names the setting, and repeats what the API says."""
    failure = connected(hubspot, "owners", token="pat-n0-such").failure()
    assert "401" in failure
    assert "token" in failure
    assert "pat-n0-such" not in failure
