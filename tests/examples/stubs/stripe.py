"""A stub of Stripe's API, as its reference describes lists, errors and versions: https://docs.stripe.com/api."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from dev.testbed.loopback import Reply, Seen
from tests.examples.stubs.api import DAY, Api, Json, Rejected, parameters

KEY = "rk_test_51Nc8xKq"
_PAGE = ("limit", "starting_after", "ending_before")
_CREATED = tuple(f"created[{bound}]" for bound in ("gt", "gte", "lt", "lte"))
_FILTERS = {
    "customers": ("email", "test_clock"),
    "charges": ("customer", "payment_intent", "transfer_group"),
    "invoices": ("customer", "status", "subscription", "collection_method"),
    "refunds": ("charge", "payment_intent"),
    "balance_transactions": ("currency", "payout", "source", "type"),
    "events": ("type", "types[]", "delivery_success"),
}


def epoch(at: datetime) -> int:
    """An instant as the API writes it."""
    return int(at.timestamp())


@dataclass
class Stripe(Api):
    """An account: lists by their names, newest first, the lines of invoices, and what was deleted."""

    lists: dict[str, list[Json]] = field(default_factory=lambda: {name: [] for name in _FILTERS})
    lines: dict[str, list[Json]] = field(default_factory=dict)
    deleted: dict[str, Json] = field(default_factory=dict)

    def add(self, name: str, key: str, created: datetime, **more: object) -> None:
        """Add an object to a list."""
        base = {"id": key, "object": name.rstrip("s"), "created": epoch(created), "livemode": False, "metadata": {}}
        self.lists[name].append({**base, **more})
        self.lists[name].sort(key=lambda one: (one["created"], one["id"]), reverse=True)

    def change(self, event: str, name: str, key: str, **values: object) -> None:
        """Change an object of a list, of which an event has the new version."""
        changed = next(one for one in self.lists[name] if one["id"] == key)
        changed.update(values)
        self.note(event, changed)

    def delete(self, name: str, key: str) -> None:
        """Delete an object. Its id still leads to what says so."""
        gone = next(one for one in self.lists[name] if one["id"] == key)
        self.lists[name].remove(gone)
        self.deleted[key] = {"id": key, "object": gone["object"], "deleted": True}
        self.note(f"{gone['object']}.deleted", gone)

    def note(self, event: str, about: Json) -> None:
        """Add an event about an object, as it is now."""
        number = len(self.lists["events"])
        self.add("events", f"evt_{number:05}", self.now, type=event, data={"object": dict(about)})

    def add_invoice(self, number: int, created: datetime, lines: int) -> None:
        """Add an invoice for a subscription, whose record has the first ten of its lines."""
        key = f"in_{number:05}"
        self.lines[key] = [
            {
                "id": f"il_{number:05}_{line:03}",
                "object": "line_item",
                "amount": 1000 + line,
                "currency": "eur",
                "description": f"Seat {line}",
                "quantity": 2,
                "metadata": {},
                "period": {"start": epoch(created), "end": epoch(created) + 86400},
                "pricing": {"type": "price_details", "price_details": {"price": "price_1", "product": "prod_1"}},
            }
            for line in range(lines)
        ]
        first = {"object": "list", "data": self.lines[key][:10], "has_more": lines > 10, "url": f"/v1/{key}/lines"}
        self.add(
            "invoices",
            key,
            created,
            number=f"A-{number:04}",
            customer="cus_00001",
            parent={"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}},
            status="paid",
            currency="eur",
            total=1000 * lines,
            amount_due=1000 * lines,
            amount_paid=1000 * lines,
            due_date=None,
            period_start=epoch(created),
            period_end=epoch(created) + 86400,
            lines=first,
        )

    def answer(self, seen: Seen, path: str) -> Reply:
        """A page of a list."""
        _check_headers(seen)
        name, lines = path.strip("/"), re.fullmatch(r"/invoices/(\w+)/lines", path)
        if lines is not None and lines[1] in self.lines:
            return _page(path, self.lines[lines[1]], parameters(seen, _PAGE, _unknown))
        name, _, key = name.partition("/")
        if name not in self.lists:
            raise _error(404, f"Unrecognized request URL (GET: /v1{path}).")
        if key:
            parameters(seen, (), _unknown)
            return Reply(self._one(name, key))
        query = parameters(seen, (*_PAGE, *_CREATED, *_FILTERS[name]), _unknown)
        since, until = _number(query, "created[gte]", 0), _number(query, "created[lt]", 1 << 40)
        if name == "events":
            since = max(since, epoch(self.ago(30 * DAY)))
        found = [one for one in self.lists[name] if since <= one["created"] < until and _is_of(one, query)]
        return _page(path, found, query)

    def _one(self, name: str, key: str) -> Json:
        """The object with an id."""
        found = [one for one in (*self.lists[name], *self.deleted.values()) if one["id"] == key]
        if not found:
            message = f"No such {name.rstrip('s')}: '{key}'"
            raise _error(404, message, code="resource_missing", param="id")
        return found[0]


def _is_of(one: Json, query: Mapping[str, str]) -> bool:
    """Whether an object is an event of one of the types that are asked for, if any are. An asterisk is a wildcard."""
    types = [query["type"]] if "type" in query else query["types[]"].split(",") if "types[]" in query else ["*"]
    if len(types) > 20:
        raise _error(400, "You may only specify up to 20 values for types.", param="types")
    return any(fnmatchcase(one.get("type", ""), pattern) for pattern in types)


def throttled() -> Reply:
    """Too many requests in the last second."""
    words = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
    error = {"message": words, "type": "invalid_request_error", "code": "rate_limit"}
    return Reply({"error": error}, 429, headers={"Stripe-Rate-Limited-Reason": "global-rate"})


def _check_headers(seen: Seen) -> None:
    if seen.headers.get("Authorization") != f"Bearer {KEY}":
        given = seen.headers.get("Authorization", "").removeprefix("Bearer ")
        raise _error(401, f"Invalid API Key provided: {given[:2]}****{given[-2:]}")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(\.[a-z]+)?", seen.headers.get("Stripe-Version", "")):
        raise _error(400, f"Invalid Stripe API version: {seen.headers.get('Stripe-Version')}")


def _page(path: str, found: Sequence[Json], query: Mapping[str, str]) -> Reply:
    limit = _number(query, "limit", 10)
    if limit > 100:
        words = f"This value must be less than or equal to 100 (it currently is '{limit}')."
        raise _error(400, words, code="parameter_invalid_integer", param="limit")
    after, start = query.get("starting_after"), 0
    if after is not None:
        start = next((number for number, one in enumerate(found, 1) if one["id"] == after), -1)
    if start < 0:
        raise _error(400, f"No such object: '{after}'", code="resource_missing", param="starting_after")
    page = list(found[start : start + limit])
    return Reply({"object": "list", "url": f"/v1{path}", "has_more": start + limit < len(found), "data": page})


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit():
        raise _error(400, f"Invalid integer: {text}", code="parameter_invalid_integer", param=name)
    return int(text)


def _unknown(name: str) -> Rejected:
    return _error(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


def _error(status: int, message: str, **more: str) -> Rejected:
    return Rejected(Reply({"error": {"message": message, "type": "invalid_request_error", **more}}, status))
