"""A stub of Slack's Web API, as the pages of its methods describe them: https://docs.slack.dev/reference/methods."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dev.testbed.loopback import Reply, Seen
from tests.examples.stubs.api import Api, Json, Rejected, parameters

TOKEN = "xoxb-17653672481-19874698323"
_TYPES = {"public_channel", "private_channel", "mpim", "im"}
_TS = re.compile(r"\d{1,10}(\.\d{1,6})?")


@dataclass
class Slack(Api):
    """A workspace: its channels, the messages of each, newest first, and its users."""

    channels: list[Json] = field(default_factory=list)
    messages: dict[str, list[Json]] = field(default_factory=dict)
    users: list[Json] = field(default_factory=list)

    def add_channel(self, name: str, *, is_member: bool = True) -> str:
        """Add a channel; returns its id."""
        key = f"C{len(self.channels):08}"
        flags = {"is_channel": True, "is_private": False, "is_archived": False, "is_general": False}
        words = {"topic": {"value": "Plans", "creator": "", "last_set": 0}, "purpose": {"value": ""}}
        more = {"creator": "U00000001", "created": 1449252889, "num_members": 4, "is_member": is_member}
        self.channels.append({"id": key, "name": name, **flags, **words, **more})
        self.messages[key] = []
        return key

    def post(self, channel: str, at: datetime, text: str = "Hello", **more: object) -> str:
        """Post a message; returns its ts."""
        ts = f"{at.timestamp():.0f}.{len(self.messages[channel]):06}"
        self.messages[channel].insert(0, {"type": "message", "user": "U00000001", "text": text, "ts": ts, **more})
        return ts

    def add_user(self, number: int) -> None:
        """Add a person."""
        profile = {"display_name": "ada", "real_name": "Ada", "email": "ada@acme.test", "title": ""}
        flags = {"deleted": False, "is_bot": False, "is_admin": False, "updated": 1502138686, "tz": "Europe/Berlin"}
        names = {"id": f"U{number:08}", "team_id": "T012AB3C4", "name": f"user{number}", "real_name": "Ada"}
        self.users.append({**names, **flags, "profile": profile})

    def answer(self, seen: Seen, path: str) -> Reply:
        """The result of a method, or the name of an error with status 200."""
        if seen.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise _error("invalid_auth" if "Authorization" in seen.headers else "not_authed")
        if path == "/conversations.list":
            query = parameters(seen, ("cursor", "exclude_archived", "limit", "team_id", "types"), _invalid)
            if not set(query.get("types", "public_channel").split(",")) <= _TYPES:
                raise _error("invalid_types")
            return _page("channels", self.channels, query)
        if path == "/conversations.history":
            known = ("channel", "cursor", "inclusive", "latest", "limit", "oldest", "include_all_metadata")
            return self._history(parameters(seen, known, _invalid))
        if path == "/users.list":
            return _page("members", self.users, parameters(seen, ("cursor", "include_locale", "limit"), _invalid))
        raise _error("unknown_method")

    def _history(self, query: Mapping[str, str]) -> Reply:
        channel = next((one for one in self.channels if one["id"] == query.get("channel")), None)
        if channel is None:
            raise _error("channel_not_found")
        if not channel["is_member"]:
            raise _error("not_in_channel")
        oldest = query.get("oldest", "0")
        if not _TS.fullmatch(oldest):
            raise _error("invalid_ts_oldest")
        found = [one for one in self.messages[str(channel["id"])] if float(one["ts"]) > float(oldest)]
        return _page("messages", found, query, has_more=True)


def throttled() -> Reply:
    """More than fifty requests in the last minute."""
    return Reply({"ok": False, "error": "ratelimited"}, 429, headers={"Retry-After": "0"})


def _page(name: str, found: Sequence[Json], query: Mapping[str, str], *, has_more: bool = False) -> Reply:
    """A page, and a cursor that is empty at the end."""
    limit = int(query.get("limit", 100))
    if not 1 <= limit <= 999:
        raise _error("invalid_limit")
    try:
        start = int(base64.b64decode(query["cursor"]).decode().removeprefix("next:")) if query.get("cursor") else 0
    except ValueError:
        raise _error("invalid_cursor") from None
    more = start + limit < len(found)
    cursor = base64.b64encode(f"next:{start + limit}".encode()).decode() if more else ""
    document = {"ok": True, name: list(found[start : start + limit]), "response_metadata": {"next_cursor": cursor}}
    return Reply({**document, "has_more": more} if has_more else document)


def _invalid(name: str) -> Rejected:
    return _error("invalid_arguments", f"[ERROR] unknown argument: {name}")


def _error(name: str, *messages: str) -> Rejected:
    return Rejected(Reply({"ok": False, "error": name, "response_metadata": {"messages": list(messages)}}))
