"""A stub of PagerDuty's REST API v2, as its OpenAPI document and its pages on pagination and rate limits describe it.

https://developer.pagerduty.com/api-reference
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from dev.testbed.loopback import Reply, Seen
from tests.examples.stubs.api import DAY, Api, Json, Rejected, parameters

KEY = "y_NbAkKc66ryYTWUXYEu"
_PAGE = ("limit", "offset", "total")
_MOST = 10_000
_STATUSES = ("triggered", "acknowledged", "resolved")
_SORTS = ("incident_number", "created_at", "resolved_at")
_SPAN = 184 * DAY  # six months


def instant(at: datetime) -> str:
    """An instant as the API writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class PagerDuty(Api):
    """An account with services, incidents and their logs. ``most``: how many results a list has at most."""

    most: int = _MOST
    services: list[Json] = field(default_factory=list)
    incidents: list[Json] = field(default_factory=list)
    logs: dict[str, list[Json]] = field(default_factory=dict)

    def add_service(self, number: int) -> None:
        """Add a service."""
        self.services.append(
            {
                "id": f"PSVC{number:03}",
                "type": "service",
                "summary": f"Service {number:03}",
                "name": f"Service {number:03}",
                "description": None,
                "status": "active",
                "created_at": "2015-11-06T11:12:51-05:00",
                "last_incident_timestamp": None,
                "auto_resolve_timeout": 14400,
                "acknowledgement_timeout": None,
                "escalation_policy": {"id": "PT20YPA", "type": "escalation_policy_reference", "summary": "Default"},
                "teams": [{"id": "PQ9K7I8", "type": "team_reference", "summary": "Engineering"}],
            }
        )

    def add_incident(self, number: int, created: datetime) -> None:
        """Add an incident that has just been triggered."""
        self.incidents.append(
            {
                "id": f"PINC{number:05}",
                "type": "incident",
                "summary": f"[#{number}] Disk {number} is full",
                "incident_number": number,
                "title": f"Disk {number} is full",
                "created_at": instant(created),
                "updated_at": instant(created),
                "resolved_at": None,
                "status": "triggered",
                "urgency": "high",
                "priority": {"id": "P53ZZH5", "type": "priority_reference", "summary": "P2"} if number % 2 else None,
                "service": {"id": f"PSVC{number % 3:03}", "type": "service_reference", "summary": "a service"},
                "assignments": [
                    {"at": instant(created), "assignee": {"id": "PXPGF42", "type": "user_reference", "summary": "Ada"}}
                ],
                "escalation_policy": {"id": "PT20YPA", "type": "escalation_policy_reference", "summary": "Default"},
                "alert_counts": {"all": 2, "triggered": 2, "resolved": 0},
                "html_url": f"https://acme.pagerduty.com/incidents/PINC{number:05}",
            }
        )
        self.log(number, "trigger_log_entry", created)

    def resolve(self, number: int) -> None:
        """Let someone resolve an incident now."""
        incident = next(one for one in self.incidents if one["incident_number"] == number)
        now = instant(self.now)
        incident |= {"status": "resolved", "resolved_at": now, "updated_at": now, "assignments": []}
        self.log(number, "resolve_log_entry", self.now)

    def log(self, number: int, kind: str, at: datetime) -> None:
        """Add an entry to an incident's log."""
        entries = self.logs.setdefault(f"PINC{number:05}", [])
        entries.insert(
            0,
            {
                "id": f"R{number:05}{len(entries):03}",
                "type": kind,
                "summary": f"{kind} by Ada",
                "created_at": instant(at),
                "agent": {"id": "PXPGF42", "type": "user_reference", "summary": "Ada"},
                "channel": {"type": "web_trigger"},
                "incident": {"id": f"PINC{number:05}", "type": "incident_reference"},
                "teams": [],
            },
        )

    def answer(self, seen: Seen, path: str) -> Reply:
        """A page of a list."""
        _check_headers(seen)
        log = re.fullmatch(r"/incidents/(\w+)/log_entries", path)
        if path == "/services":
            query = parameters(seen, (*_PAGE, "sort_by", "query", "name", "team_ids[]", "include[]"), _unknown)
            return self._page("services", sorted(self.services, key=lambda one: str(one["name"])), query)
        if path == "/incidents":
            known = (*_PAGE, "since", "until", "date_range", "statuses[]", "sort_by", "service_ids[]", "time_zone")
            return self._page("incidents", *self._incidents(parameters(seen, known, _unknown)))
        if log is not None and log[1] in self.logs:
            query = parameters(seen, (*_PAGE, "since", "until", "is_overview", "time_zone", "include[]"), _unknown)
            return self._page("log_entries", self.logs[log[1]], query)
        raise Rejected(_error(404, 2100, "Not Found"))

    def _incidents(self, query: Mapping[str, str]) -> tuple[Sequence[Json], Mapping[str, str]]:
        by, _, direction = query.get("sort_by", "created_at").partition(":")
        statuses = query.get("statuses[]", ",".join(_STATUSES)).split(",")
        if by not in _SORTS or direction not in ("", "asc", "desc") or not set(statuses) <= {*_STATUSES}:
            raise _unknown("sort_by or statuses")
        found = [one for one in self.incidents if one["status"] in statuses]
        found.sort(key=lambda one: (one[by] or "", one["incident_number"]), reverse=direction == "desc")
        if query.get("date_range") != "all":
            since, until = self._range(query)
            found = [one for one in found if since <= _parsed(one["created_at"], "created_at") < until]
        return found, query

    def _range(self, query: Mapping[str, str]) -> tuple[datetime, datetime]:
        """The bounds of the creation of incidents: by default a month, from one of them or until now."""
        since = _parsed(query["since"], "since") if "since" in query else None
        until = _parsed(query["until"], "until") if "until" in query else None
        if until is None:
            until = since + 30 * DAY if since is not None else self.now
        since = since if since is not None else until - 30 * DAY
        if until < since or until - since > _SPAN:
            raise Rejected(_error(400, 2001, "Invalid Input Provided", "The requested time range is too large"))
        return since, until

    def _page(self, name: str, found: Sequence[Json], query: Mapping[str, str]) -> Reply:
        limit, offset = (_number(query, *default) for default in (("limit", 25), ("offset", 0)))
        if not 1 <= limit <= 100:
            raise Rejected(_error(400, 2001, "Invalid Input Provided", "Limit must be between 1 and 100"))
        if offset + limit > self.most:
            words = f"Offset+limit exceeds maximum allowed value of {self.most}. Please try to refine your search"
            raise Rejected(_error(400, 2002, "Arguments Caused Error", words))
        rows, more = list(found[offset : offset + limit]), offset + limit < len(found)
        total = len(found) if query.get("total") == "true" else None
        return Reply({name: rows, "limit": limit, "offset": offset, "more": more, "total": total})


def throttled() -> Reply:
    """Too many requests in the last minute."""
    reset = {"ratelimit-limit": "960", "ratelimit-remaining": "0", "ratelimit-reset": "0"}
    return Reply({"error": {"message": "Rate Limit Exceeded", "code": 2020}}, 429, headers=dict(reset))


def _check_headers(seen: Seen) -> None:
    if seen.headers.get("Authorization") != f"Token token={KEY}":
        raise Rejected(_error(401, 2006, "Unauthorized", "The API key is invalid"))
    if seen.headers.get("Accept") != "application/vnd.pagerduty+json;version=2":
        raise Rejected(_error(400, 2001, "Invalid Input Provided", "Accept must name the version"))
    if seen.headers.get("Content-Type") != "application/json":
        raise Rejected(_error(400, 2001, "Invalid Input Provided", "Content-Type must be application/json"))


def _error(status: int, code: int, message: str, *errors: str) -> Reply:
    return Reply({"error": {"message": message, "code": code, "errors": list(errors)}}, status)


def _unknown(name: str) -> Rejected:
    return Rejected(_error(400, 2001, "Invalid Input Provided", f"{name} is invalid"))


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    if not query.get(name, "0").isdigit():
        raise _unknown(name)
    return int(query.get(name, default))


def _parsed(text: str, name: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise _unknown(name) from None
