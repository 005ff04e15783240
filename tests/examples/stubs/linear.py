"""A stub of Linear's GraphQL API: issues, comments and users, each a connection of nodes.

https://linear.app/developers/graphql, .../pagination, .../filtering and .../rate-limiting
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from dev.testbed.loopback import Reply, Seen
from tests.examples.stubs.api import Api, Json, Rejected

KEY = "lin_api_5Qe0m1"
_QUERY = re.compile(
    r"query\((?P<declared>.*?)\) \{\s*(?P<root>\w+)\((?P<arguments>.*?)\) (?P<selected>\{.*\})\s*\}", re.DOTALL
)
_TYPES = {"issues": "Issue", "comments": "Comment", "users": "User"}
_FILTER = "filter: {updatedAt: {gte: $since}}"
_MOST = 250

Selection = Mapping[str, Any]


def written(at: datetime) -> str:
    """An instant as records have it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


@dataclass
class Linear(Api):
    """A workspace, with the newest of everything first, as the API sorts it."""

    issues: list[Json] = field(default_factory=list)
    comments: list[Json] = field(default_factory=list)
    users: list[Json] = field(default_factory=list)

    def add_issue(self, number: int, at: datetime) -> None:
        """Create an issue."""
        names = {"id": f"i{number}", "identifier": f"ENG-{number}", "title": "A bug", "priorityLabel": "High"}
        more = {"estimate": 2, "dueDate": "2024-05-01", "trashed": None, "url": f"https://linear.app/acme/ENG-{number}"}
        times = {"createdAt": written(at), "updatedAt": written(at), "startedAt": None, "completedAt": None}
        others = {"canceledAt": None, "archivedAt": None, "assignee": None, "parent": None, "project": None}
        ids = {"team": {"id": "t1", "key": "ENG"}, "state": {"name": "Todo", "type": "unstarted"}}
        labels = {"nodes": [{"id": "l1", "name": "Bug"}]}
        one = {**names, **more, **times, **others, **ids, "creator": {"id": "u0"}, "labels": labels}
        self.issues.insert(0, one)

    def add_comment(self, number: int, at: datetime) -> None:
        """Comment on the first issue."""
        names = {"id": f"c{number}", "body": "Thanks", "url": f"https://linear.app/acme/issue/ENG-1#c{number}"}
        times = {"createdAt": written(at), "updatedAt": written(at), "editedAt": None, "resolvedAt": None}
        self.comments.insert(0, {**names, **times, "issue": {"id": "i1"}, "user": {"id": "u0"}, "parent": None})

    def add_user(self, number: int, at: datetime) -> None:
        """Add a user."""
        names = {"id": f"u{number}", "name": "Ada", "displayName": "ada", "email": f"u{number}@acme.test"}
        flags = {"active": True, "admin": False, "guest": False, "timezone": "Europe/Berlin"}
        times = {"createdAt": written(at), "updatedAt": written(at), "lastSeen": None}
        self.users.insert(0, {**names, **flags, **times})

    def finish(self, number: int, at: datetime) -> None:
        """Complete an issue."""
        issue = next(one for one in self.issues if one["id"] == f"i{number}")
        issue |= {"state": {"name": "Done", "type": "completed"}, "completedAt": written(at), "updatedAt": written(at)}

    def answer(self, seen: Seen, path: str) -> Reply:
        """The page of a connection that a query asks for."""
        if (seen.method, path) != ("POST", "/graphql"):
            raise Rejected(Reply(status=404, body=b""))
        if seen.headers.get("Authorization") != KEY:
            raise Rejected(error("AUTHENTICATION_ERROR", "Authentication required, not authenticated", 401))
        query = _QUERY.fullmatch(seen.json["query"])
        if query is None or query["root"] not in _TYPES:
            raise Rejected(error("GRAPHQL_PARSE_FAILED", "Syntax Error", 400))
        variables = _variables(query["declared"], seen.json.get("variables", {}))
        found = getattr(self, query["root"])
        if _FILTER in query["arguments"]:
            found = [one for one in found if _time(one["updatedAt"]) >= _time(variables["since"])]
        selected = _selection(iter(re.findall(r"[{}]|\w+", re.sub(r"\(.*?\)", "", query["selected"])[1:])))
        page = _connection(found, variables, selected["nodes"], _TYPES[query["root"]])
        return Reply({"data": {query["root"]: page}})


def error(code: str, message: str, status: int) -> Reply:
    """The errors of a query."""
    extensions = {"code": code, "statusCode": status, "userPresentableMessage": message}
    return Reply({"errors": [{"message": message, "extensions": extensions}], "data": None}, status)


def throttled(used_up: str) -> Reply:
    """One of two limits is used up, and accepts more at once; the other would do so in a hundred years."""
    headers: dict[str, str | None] = {}
    for limit in ("Requests", "Complexity"):
        is_used_up = limit == used_up
        headers[f"X-RateLimit-{limit}-Remaining"] = "0" if is_used_up else "4711"
        headers[f"X-RateLimit-{limit}-Reset"] = "1700000000000" if is_used_up else "4900000000000"
    return replace(error("RATELIMITED", "Rate limit exceeded", 400), headers=headers)


def _variables(declared: str, given: Json) -> Json:
    """The values of the variables that a query declares, those that must have one included."""
    types = dict(re.findall(r"\$(\w+): (\w+!?)", declared))
    for name, kind in types.items():
        if kind.endswith("!") and given.get(name) is None:
            words = f'Variable "${name}" of required type "{kind}" was not provided.'
            raise Rejected(error("INVALID_INPUT", words, 400))
    return {name: given.get(name) for name in types}


def _selection(tokens: Any) -> Selection:
    """The fields up to the closing brace, each with those that are nested in it."""
    fields: dict[str, Any] = {}
    last = ""
    for token in tokens:
        if token == "}":
            break
        if token == "{":
            fields[last] = _selection(tokens)
        else:
            fields[token], last = None, token
    return fields


def _connection(found: Sequence[Json], variables: Json, nodes: Selection, kind: str) -> Json:
    """A page: it starts after the node whose id is the cursor."""
    first, after = variables["first"], variables.get("after")
    if not 1 <= first <= _MOST:
        raise Rejected(error("INVALID_INPUT", "Argument Validation Error: first must not be greater than 250", 400))
    ids = [one["id"] for one in found]
    if after is not None and after not in ids:
        raise Rejected(error("INVALID_INPUT", "after is not a valid cursor", 400))
    start = ids.index(after) + 1 if after is not None else 0
    page = found[start : start + first]
    shown = [_shown(one, nodes, kind) for one in page]
    place = {"endCursor": page[-1]["id"] if page else None, "hasNextPage": start + first < len(found)}
    return {"nodes": shown, "pageInfo": place}


def _shown(value: Any, selected: Selection | None, kind: str) -> Any:
    """What a query selects of a value."""
    if selected is None or value is None:
        return value
    if isinstance(value, list):
        return [_shown(one, selected, kind) for one in value]
    for name in selected:
        if name not in value:
            words = f'Cannot query field "{name}" on type "{kind}".'
            raise Rejected(error("GRAPHQL_VALIDATION_FAILED", words, 400))
    return {name: _shown(value[name], nested, name) for name, nested in selected.items()}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
