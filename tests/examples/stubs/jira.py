"""A stub of Jira Cloud's REST API v3: the search for issues, their comments and changelogs, and projects.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from dev.testbed.loopback import Reply, Seen
from tests.examples.stubs.api import Api, Json, Rejected, parameters

EMAIL, TOKEN = "ada@acme.test", "ATATT3xFfGF0"
_ROOT = "/rest/api/3"
_JQL = re.compile(r'updated >= "(\d{4}-\d\d-\d\d \d\d:\d\d)" ORDER BY created ASC')
_SEARCH = ("jql", "nextPageToken", "maxResults", "fields", "expand", "properties", "fieldsByKeys", "failFast")
_ADA = {"accountId": "5b10a2844c20165700ede21g", "displayName": "Ada", "active": True}
_USERS_ZONE = timezone(timedelta(hours=-8))


def written(at: datetime) -> str:
    """An instant as records have it."""
    return at.astimezone(_USERS_ZONE).strftime("%Y-%m-%dT%H:%M:%S.000%z")


@dataclass
class Jira(Api):
    """A site. The account's time zone is eight hours behind UTC, as the times in its searches and records are."""

    issues: dict[str, Json] = field(default_factory=dict)
    comments: dict[str, list[Json]] = field(default_factory=dict)
    changes: dict[str, list[Json]] = field(default_factory=dict)
    projects: list[Json] = field(default_factory=list)

    def add_issue(self, number: int, at: datetime) -> None:
        """Create an issue."""
        category = {"id": 2, "key": "new", "name": "To Do"}
        names = {"summary": f"Issue {number}", "labels": ["ui"], "status": {"name": "Open", "statusCategory": category}}
        ids = {"project": {"id": "10000", "key": "WEB"}, "issuetype": {"name": "Bug"}, "priority": {"name": "High"}}
        people = {"reporter": _ADA, "assignee": None, "resolution": None, "duedate": "2024-05-01"}
        times = {"created": written(at), "updated": written(at), "resolutiondate": None}
        key = str(10000 + number)
        self.issues[key] = {"id": key, "key": f"WEB-{number}", "fields": {**names, **ids, **people, **times}}
        self.comments[key], self.changes[key] = [], []

    def comment(self, number: int, at: datetime) -> None:
        """Comment on an issue."""
        key = str(10000 + number)
        body = {"type": "doc", "version": 1, "content": []}
        times = {"created": written(at), "updated": written(at)}
        known = self.comments[key]
        known.append({"id": f"{key}{len(known):04}", "author": _ADA, "body": body, **times, "jsdPublic": True})
        self.issues[key]["fields"]["updated"] = written(at)

    def close(self, number: int, at: datetime) -> None:
        """Change the status of an issue."""
        key = str(10000 + number)
        fields = self.issues[key]["fields"]
        fields |= {"status": {"name": "Done", "statusCategory": {"key": "done"}}, "updated": written(at)}
        item = {"field": "status", "fieldtype": "jira", "fromString": "Open", "toString": "Done"}
        self.changes[key].append({"id": f"{key}9", "author": _ADA, "created": written(at), "items": [item]})

    def add_project(self, number: int) -> None:
        """Add a project."""
        names = {"id": str(10000 + number), "key": f"WEB{number}", "name": "Web", "description": "", "lead": _ADA}
        self.projects.append({**names, "projectTypeKey": "software", "style": "classic", "isPrivate": False})

    def answer(self, seen: Seen, path: str) -> Reply:
        """A page of a list."""
        expected = base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
        if seen.headers.get("Authorization") != f"Basic {expected}":
            words = "Client must be authenticated to access this resource."
            raise Rejected(Reply({"message": words, "status-code": 401}, 401))
        if path == f"{_ROOT}/search/jql":
            return self._search(parameters(seen, _SEARCH, _unknown))
        if path == f"{_ROOT}/project/search":
            return _page("values", self.projects, parameters(seen, (*_PAGE, "orderBy", "expand", "query"), _unknown))
        child = re.fullmatch(_ROOT + r"/issue/(\d+)/(comment|changelog)", path)
        if child is None or child[1] not in self.issues:
            raise _error(404, "Issue does not exist or you do not have permission to see it.")
        if child[2] == "comment":
            query = parameters(seen, (*_PAGE, "orderBy", "expand"), _unknown)
            return _page("comments", self.comments[child[1]], query)
        return _page("values", self.changes[child[1]], parameters(seen, _PAGE, _unknown))

    def _search(self, query: Mapping[str, str]) -> Reply:
        """A page with the fields that are asked for: without any, with the ids alone."""
        jql = _JQL.fullmatch(query.get("jql", ""))
        if jql is None:
            words = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
            raise _error(400, words)
        since = datetime.strptime(jql[1], "%Y-%m-%d %H:%M").replace(tzinfo=_USERS_ZONE)
        found = [one for one in self.issues.values() if _time(one, "updated") >= since]
        found.sort(key=lambda one: _time(one, "created"))
        size, start = min(int(query.get("maxResults", 50)), 100), _start(query)
        names = query.get("fields", "id").split(",")
        page = [_shown(one, names) for one in found[start : start + size]]
        if start + size >= len(found):
            return Reply({"issues": page, "isLast": True})
        token = base64.b64encode(f"next:{start + size}".encode()).decode()
        return Reply({"issues": page, "nextPageToken": token, "isLast": False})


def throttled() -> Reply:
    """Too many requests in the last seconds."""
    return Reply({"errorMessages": ["Rate limit exceeded."]}, 429, headers={"Retry-After": "0"})


_PAGE = ("startAt", "maxResults")


def _page(name: str, found: Sequence[Json], query: Mapping[str, str]) -> Reply:
    start, size = int(query.get("startAt", 0)), min(int(query.get("maxResults", 50)), 100)
    page = list(found[start : start + size])
    return Reply({"startAt": start, "maxResults": size, "total": len(found), name: page})


def _start(query: Mapping[str, str]) -> int:
    if "nextPageToken" not in query:
        return 0
    try:
        return int(base64.b64decode(query["nextPageToken"]).decode().removeprefix("next:"))
    except ValueError:
        raise _error(400, "Invalid nextPageToken") from None


def _time(issue: Json, name: str) -> datetime:
    return datetime.strptime(issue["fields"][name], "%Y-%m-%dT%H:%M:%S.000%z")


def _shown(issue: Json, names: Sequence[str]) -> Json:
    if names == ["id"]:
        return {"id": issue["id"]}
    return {**issue, "fields": {key: value for key, value in issue["fields"].items() if key in names}}


def _unknown(name: str) -> Rejected:
    return _error(400, f"{name} is not a parameter")


def _error(status: int, words: str) -> Rejected:
    return Rejected(Reply({"errorMessages": [words], "errors": {}}, status))
