"""A stub of PayPal's REST API: access tokens, the transaction search and the disputes, as its reference describes them.

https://developer.paypal.com/docs/api/transaction-search/v1/ and https://developer.paypal.com/docs/api/customer-disputes/v1/
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from dev.testbed.loopback import Reply, Seen
from tests.examples.stubs.api import DAY, Api, Json, Rejected, parameters

CLIENT, SECRET = "AeA1QIZXiflr1", "EC3iTs3cr3t"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?(?:Z|[+-]\d\d:?\d\d)")
_LIFETIME = timedelta(seconds=32400)
_DELAY = timedelta(hours=3)  # until a transaction appears
_KEPT = 3 * 365 * DAY


def instant(at: datetime) -> str:
    """An instant as the transaction search writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S+0000")


@dataclass
class PayPal(Api):
    """An account. ``most``: how many results a search has. ``tokens``: those that were issued, and until when."""

    url: str = "https://api.paypal.com"
    most: int = 10_000
    transactions: list[Json] = field(default_factory=list)
    disputes: list[Json] = field(default_factory=list)
    tokens: dict[str, datetime] = field(default_factory=dict)

    def add_transaction(self, number: int, at: datetime, amount: str = "-13.50") -> None:
        """Add a transaction that is pending."""
        self.transactions.append(
            {
                "transaction_info": {
                    "transaction_id": f"5TY{number:05}",
                    "transaction_event_code": "T0006",
                    "transaction_initiation_date": instant(at),
                    "transaction_updated_date": instant(at),
                    "transaction_amount": {"currency_code": "USD", "value": amount},
                    "fee_amount": {"currency_code": "USD", "value": "-0.30"},
                    "transaction_status": "P",
                },
                "payer_info": {"account_id": "6STWC2LSUYYYE", "email_address": "ada@example.com", "country_code": "US"},
                "cart_info": {"item_details": [{"item_name": "Tea", "item_quantity": "1"}]} if number % 2 else {},
            }
        )

    def complete(self, number: int) -> None:
        """Let a transaction succeed now."""
        info = self.transactions[number]["transaction_info"]
        assert isinstance(info, dict)
        info |= {"transaction_status": "S", "transaction_updated_date": instant(self.now)}

    def add_dispute(self, number: int, at: datetime) -> None:
        """Open a dispute about a transaction, or change it."""
        self.disputes = [one for one in self.disputes if one["dispute_id"] != f"PP-D-{number:05}"]
        self.disputes.append(
            {
                "dispute_id": f"PP-D-{number:05}",
                "create_time": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "update_time": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "disputed_transactions": [{"seller_transaction_id": f"5TY{number:05}"}],
                "reason": "UNAUTHORISED",
                "status": "OPEN",
                "dispute_life_cycle_stage": "INQUIRY",
                "dispute_amount": {"currency_code": "USD", "value": "13.50"},
            }
        )

    def answer(self, seen: Seen, path: str) -> Reply:
        """A token, or a page of a list."""
        if (seen.method, path) == ("POST", "/v1/oauth2/token"):
            return self._token(seen)
        scheme, _, token = seen.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or self.tokens.get(token, self.now) <= self.now:
            raise Rejected(_error(401, "AUTHENTICATION_FAILURE", "Authentication failed due to invalid credentials."))
        if (seen.method, path) == ("GET", "/v1/reporting/transactions"):
            return self._transactions(seen)
        if (seen.method, path) == ("GET", "/v1/customer/disputes"):
            return self._disputes(seen)
        raise Rejected(_error(404, "RESOURCE_NOT_FOUND", "The specified resource does not exist."))

    def _token(self, seen: Seen) -> Reply:
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if seen.headers.get("Authorization") != f"Basic {expected}":
            error = {"error": "invalid_client", "error_description": "Client Authentication failed"}
            return Reply(error, 401)
        if "grant_type=client_credentials" not in seen.content.decode():
            return Reply({"error": "unsupported_grant_type", "error_description": "Grant Type is NULL"}, 400)
        token = f"A21AA{len(self.tokens)}"
        self.tokens[token] = self.now + _LIFETIME
        return Reply({"scope": "", "access_token": token, "token_type": "Bearer", "expires_in": _LIFETIME.seconds})

    def _transactions(self, seen: Seen) -> Reply:
        known = ("start_date", "end_date", "fields", "page_size", "page", "transaction_status", "transaction_id")
        query = parameters(seen, known, _unknown)
        start, end = _instant(query, "start_date"), _instant(query, "end_date")
        if end - start > 31 * DAY:
            raise Rejected(_invalid("Date range is greater than 31 days"))
        if not _DELAY <= self.now - start <= _KEPT:
            raise Rejected(_error(400, "INVALID_REQUEST", "Data for the given start date is not available."))
        size, page = _number(query, "page_size", 100, 500), _number(query, "page", 1, 2**31)
        found = [one for one in self.transactions if start <= _parsed(_initiated(one)) <= end]
        if len(found) > self.most:
            message = "Result set size is greater than the maximum limit. Change the filter criteria and try again."
            raise Rejected(_error(400, "RESULTSET_TOO_LARGE", message))
        found.sort(key=_initiated)
        pages = -(-len(found) // size)
        return Reply(
            {
                "transaction_details": found[(page - 1) * size : page * size],
                "account_number": "XZXSPECPDZHZU",
                "page": page,
                "total_items": len(found),
                "total_pages": pages,
                "links": [{"href": "https://api.paypal.com/...", "rel": "self", "method": "GET"}],
            }
        )

    def _disputes(self, seen: Seen) -> Reply:
        query = parameters(seen, ("page_size", "update_time_after", "next_page_token"), _unknown)
        size, at = _number(query, "page_size", 10, 50), _number(query, "next_page_token", 0, 2**31)
        after = _instant(query, "update_time_after") if "update_time_after" in query else None
        if after is not None and after < self.ago(180 * DAY):
            raise Rejected(_invalid("update_time_after must be within the last 180 days"))
        found = [one for one in self.disputes if after is None or _parsed(one["update_time"]) >= after]
        found.sort(key=lambda one: str(one["update_time"]), reverse=True)
        links = [{"href": f"{self.url}/v1/customer/disputes", "rel": "self", "method": "GET"}]
        if at + size < len(found):
            following = urlencode({**query, "next_page_token": at + size})
            href = f"{self.url}/v1/customer/disputes?{following}"
            links.append({"href": href, "rel": "next", "method": "GET"})
        return Reply({"items": found[at : at + size], "links": links})


def _initiated(transaction: Json) -> str:
    return str(transaction["transaction_info"]["transaction_initiation_date"])


def _parsed(text: str) -> datetime:
    return datetime.strptime(text.replace(".000", ""), "%Y-%m-%dT%H:%M:%S%z")


def _instant(query: Mapping[str, str], name: str) -> datetime:
    if not _INSTANT.fullmatch(query.get(name, "")):
        raise Rejected(_invalid(f"{name} is not in Internet date and time format"))
    return _parsed(query[name])


def _number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit() or int(text) > most:
        raise Rejected(_invalid(f"{name} must be at most {most}"))
    return int(text)


def _invalid(issue: str) -> Reply:
    details: Sequence[Json] = [{"issue": issue}]
    message = "Request is not well-formed, syntactically incorrect, or violates schema."
    return Reply({"name": "INVALID_REQUEST", "message": message, "debug_id": "7d7", "details": list(details)}, 400)


def _error(status: int, name: str, message: str) -> Reply:
    return Reply({"name": name, "message": message, "debug_id": "7d7"}, status)


def _unknown(name: str) -> Rejected:
    return Rejected(_invalid(f"{name} is unknown"))
