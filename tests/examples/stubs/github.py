"""A stub of GitHub's REST API, as its reference describes lists, pagination and rate limits.

https://docs.github.com/en/rest
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from dev.testbed.loopback import Reply, Seen
from tests.examples.stubs.api import Api, Json, Rejected, parameters

TOKEN = "github_pat_11ABCDEFG0"
_VERSIONS = ("2022-11-28", "2026-03-10")
_FORM = "%Y-%m-%dT%H:%M:%SZ"


@dataclass
class GitHub(Api):
    """Two organizations, acme and acme-labs: their repositories, and the issues of each; None if they are disabled.

    ``renamed``: the numbers of repositories by their former names.
    """

    repositories: list[Json] = field(default_factory=list)
    issues: dict[str, list[Json] | None] = field(default_factory=dict)
    renamed: dict[str, int] = field(default_factory=dict)

    def add_repository(self, full_name: str, *, has_issues: bool = True) -> None:
        """Add a repository of an owner."""
        owner, _, name = full_name.partition("/")
        number = 1300000 + len(self.repositories)
        at = "2024-01-26T19:01:12Z"
        names = {"id": number, "name": name, "full_name": full_name, "owner": {"login": owner}}
        counts = {"stargazers_count": 80, "open_issues_count": 0, "topics": ["octocat"], "language": None}
        kinds = {"visibility": "public", "fork": False, "archived": False, "has_issues": has_issues}
        more = {"description": None, "default_branch": "main", "created_at": at, "pushed_at": at, "updated_at": at}
        self.repositories.append({**names, **counts, **kinds, **more})
        self.issues[full_name] = [] if has_issues else None

    def add_issue(self, repository: str, at: datetime, *, is_pull: bool = False) -> None:
        """Open an issue or a pull request."""
        issues = self.issues[repository]
        assert issues is not None
        number = len(issues) + 1
        pull = {"pull_request": {"url": f"https://api.github.com/pulls/{number}", "merged_at": None}, "draft": False}
        issues.append(
            {
                "id": 1300000 * 1000 + 1000 * list(self.issues).index(repository) + number,
                "number": number,
                "title": "Found a bug",
                "state": "open",
                "state_reason": None,
                "user": {"login": "octocat", "id": 1} if number % 2 else None,
                "assignees": [{"login": "hubot"}],
                "labels": [{"id": 208045946, "name": "bug"}],
                "milestone": None,
                "comments": 0,
                "locked": False,
                "created_at": at.strftime(_FORM),
                "updated_at": at.strftime(_FORM),
                "closed_at": None,
                **(pull if is_pull else {}),
            }
        )

    def close(self, repository: str, number: int) -> None:
        """Close an issue now."""
        issues, now = self.issues[repository], self.now.strftime(_FORM)
        assert issues is not None
        issues[number - 1] |= {"state": "closed", "state_reason": "completed", "closed_at": now, "updated_at": now}

    def answer(self, seen: Seen, path: str) -> Reply:
        """A page of a list. Links to the next one name a repository by its number."""
        _check_headers(seen)
        organization = re.fullmatch(r"/(?:orgs|organizations)/([^/]+)/repos", path)
        issues = re.fullmatch(r"/(?:repos|repositories)/(.+)/issues", path)
        if organization is not None and organization[1] in ("acme", "acme-labs"):
            query = parameters(seen, ("type", "sort", "direction", "per_page", "page"), _invalid)
            address = self.url + path.replace("orgs", "organizations")
            return _page(address, self._repositories(organization[1], query), query)
        given = issues[1] if issues is not None else ""
        if given in self.renamed:
            address = f"{self.url}/repositories/{self.renamed[given]}/issues?{urlencode(seen.query, doseq=True)}"
            raise Rejected(Reply({"message": "Moved Permanently"}, 301, headers={"Location": address}))
        repository = next((one for one in self.repositories if given in (one["full_name"], str(one["id"]))), None)
        if repository is None:
            raise _error(404, "Not Found")
        known = (
            "state",
            "sort",
            "direction",
            "since",
            "labels",
            "assignee",
            "creator",
            "milestone",
            "per_page",
            "page",
        )
        query = parameters(seen, known, _invalid)
        address = f"{self.url}/repositories/{repository['id']}/issues"
        return _page(address, self._issues(repository["full_name"], query), query)

    def _repositories(self, owner: str, query: Mapping[str, str]) -> Sequence[Json]:
        if query.get("sort", "created") not in ("created", "updated", "pushed", "full_name"):
            raise _invalid("sort")
        found = (one for one in self.repositories if one["owner"]["login"] == owner)
        return sorted(found, key=lambda one: str(one["full_name"]))

    def _issues(self, name: str, query: Mapping[str, str]) -> Sequence[Json]:
        issues, states = self.issues[name], {"open": ["open"], "closed": ["closed"], "all": ["open", "closed"]}
        if issues is None:
            raise _error(410, "Issues are disabled for this repo")
        since = query.get("since")
        try:
            datetime.strptime(since or "2024-01-01T00:00:00Z", _FORM)
            kept = states[query.get("state", "open")]
        except (ValueError, KeyError):
            raise _invalid("since or state") from None
        found = [one for one in issues if one["state"] in kept and (since is None or one["updated_at"] >= since)]
        by = {"updated": "updated_at", "created": "created_at", "comments": "comments"}[query.get("sort", "created")]
        found.sort(key=lambda one: (one[by], one["number"]), reverse=query.get("direction", "desc") == "desc")
        return found


def throttled(now: datetime) -> Reply:
    """The limit of an hour is used up."""
    limits = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0"}
    reset = {"X-RateLimit-Reset": str(int(now.timestamp()))}
    return Reply({"message": "API rate limit exceeded for user ID 1."}, 403, headers={**limits, **reset})


def secondary() -> Reply:
    """Too many requests in a short time."""
    words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    left = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4711", "Retry-After": "0"}
    return Reply({"message": words}, 403, headers=dict(left))


def _check_headers(seen: Seen) -> None:
    if not seen.headers.get("User-Agent"):
        raise _error(403, "Request forbidden by administrative rules. Please make sure you have a User-Agent header.")
    if seen.headers.get("Authorization") != f"Bearer {TOKEN}":
        raise _error(401, "Bad credentials")
    if seen.headers.get("X-GitHub-Api-Version", _VERSIONS[0]) not in _VERSIONS:
        raise _error(400, "The requested API version is not supported")
    if seen.headers.get("Accept") not in ("application/vnd.github+json", "application/json", "*/*"):
        raise _error(415, "Unsupported 'Accept' header")


def _page(address: str, found: Sequence[Json], query: Mapping[str, str]) -> Reply:
    size, page = min(int(query.get("per_page", 30)), 100), int(query.get("page", 1))
    rows, headers = list(found[(page - 1) * size : page * size]), dict[str, str | None]()
    if page * size < len(found):
        last = -(-len(found) // size)
        links = [
            f'<{address}?{urlencode({**query, "page": number})}>; rel="{name}"'
            for name, number in (("next", page + 1), ("last", last))
        ]
        headers["Link"] = ", ".join(links)
    limits = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4998", "X-RateLimit-Reset": "1372700873"}
    return Reply(rows, headers={**headers, **limits})


def _invalid(name: str) -> Rejected:
    return _error(422, f"Validation Failed: {name}")


def _error(status: int, message: str) -> Rejected:
    documentation = "https://docs.github.com/rest"
    return Rejected(Reply({"message": message, "documentation_url": documentation, "status": str(status)}, status))
