"""A stub of Zendesk's ticketing API: incremental exports by cursor, and lists with cursor pagination.

https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from dev.testbed.loopback import Reply, Seen
from tests.examples.stubs.api import Api, Json, Rejected, parameters

EMAIL, TOKEN, ACCESS_TOKEN = "ada@acme.test", "6wiIBWbGkBMo1mRDMuVwkw1EPsNkeUj95PIz2akv", "oauth-1b0c3"
_EXPORTS = {"/incremental/tickets/cursor": "tickets", "/incremental/users/cursor": "users"}
_SETTLED = timedelta(minutes=1)


def written(at: datetime) -> str:
    """An instant as records have it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Zendesk(Api):
    """An account: its tickets and users, with the time of their last change, and the comments of tickets."""

    url: str = "https://acme.zendesk.com/api/v2"
    tickets: dict[int, Json] = field(default_factory=dict)
    users: dict[int, Json] = field(default_factory=dict)
    comments: dict[int, list[Json]] = field(default_factory=dict)

    def add_ticket(self, number: int, at: datetime, comments: int = 1) -> None:
        """Add a ticket with comments."""
        self.tickets[number] = {
            "id": number,
            "url": f"https://acme.zendesk.com/api/v2/tickets/{number}.json",
            "created_at": written(at),
            "updated_at": written(at),
            "generated_timestamp": int(at.timestamp()),
            "subject": f"Printer {number} is on fire",
            "description": "The fire is very colorful.",
            "status": "open",
            "priority": None,
            "type": "incident",
            "via": {"channel": "web"},
            "requester_id": 1,
            "assignee_id": None,
            "organization_id": 509974,
            "group_id": 98738,
            "satisfaction_rating": {"score": "unoffered"},
            "tags": ["printer"],
            "custom_fields": [{"id": 27642, "value": "745"}],
        }
        self.comments[number] = []
        for _ in range(comments):
            self.comment(number, at)

    def comment(self, number: int, at: datetime) -> None:
        """Add a comment to a ticket."""
        comments = self.comments[number]
        comments.append(
            {
                "id": number * 1000 + len(comments),
                "type": "Comment",
                "author_id": 1,
                "body": "Thanks",
                "html_body": "<p>Thanks</p>",
                "public": True,
                "via": {"channel": "email"},
                "attachments": [{"id": 1, "file_name": "fire.png"}],
                "created_at": written(at),
            }
        )
        self.change(number, updated_at=written(at))

    def change(self, number: int, **changes: object) -> None:
        """Change a ticket now, as its generated_timestamp shows."""
        self.tickets[number] |= {"generated_timestamp": int(self.now.timestamp()), **changes}

    def add_user(self, number: int, at: datetime) -> None:
        """Add a user."""
        times = {"created_at": written(at), "updated_at": written(at), "last_login_at": None}
        names = {"name": f"User {number}", "email": f"u{number}@acme.test", "role": "end-user", "tags": []}
        more = {"organization_id": None, "active": True, "suspended": False, "iana_time_zone": "Europe/Berlin"}
        self.users[number] = {"id": number, **names, **times, **more}

    def answer(self, seen: Seen, path: str) -> Reply:
        """A page of an export, or of the comments of a ticket."""
        login = base64.b64encode(f"{EMAIL}/token:{TOKEN}".encode()).decode()
        if seen.headers.get("Authorization") not in (f"Basic {login}", f"Bearer {ACCESS_TOKEN}"):
            raise Rejected(Reply({"error": "Couldn't authenticate you"}, 401))
        path = path.removesuffix(".json")
        comments = re.fullmatch(r"/tickets/(\d+)/comments", path)
        if path in _EXPORTS:
            query = parameters(seen, ("start_time", "cursor", "per_page", "include", "exclude_deleted"), _unknown)
            return self._export(_EXPORTS[path], query)
        number = int(comments[1]) if comments is not None else 0
        if number not in self.comments or self.tickets[number]["status"] == "deleted":
            raise Rejected(Reply({"error": "RecordNotFound", "description": "Not found"}, 404))
        return _page(self.comments[number], parameters(seen, ("page[size]", "page[after]", "include"), _unknown))

    def _export(self, name: str, query: Mapping[str, str]) -> Reply:
        """What changed since the start time or after the cursor, apart from the last minute."""
        per_page = int(query.get("per_page", 1000))
        if not 1 <= per_page <= 1000:
            raise _error(400, "InvalidValue", "per_page must be between 1 and 1000")
        after = self._start(query)
        changed = sorted((self._changed(name, one), one["id"]) for one in getattr(self, name).values())
        settled = int((self.now - _SETTLED).timestamp())
        found = [place for place in changed if after <= place and place[0] <= settled]
        page = found[:per_page]
        cursor = _cursor(*page[-1]) if page else query.get("cursor", _cursor(*after))
        rows = [getattr(self, name)[number] for _, number in page]
        url = f"{self.url}/incremental/{name}/cursor.json?cursor={quote(cursor)}"
        places = {"after_cursor": cursor, "after_url": url, "before_cursor": None, "before_url": None}
        return Reply({name: rows, **places, "end_of_stream": len(found) <= per_page})

    def _start(self, query: Mapping[str, str]) -> tuple[int, int]:
        if "cursor" in query:
            if "start_time" in query:
                raise _error(400, "InvalidValue", "start_time and cursor cannot be combined")
            at, number = base64.b64decode(query["cursor"]).decode().split("|")
            return int(at), int(number) + 1
        text = query.get("start_time", "")
        if not text.isdigit():
            raise _error(400, "InvalidValue", "start_time must be an epoch in seconds")
        if int(text) > (self.now - _SETTLED).timestamp():
            raise _error(422, "StartTimeTooRecent", "Too recent start_time. Use a start_time older than 60 seconds")
        return int(text), 0

    def _changed(self, name: str, one: Json) -> int:
        if name == "tickets":
            return int(one["generated_timestamp"])
        return int(datetime.strptime(one["updated_at"], "%Y-%m-%dT%H:%M:%S%z").timestamp())


def throttled() -> Reply:
    """Too many exports in the last minute."""
    words = "Number of allowed incremental ticket export API requests per minute exceeded"
    return Reply({"error": "APIRateLimitExceeded", "description": words}, 429, headers={"Retry-After": "0"})


def _cursor(at: int, number: int) -> str:
    return base64.b64encode(f"{at}|{number}".encode()).decode()


def _page(found: Sequence[Json], query: Mapping[str, str]) -> Reply:
    size = int(query.get("page[size]", 0))
    if not 1 <= size <= 100:
        raise _error(400, "InvalidPaginationParameter", "page[size] must be between 1 and 100")
    start = int(query.get("page[after]", 0))
    more = start + size < len(found)
    meta = {"has_more": more, "after_cursor": str(start + size) if found else None, "before_cursor": None}
    return Reply({"comments": list(found[start : start + size]), "meta": meta, "links": {"next": None, "prev": None}})


def _unknown(name: str) -> Rejected:
    return _error(400, "InvalidParameter", f"{name} is not a parameter")


def _error(status: int, error: str, description: str) -> Rejected:
    return Rejected(Reply({"error": error, "description": description}, status))
