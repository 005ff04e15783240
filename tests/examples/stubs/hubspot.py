"""A stub of HubSpot's CRM API: searches of contacts and deals, the contacts of deals, and owners.

https://developers.hubspot.com/docs/api-reference/search/guide and .../crm-crm-owners-v3/guide
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dev.testbed.loopback import Reply, Seen
from tests.examples.stubs.api import Api, Json, Rejected, parameters

TOKEN = "pat-na1-7b1f6c1e"
_CHANGED = {"contacts": "lastmodifieddate", "deals": "hs_lastmodifieddate"}
_ORDERS: Mapping[str, Callable[[int, int], bool]] = {
    "GT": lambda value, bound: value > bound,
    "GTE": lambda value, bound: value >= bound,
    "LT": lambda value, bound: value < bound,
    "LTE": lambda value, bound: value <= bound,
}


def written(at: datetime) -> str:
    """An instant as records have it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


@dataclass
class HubSpot(Api):
    """An account. ``most``: how many results a search has. ``associated``: the ids of the contacts of each deal."""

    most: int = 10_000
    contacts: list[Json] = field(default_factory=list)
    deals: list[Json] = field(default_factory=list)
    owners: list[Json] = field(default_factory=list)
    associated: dict[str, list[int]] = field(default_factory=dict)

    def add_contact(self, number: int, at: datetime) -> None:
        """Add a contact."""
        names = {"email": f"c{number}@example.com", "firstname": "Ada", "lastname": None, "lifecyclestage": "lead"}
        self.contacts.append(self._object(number, at, {**names, "hubspot_owner_id": "41629779"}))

    def add_deal(self, number: int, at: datetime, contacts: Sequence[int]) -> None:
        """Add a deal with contacts."""
        values = {"dealname": f"Deal {number}", "amount": "1500.5", "dealstage": "closedwon", "hs_is_closed": "true"}
        self.deals.append(self._object(number, at, {**values, "closedate": written(at), "deal_currency_code": ""}))
        self.associated[str(number)] = list(contacts)

    def add_owner(self, number: int, at: datetime) -> None:
        """Add an owner."""
        names = {"id": str(number), "email": f"o{number}@example.com", "type": "PERSON", "firstName": "Grace"}
        more = {"lastName": "Hopper", "userId": 9586504, "archived": False, "teams": [{"id": "1", "name": "Sales"}]}
        self.owners.append({**names, **more, "createdAt": written(at), "updatedAt": written(at)})

    def change(self, name: str, number: int, at: datetime, **properties: object) -> None:
        """Change a contact or a deal."""
        record = next(one for one in getattr(self, name) if one["id"] == str(number))
        record["properties"] |= properties
        record["updatedAt"] = written(at)

    def _object(self, number: int, at: datetime, properties: Json) -> Json:
        times = {"createdAt": written(at), "updatedAt": written(at)}
        return {"id": str(number), "properties": properties, **times, "archived": False}

    def answer(self, seen: Seen, path: str) -> Reply:
        """A page of a search or of a list."""
        if seen.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise _error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        search = re.fullmatch(r"/crm/v3/objects/(contacts|deals)/search", path)
        if search is not None and seen.method == "POST":
            return self._search(search[1], seen.json)
        associated = re.fullmatch(r"/crm/v4/objects/deals/(\d+)/associations/contacts", path)
        if associated is not None and associated[1] in self.associated:
            types = [{"category": "HUBSPOT_DEFINED", "typeId": 3, "label": None}]
            types.append({"category": "USER_DEFINED", "typeId": 36, "label": "Decision maker"})
            found = [{"toObjectId": key, "associationTypes": types} for key in self.associated[associated[1]]]
            return _page(found, parameters(seen, ("after", "limit"), _unknown), 500)
        if path == "/crm/v3/owners":
            return _page(self.owners, parameters(seen, ("after", "limit", "archived", "email"), _unknown), 500)
        raise Rejected(Reply(status=404, body=b""))

    def _search(self, name: str, body: Json) -> Reply:
        for key in body:
            if key not in ("filterGroups", "sorts", "properties", "limit", "after", "query"):
                raise _invalid(f'Invalid input JSON: Unrecognized field "{key}"')
        groups = body.get("filterGroups", [])
        if len(groups) > 5:
            raise _invalid("There was a problem with the request: at most 5 filter groups")
        found = [one for one in getattr(self, name) if any(_matches(name, one, group["filters"]) for group in groups)]
        for sort in body.get("sorts", [])[:1]:
            found.sort(
                key=lambda one: _value(name, one, sort["propertyName"]), reverse=sort["direction"] == "DESCENDING"
            )
        limit, after = int(body.get("limit", 10)), int(body.get("after", 0))
        if not 1 <= limit <= 200:
            raise _invalid("Limit must be between 1 and 200")
        if after + limit > self.most:
            raise _invalid(f"Paging past {self.most} results is not supported")
        asked = ["hs_object_id", "createdate", _CHANGED[name], *body.get("properties", [])]
        page = [self._shown(name, one, asked) for one in found[after : after + limit]]
        more = {"paging": {"next": {"after": str(after + limit)}}} if after + limit < len(found) else {}
        return Reply({"total": len(found), "results": page, **more})

    def _shown(self, name: str, record: Json, asked: Sequence[str]) -> Json:
        """A record with the properties that were asked for."""
        times = {"createdate": record["createdAt"], _CHANGED[name]: record["updatedAt"], "hs_object_id": record["id"]}
        known = {**record["properties"], **times}
        return {**record, "properties": {key: known.get(key) for key in asked}}


def throttled() -> Reply:
    """More than five searches in the last second."""
    words = "You have reached your secondly limit."
    error = {"status": "error", "message": words, "errorType": "RATE_LIMIT", "correlationId": "c0"}
    return Reply({**error, "policyName": "SECONDLY"}, 429)


def _matches(name: str, record: Json, filters: Sequence[Json]) -> bool:
    if not 1 <= len(filters) <= 10:
        raise _invalid("A filter group has between 1 and 10 filters")
    return all(_holds(name, record, one) for one in filters)


def _holds(name: str, record: Json, condition: Json) -> bool:
    if not {"propertyName", "operator", "value"} == set(condition):
        raise _invalid(f"value is required for operator {condition.get('operator')}")
    value = condition["value"]  # a number is accepted in place of its digits
    if isinstance(value, bool) or not str(value).isdigit():
        raise _invalid(f"{value} is not a valid long")
    return _ORDERS[condition["operator"]](_value(name, record, condition["propertyName"]), int(value))


def _value(name: str, record: Json, key: str) -> int:
    """The value of a property that can be compared: an id, or an instant in epoch milliseconds."""
    if key == "hs_object_id":
        return int(record["id"])
    if key != _CHANGED[name]:
        raise _invalid(f"property {key} does not exist")
    return round(datetime.fromisoformat(str(record["updatedAt"]).replace("Z", "+00:00")).timestamp() * 1000)


def _page(found: Sequence[Json], query: Mapping[str, str], most: int) -> Reply:
    limit, after = int(query.get("limit", 100)), int(query.get("after", 0))
    if not 1 <= limit <= most:
        raise _invalid(f"limit must be at most {most}")
    more: dict[str, Any] = {"paging": {"next": {"after": str(after + limit), "link": "https://api.hubapi.com/..."}}}
    return Reply({"results": found[after : after + limit], **(more if after + limit < len(found) else {})})


def _unknown(name: str) -> Rejected:
    return _invalid(f"{name} is not a parameter")


def _invalid(message: str) -> Rejected:
    return _error(400, "VALIDATION_ERROR", message)


def _error(status: int, category: str, message: str) -> Rejected:
    return Rejected(Reply({"status": "error", "message": message, "correlationId": "c0", "category": category}, status))
