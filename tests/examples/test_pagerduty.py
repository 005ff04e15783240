"""PagerDuty's example."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.examples.example import Example
from tests.examples.stubs.api import DAY
from tests.examples.stubs.pagerduty import KEY, PagerDuty, throttled

HOUR = timedelta(hours=1)


@pytest.fixture
def pagerduty() -> PagerDuty:
    """An account with services, and an incident in every third month of a year."""
    api = PagerDuty()
    for number in range(3):
        api.add_service(number)
    for number in range(4):
        api.add_incident(number, api.ago((3 - number) * 100 * DAY + HOUR))
    return api


def connected(api: PagerDuty, *streams: str, key: str = KEY) -> Example:
    """The example, from two years ago on."""
    return Example("pagerduty", api, *streams, api_key=key, start_date=f"{api.ago(730 * DAY):%Y-%m-%d}")


def test_all_rows_arrive_then_only_those_that_changed(pagerduty: PagerDuty) -> None:
    """The first sync reads two years in windows of half a year, the next ones what is open or was resolved."""
    example = connected(pagerduty)
    sent = example.sync()
    assert {table: len(keys) for table, keys in sent.items()} == {
        "incidents": 4,
        "incident_log_entries": 4,
        "services": 3,
    }
    incident = example.tables.rows["incidents"]["PINC00003"]
    assert (incident["created_at"], incident["resolved_at"]) == (pagerduty.ago(HOUR), None)
    assert (incident["priority"], incident["assignee_ids"], incident["alert_count"]) == ("P2", ["PXPGF42"], 2)
    assert example.column("incident_log_entries", "incident_id")["R00002000"] == "PINC00002"
    assert example.column("services", "teams")["PSVC001"] == ["Engineering"]
    assert len(example.log.warnings) == 1  # the stub has no https://

    pagerduty.now += 2 * HOUR
    assert example.sync() == {}
    assert example.requests == [*["GET /incidents"] * 4, "GET /services"]

    pagerduty.now += HOUR
    pagerduty.resolve(0)
    pagerduty.add_incident(4, pagerduty.ago(timedelta(minutes=1)))
    del pagerduty.services[0]
    assert example.sync() == {
        "incidents": ["PINC00000", "PINC00004"],
        "incident_log_entries": ["R00000001", "R00004000"],
    }
    assert example.tables.rows["incidents"]["PINC00000"]["status"] == "resolved"
    assert example.tables.deleted == {"services": ["PSVC000"]}


def test_long_lists_are_read_in_parts(pagerduty: PagerDuty) -> None:
    """A window with too many results is halved. Later syncs stop at the first incident that was resolved before."""
    pagerduty.most = 150
    for number in range(100, 300):
        pagerduty.add_incident(number, pagerduty.ago((number - 100) * DAY / 2))
        pagerduty.incidents[-1] |= {"status": "resolved", "resolved_at": pagerduty.incidents[-1]["created_at"]}
    example = connected(pagerduty, "incidents")
    assert len(example.sync()["incidents"]) == 204
    pagerduty.now += HOUR
    assert example.sync() == {}
    assert len(example.requests) == 2


def test_throttled_requests_are_sent_again(pagerduty: PagerDuty) -> None:
    """The header ratelimit-reset says when."""
    pagerduty.faults.append(throttled())
    assert len(connected(pagerduty, "services").sync()["services"]) == 3


def test_a_rejected_key_is_reported(pagerduty: PagerDuty) -> None:
    """The message names the setting, and repeats what the API says."""
    failure = connected(pagerduty, key="n0-such-key").failure()
    assert "401" in failure
    assert "api_key" in failure
    assert "The API key is invalid" in failure
    assert "n0-such-key" not in failure
