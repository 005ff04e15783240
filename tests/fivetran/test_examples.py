"""An API of another shape: `fivetran debug` with an example's streams.yaml, without a change to the code."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from tests.fivetran.project import PROJECT, UserProject
from tests.forks import Forks
from tools.cli import main

EXAMPLE = PROJECT / "examples" / "desk" / "streams.yaml"
KEY = "d35k-key"


class Desk:
    """The API of a help desk."""

    def __init__(self) -> None:
        self.agents = [
            {"id": n, "name": f"Agent {n}", "contact": {"email": f"a{n}@desk.test"}, "active": n % 2 == 0}
            for n in range(120)
        ]
        self.tickets: list[dict[str, Any]] = [
            {
                "id": n,
                "updated_at": f"2024-05-01T10:{n // 60:02}:{n % 60:02}Z",
                "subject": f"Ticket {n} – ü",
                "status": "open",
                "assignee": {"id": n} if n % 3 else None,
                "price": 19.99,
                "due_on": "2024-06-01",
                "custom": {"tags": ["a", None]},
                "watchers": [{"email": f"w{w}@desk.test"} for w in range(n % 3)],
            }
            for n in range(70)
        ]
        self.comments = {
            n: [
                {"id": f"c{n}-{c}", "written_at": "2024-05-01T10:00:00Z", "author": {"name": "x"}, "text": f"{c}"}
                for c in range(n % 4)
            ]
            for n in range(70)
        }

    def answer(self, seen: Seen) -> Reply:
        """A page of a list, or 401 without the key."""
        if seen.headers.get("X-Api-Key") != KEY:
            return Reply({"error": "who are you?"}, status=401)
        if seen.path == "/billing/plan":
            return Reply({"plan": {"code": "team", "seats": {"bought": 120}}})
        path, query = seen.path.removeprefix("/api"), {name: values[0] for name, values in seen.query.items()}
        if path == "/agents":
            page, size = int(query["page"]), int(query["per_page"])
            rows = self.agents[(page - 1) * size : page * size]
            return Reply({"data": rows, "meta": {"total": len(self.agents)}})
        if path == "/tickets":
            rows = [row for row in self.tickets if row["updated_at"] >= query.get("updated_since", "")]
            at = int(query.get("after", "0"))
            more = at + 25 < len(rows)
            link = f'<https://inner.desk.test/api/tickets?after={at + 25}&sort=updated_at>; rel="next"'
            if "updated_since" in query:
                link = link.replace("&sort", f"&updated_since={query['updated_since']}&sort")
            return Reply(rows[at : at + 25], headers={"Link": link} if more else {})
        comments = self.comments[int(path.split("/")[2])]
        at = int(query.get("cursor", "0"))
        following = str(at + 2) if at + 2 < len(comments) else None
        return Reply({"comments": comments[at : at + 2], "paging": {"next": following}})


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def server(desk: Desk) -> Iterator[Loopback]:
    with Loopback(desk.answer) as loopback:
        yield loopback


def test_the_example_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    """It passes the same check as the project's own file."""
    assert main(["validate", str(EXAMPLE)]) == 0


def test_an_api_of_another_shape_is_synced(desk: Desk, server: Loopback, forks: Forks, tmp_path: Path) -> None:
    """The first sync copies every row and its children, the second only what changed."""
    project = UserProject.create(tmp_path / "connector", {"api_url": server.url, "api_key": KEY}, forks)
    shutil.copy(EXAMPLE, project.folder / "streams.yaml")
    project.edit_streams(replace={"api.rate_limit.requests": 5000})  # 50 would make the test wait for seconds
    first = project.debug()
    assert first.code == 0, first.output
    assert "Synced 120 agents, 1 plan, 70 tickets, 69 ticket watchers, and 103 comments" in first.output
    assert project.query("SELECT count(*), sum(price)::VARCHAR, min(due_on)::VARCHAR FROM tickets") == [
        (70, "1399.30", "2024-06-01")
    ]
    assert project.query("SELECT agent_id, custom->>'$.tags[0]' FROM tickets WHERE id = 4") == [(4, "a")]
    assert project.query("SELECT count(DISTINCT ticket_id) FROM comments") == [(52,)]
    assert project.query("SELECT code, seats FROM plan") == [("team", 120)]
    assert project.query("SELECT email FROM agents WHERE id = 7") == [("a7@desk.test",)]

    desk.tickets[8] |= {"updated_at": "2999-01-01T00:00:00Z", "status": "closed"}
    desk.comments[8] = [{"id": "new", "written_at": "2999-01-01T00:00:00Z", "author": {"name": "y"}, "text": "done"}]
    del desk.agents[5]
    second = project.debug()
    assert second.code == 0, second.output
    assert "Synced 0 agents, 0 plan, 1 ticket, 2 ticket watchers, and 1 comment" in second.output
    assert project.query("SELECT status FROM tickets WHERE id = 8") == [("closed",)]
    assert project.query("SELECT id FROM agents WHERE _fivetran_deleted") == [(5,)]


def test_a_rejected_key_is_reported(server: Loopback, forks: Forks, tmp_path: Path) -> None:
    """The error names the example's own setting and does not show the key."""
    project = UserProject.create(tmp_path / "connector", {"api_url": server.url, "api_key": "n0-such-key"}, forks)
    shutil.copy(EXAMPLE, project.folder / "streams.yaml")
    done = project.debug()
    assert done.code != 0
    assert "returned 401" in done.output
    assert "api_key" in done.output
    assert "n0-such-key" not in done.output
