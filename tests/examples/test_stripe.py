"""Stripe's example."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.examples.example import Example
from tests.examples.stubs.api import DAY
from tests.examples.stubs.stripe import KEY, Stripe, epoch, throttled

MINUTE = timedelta(minutes=1)


@pytest.fixture
def stripe() -> Stripe:
    """An account of some months."""
    api = Stripe()
    for number in range(230):
        api.add("customers", f"cus_{number:05}", api.ago(number * DAY), email=f"c{number}@acme.test", balance=-500)
    for number in range(3):
        at = api.ago(number * 10 * DAY + 2 * DAY)
        charge = {"amount": 1999, "amount_refunded": 0, "currency": "eur", "customer": "cus_00001", "paid": True}
        api.add("charges", f"ch_{number:05}", at, **charge, balance_transaction=f"txn_{number:05}", status="succeeded")
        api.add("refunds", f"re_{number:05}", at, amount=100, currency="eur", charge="ch_00001", status="pending")
        money = {"amount": 1999, "fee": 88, "net": 1911, "available_on": epoch(at + 7 * DAY), "exchange_rate": 1.0825}
        api.add("balance_transactions", f"txn_{number:05}", at, **money, source=f"ch_{number:05}", status="pending")
        api.add_invoice(number, at, lines=1 + 110 * number)
    return api


def connected(api: Stripe, *streams: str, key: str = KEY) -> Example:
    return Example("stripe", api, *streams, api_key=key)


def test_all_rows_arrive_then_only_those_that_are_new(stripe: Stripe) -> None:
    """Pages follow the last row of the one before, and later syncs ask for what was created since."""
    example = connected(stripe)
    assert {table: len(keys) for table, keys in example.sync().items()} == {
        "customers": 230,
        "charges": 3,
        "invoices": 3,
        "invoice_line_items": 1 + 111 + 221,
        "refunds": 3,
        "balance_transactions": 3,
    }
    requests = example.requests
    assert requests.count("GET /customers") == 3
    assert requests.count("GET /charges") == requests.count("GET /refunds") == 1
    assert requests.count("GET /invoices/in_00002/lines") == 3
    transaction = example.tables.rows["balance_transactions"]["txn_00000"]
    assert transaction["created"] == stripe.ago(2 * DAY)
    assert (transaction["net"], transaction["exchange_rate"]) == (1911, 1.0825)
    line = example.tables.rows["invoice_line_items"]["il_00001_004"]
    assert (line["invoice_id"], line["amount"], line["price_id"]) == ("in_00001", 1004, "price_1")
    assert example.column("invoices", "subscription_id")["in_00000"] == "sub_1"

    stripe.now += 30 * MINUTE
    assert example.sync() == {}
    stripe.now += 30 * MINUTE
    stripe.add("customers", "cus_new", stripe.now, email="new@acme.test")
    stripe.add_invoice(7, stripe.now, lines=2)
    assert example.sync() == {
        "customers": ["cus_new"],
        "invoices": ["in_00007"],
        "invoice_line_items": ["il_00007_000", "il_00007_001"],
    }
    assert len(example.requests) == 7


def test_changes_of_old_rows_are_found_by_events(stripe: Stripe) -> None:
    """Each row is requested once, however many name it. All lines of an invoice that changed are sent."""
    example = connected(stripe)
    example.sync()
    stripe.now += 2 * DAY
    example.sync()
    stripe.change("charge.updated", "charges", "ch_00002", metadata={"order": "17"})
    stripe.change("charge.refunded", "charges", "ch_00002", refunded=True, amount_refunded=1999)
    stripe.note("charge.dispute.created", {"id": "dp_1", "object": "dispute", "charge": "ch_00001"})
    stripe.lists["charges"][1]["disputed"] = True
    stripe.change("refund.updated", "refunds", "re_00001", status="succeeded")
    stripe.change("invoice.voided", "invoices", "in_00001", status="void")
    stripe.lines["in_00001"][0]["amount"] = 0
    stripe.note("invoice.upcoming", {"object": "invoice"})  # it has no id
    stripe.delete("customers", "cus_00200")
    assert example.sync() == {
        "charges": ["ch_00001", "ch_00002"],
        "refunds": ["re_00001"],
        "invoices": ["in_00001"],
        "invoice_line_items": sorted(f"il_00001_{line:03}" for line in range(111)),
    }
    assert example.tables.deleted == {"customers": ["cus_00200"]}
    assert example.column("charges", "amount_refunded")["ch_00002"] == 1999
    assert example.column("charges", "disputed") == {"ch_00000": None, "ch_00001": True, "ch_00002": None}
    assert example.column("invoices", "status")["in_00001"] == "void"
    assert [path for path in example.requests if "/ch_" in path] == ["GET /charges/ch_00001", "GET /charges/ch_00002"]

    stripe.now += 30 * MINUTE
    assert example.sync() == {}
    assert example.tables.deleted == {}


def test_throttled_requests_are_sent_again(stripe: Stripe) -> None:
    """Without a word about how long to wait."""
    stripe.faults.extend([throttled(), throttled()])
    assert len(connected(stripe, "charges").sync()["charges"]) == 3


def test_a_rejected_key_is_reported(stripe: Stripe) -> None:
    """The message names the setting, and repeats what the API says."""
    failure = connected(stripe, key="rk_test_wrong").failure()
    assert "401" in failure
    assert "api_key" in failure
    assert "Invalid API Key provided" in failure
    assert "rk_test_wrong" not in failure
