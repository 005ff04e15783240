"""PayPal's example."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from dev.testbed.loopback import Reply, Seen
from tests.examples.example import Example
from tests.examples.stubs.api import DAY
from tests.examples.stubs.paypal import CLIENT, SECRET, PayPal

HOUR = timedelta(hours=1)


@pytest.fixture
def paypal() -> PayPal:
    """An account with a transaction every ten days of half a year, and as many disputes as fill two pages."""
    api = PayPal()
    for number in range(18):
        api.add_transaction(number, api.ago((17 - number) * 10 * DAY + HOUR))
    for number in range(60):
        api.add_dispute(number, api.ago((60 - number) * DAY))
    return api


def connected(api: PayPal, *streams: str, secret: str = SECRET, since: timedelta = 200 * DAY) -> Example:
    """The example, from half a year ago on."""
    start = f"{api.ago(since):%Y-%m-%dT%H:%M:%SZ}"
    return Example("paypal", api, *streams, client_id=CLIENT, client_secret=secret, start_date=start)


def test_all_rows_arrive_then_only_those_that_changed(paypal: PayPal) -> None:
    """A month at a time; then the transactions of the last 30 days, and the disputes that changed. One token a sync."""
    example = connected(paypal)
    assert {table: len(keys) for table, keys in example.sync().items()} == {"transactions": 18, "disputes": 60}
    assert example.requests.count("POST /v1/oauth2/token") == 1
    row = example.tables.rows["transactions"]["5TY00017"]
    assert (Decimal(row["amount"]), Decimal(row["fee"]), row["status"]) == (Decimal("-13.50"), Decimal("-0.30"), "P")
    assert row["items"] == [{"item_name": "Tea", "item_quantity": "1"}]
    assert example.column("disputes", "transaction_id")["PP-D-00003"] == "5TY00003"

    paypal.now += 5 * HOUR
    assert example.sync() == {}
    assert len(example.requests) <= 5

    paypal.now += HOUR
    paypal.complete(17)
    paypal.add_transaction(18, paypal.now, amount="1234567.891")
    paypal.add_dispute(7, paypal.now)
    assert example.sync() == {"transactions": ["5TY00017", "5TY00018"], "disputes": ["PP-D-00007"]}
    assert example.column("transactions", "status")["5TY00017"] == "S"
    assert Decimal(example.column("transactions", "amount")["5TY00018"]) == Decimal("1234567.891")


def test_a_window_with_too_many_transactions_is_halved(paypal: PayPal) -> None:
    """The search refuses a result of more than 10,000."""
    paypal.most = 2
    assert len(connected(paypal, "transactions").sync()["transactions"]) == 18


@pytest.mark.parametrize("since", [93 * DAY, 4 * 365 * DAY])
def test_windows_without_data_are_empty(paypal: PayPal, since: timedelta) -> None:
    """The search refuses those that begin within three hours, or three years ago and more."""
    example = connected(paypal, "transactions", since=since)
    assert len(example.sync()["transactions"]) == sum(10 * number * DAY < since for number in range(18))
    paypal.now += HOUR
    assert example.sync() == {}


def test_disputes_are_read_whole_after_half_a_year(paypal: PayPal) -> None:
    """The API refuses an earlier time. What has not changed is not sent."""
    example = connected(paypal, "disputes")
    example.sync()
    paypal.now += 200 * DAY
    paypal.add_dispute(7, paypal.ago(190 * DAY))
    assert example.sync() == {"disputes": ["PP-D-00007"]}


def test_a_token_that_was_revoked_is_renewed(paypal: PayPal) -> None:
    """During a sync: the request is sent again with the new one."""
    revoked: list[str] = []

    def answer(seen: Seen, path: str) -> Reply:
        if "next_page_token" in seen.query and not revoked:
            revoked.extend(paypal.tokens)
            paypal.tokens.clear()
        return PayPal.answer(paypal, seen, path)

    paypal.answer = answer  # type: ignore[method-assign]
    example = connected(paypal, "disputes")
    assert len(example.sync()["disputes"]) == 60
    assert example.requests.count("POST /v1/oauth2/token") == 2


def test_a_wrong_secret_is_reported(paypal: PayPal) -> None:
    """With the server's words, and without the secret."""
    failure = connected(paypal, secret="wr0ng-s3cret").failure()
    assert "Client Authentication failed" in failure
    assert "client_secret" in failure
    assert "wr0ng" not in failure
