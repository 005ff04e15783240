"""What a response means by the rules of `answers`: wait, empty, skip or failure; and shapes that do not pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply
from engine.failures import Failure, Unauthorized
from engine.sync import sync
from tests.in_process import InProcess
from tests.lists import HEAD, START, Server, alive, synced
from tests.shop import Lines, Recorder, connection
from tests.specs import edited, parsed

REPOS = f"""{HEAD}
  repos:
    description: One row per repository.
    endpoint: GET /repos
    primary_key: id
    sync_mode: full_refresh
    fields: {{id: $.id}}
"""
ISSUES = {
    "description": "One row per issue.",
    "endpoint": "GET /repos/$(parent.id)/issues",
    "parent": "repos",
    "primary_key": "id",
    "sync_mode": "full_refresh",
    "fields": {"id": "$.id", "title": "$.title"},
}
UPDATED = {"id": "$.id", "updated": {"path": "$.updated", "type": "UTC_DATETIME"}}
WITH_ISSUES = edited(REPOS, add={"streams.issues": ISSUES})


def declaring(*answers: dict[str, Any], text: str = REPOS, stream: str = "repos") -> str:
    """A streams.yaml in which a stream declares what responses mean."""
    return edited(text, add={f"streams.{stream}.answers": list(answers)})


def failure(folder: Path, reply: Any, text: str) -> Failure:
    """The failure of a sync whose list is this reply. It takes one request."""
    server = Server(repos=reply)
    with pytest.raises(Failure) as caught:
        synced(server, folder, text)
    assert server.seen == ["repos"]
    return caught.value


# --- what a rule looks at --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "reply", "applies"),
    [
        ({"status": 418}, Reply(status=418), True),
        ({"status": [409, 418]}, Reply(status=418), True),
        ({"status": 409}, Reply(status=418), False),
        ({"text": "Too FAST"}, Reply({"detail": "you are too fast"}, status=418), True),
        ({"text": "too fast", "status": 418}, Reply({"detail": "too slow"}, status=418), False),
        ({"header": "X-Left"}, Reply([], headers={"x-left": ""}), True),
        ({"header": "X-Left"}, Reply([]), False),
        ({"header": "X-Left", "is": 0}, Reply([], headers={"X-Left": "0"}), True),
        ({"header": "X-Left", "is": [0, 1]}, Reply([], headers={"X-Left": "5"}), False),
        ({"header": "X-Left", "not": "0"}, Reply([], headers={"X-Left": "5"}), True),
        ({"path": "$.ok", "is": False}, Reply({"ok": False}), True),
        ({"path": "$.ok", "is": False}, Reply({"ok": True}), False),
        ({"path": "$.errors"}, Reply({"errors": [{"type": "X"}]}), True),
        ({"path": "$.errors"}, Reply({"errors": None}), False),
        ({"path": "$.errors[*].type", "is": "X"}, Reply({"errors": [{"type": "Y"}, {"type": "X"}]}), True),
        ({"path": "$.errors[*].type", "not": "X"}, Reply({"errors": [{"type": "Y"}]}), True),
        ({"path": "$.code", "is": 7, "status": 418}, Reply(body=b"not JSON", status=418), False),
    ],
)
def test_all_conditions_of_a_rule_must_hold(tmp_path: Path, condition: Any, reply: Reply, applies: bool) -> None:
    """On the status, on a string in the body, on a header, or on a value in the body."""
    text = declaring({**condition, "means": "skip"})
    server = Server(repos=reply)
    try:
        _, log = synced(server, tmp_path, text)
        skipped = any("Skipping the stream, as answers declares." in line for line in log.warnings)
    except Failure:
        skipped = False
    assert skipped == applies


def test_the_first_rule_applies_and_those_of_the_stream_come_first(tmp_path: Path) -> None:
    """A stream can make an exception."""
    text = edited(REPOS, add={"api.answers": {"status": 410, "means": "failure"}})
    assert "returned 410 Gone" in str(failure(tmp_path, Reply(status=410), text))
    text = declaring({"status": 410, "means": "empty"}, {"status": 410, "means": "failure"}, text=text)
    server = Server(repos=Reply(status=410))
    recorder, _ = synced(server, tmp_path, text)
    assert (alive(recorder, "repos"), server.seen) == ({}, ["repos"])


# --- wait ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("until", ["0", str(START.timestamp() - 1), "2025-12-31T23:59:59Z"], ids=["s", "epoch", "date"])
def test_a_request_is_sent_again_once_the_wait_is_over(tmp_path: Path, until: str) -> None:
    """However often: it has not failed. The header says when, in any form."""
    replies = [Reply({"message": "rate limit"}, status=403, headers={"X-Reset": until})] * 7
    text = declaring({"status": 403, "text": "rate limit", "means": "wait", "until": "X-Reset"})

    class Throttled(Server):
        def __call__(self, seen: Any) -> Reply:
            self.lists["repos"] = replies.pop() if replies else [{"id": "a"}]
            return super().__call__(seen)

    server = Throttled()
    text = edited(text, replace={"api.retry": {"wait_initial": "1ms", "attempts": 1}})
    recorder, log = synced(server, tmp_path, text)
    assert [*alive(recorder, "repos")] == ["a"]
    assert server.seen == ["repos"] * 8
    assert "returned 403 Forbidden, a rate limit as answers declares; all requests pause for" in log.warnings[0]


@pytest.mark.parametrize("rule", [{"until": "X-Reset"}, {}], ids=["until", "usual header"])
def test_a_wait_that_is_too_long_ends_the_sync(tmp_path: Path, rule: dict[str, str]) -> None:
    """As with Retry-After. Without `until`, the usual headers of rate limits are read."""
    name = rule.get("until", "X-RateLimit-Reset")
    reply = Reply({"message": "rate limit"}, status=403, headers={name: str(int(START.timestamp()) + 7200)})
    failed = failure(tmp_path, reply, declaring({"status": 403, "means": "wait", **rule}))
    assert "the server requests a wait of 7200 s, more than retry_after_max (600 s)" in str(failed)


# --- failure ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "reply", "words"),
    [
        ({"path": "$.ok", "is": False, "words": "$.error"}, Reply({"ok": False, "error": "no_scope"}), ": no_scope."),
        (
            {"path": "$.errors", "words": "$.errors[*].message"},
            Reply({"data": None, "errors": [{"message": "no field x"}, {"message": "no y"}]}),
            ": no field x; no y.",
        ),
        ({"status": 503}, Reply({"message": "closed on Sundays"}, status=503), '{"message": "closed on Sundays"}.'),
    ],
)
def test_a_failure_has_the_words_of_the_server_at_once(tmp_path: Path, rule: Any, reply: Reply, words: str) -> None:
    """It is not sent again, whatever its status."""
    text = edited(declaring({**rule, "means": "failure"}), replace={"api.retry": {"attempts": 6}})
    assert f"returned {reply.status}" in (message := str(failure(tmp_path, reply, text)))
    assert words in message


def test_a_declared_failure_of_a_401_is_one_of_the_credentials(tmp_path: Path) -> None:
    """It would meet every stream, so it ends the sync."""
    reply = Reply({"why": "expired"}, status=401)
    failed = failure(tmp_path, reply, declaring({"status": 401, "means": "failure", "words": "$.why"}))
    assert isinstance(failed, Unauthorized)
    assert "returned 401 Unauthorized: expired." in str(failed)


REJECTED = {"path": "$.errors[*].extensions.code", "is": "UNAUTHENTICATED", "means": "unauthorized"}
SAID = Reply({"errors": [{"message": "Token k3y-7 expired", "extensions": {"code": "UNAUTHENTICATED"}}]})


def test_credentials_that_are_rejected_with_another_status_end_the_sync(tmp_path: Path) -> None:
    """At once, with the name of the setting and the server's words, without the key."""
    text = edited(
        declaring({**REJECTED, "words": "$.errors[*].message"}),
        replace={"streams.repos.sync_mode": "incremental", "streams.repos.fields": UPDATED},
        add={
            "configuration.api_key": {"description": "A key.", "secret": True},
            "api.authentication": {"style": "bearer", "token": "${api_key}"},
            "streams.repos.cursor_field": "updated",
        },
    )
    # Full refreshes begin after incremental streams, and several at once.
    other = {**parsed(REPOS)["streams"]["repos"], "endpoint": "GET /other", "description": "One row each."}
    server = Server(repos=SAID, other=[])
    with InProcess(server) as loopback, pytest.raises(Unauthorized) as caught:
        resolved = connection(tmp_path, loopback.url, edited(text, add={"streams.other": other}), api_key="k3y-7")
        sync(resolved, {}, Recorder(), Lines())
    assert caught.value.status == 401
    assert "returned 200 OK: Token *** expired. Check that api_key in the configuration is valid." in str(caught.value)
    assert "other" not in server.seen


@pytest.mark.parametrize("is_accepted", [True, False])
def test_a_token_is_renewed_if_it_is_rejected_with_another_status(tmp_path: Path, is_accepted: bool) -> None:
    """Once; if the new one is rejected, too, that is final."""
    login = {"style": "login", "endpoint": "POST /login", "body": {"password": "${password}"}, "token": "$.token"}
    text = edited(
        declaring(REJECTED),
        add={
            "configuration.password": {"description": "A password.", "secret": True},
            "api.authentication": login,
        },
    )

    class Renewing(Server):
        def __call__(self, seen: Any) -> Reply:
            if is_accepted and self.seen.count("login") == 2:
                self.lists["repos"] = [{"id": "a"}]
            return super().__call__(seen)

    server, recorder = Renewing(repos=SAID, login={"token": "t1"}), Recorder()
    with InProcess(server) as loopback:
        resolved = connection(tmp_path, loopback.url, text, password="p4ss")
        if is_accepted:
            sync(resolved, {}, recorder, Lines())
        else:
            with pytest.raises(Unauthorized):
                sync(resolved, {}, recorder, Lines())
    assert server.seen == ["login", "repos", "login", "repos"]
    assert [*alive(recorder, "repos")] == (["a"] if is_accepted else [])


# --- empty and skip --------------------------------------------------------------------------------------------------


def test_an_empty_list_has_no_rows(tmp_path: Path) -> None:
    """Those that it had are deleted."""
    text = declaring({"status": 410, "means": "empty"})
    server = Server(repos=[{"id": "a"}])
    recorder, _ = synced(server, tmp_path, text)
    server.lists["repos"] = Reply(status=410)
    recorder, log = synced(server, tmp_path, text, recorder)
    assert not alive(recorder, "repos")
    assert log.warnings == []


def test_only_the_first_page_can_say_that_a_list_is_empty(tmp_path: Path) -> None:
    """After other pages, the rest is missing."""
    text = declaring({"status": 409, "means": "empty"})
    text = edited(text, replace={"api.pagination": {"style": "offset", "page_size": 2}})

    class Breaking(Server):
        def __call__(self, seen: Any) -> Reply:
            if seen.query["offset"] != ["0"]:
                return Reply(status=409)
            return super().__call__(seen)

    with pytest.raises(Failure, match=r"409 Conflict.*Other pages of the list were read; sync again"):
        synced(Breaking(repos=[{"id": "a"}, {"id": "b"}]), tmp_path, text)


def test_a_list_is_not_empty_if_an_earlier_sync_read_pages_of_it(tmp_path: Path) -> None:
    """A sync that goes on within it starts over: what was read before may be gone, but that has to be seen."""
    text = declaring({"status": 409, "means": "empty"})
    incremental = {
        "sync_mode": "incremental",
        "cursor_field": "updated",
        "pagination": {"style": "offset", "page_size": 2},
    }
    text = edited(
        text,
        replace={"streams.repos.sync_mode": "incremental", "streams.repos.fields": UPDATED},
        add={f"streams.repos.{name}": value for name, value in incremental.items() if name != "sync_mode"},
    )
    rows = [{"id": name, "updated": START.isoformat()} for name in "abcd"]
    refusal = Reply(status=500)

    class Breaking(Server):
        def __call__(self, seen: Any) -> Reply:
            self.seen.append(seen.query["offset"][0])
            self.lists["repos"] = refusal if int(seen.query["offset"][0]) > 1 else rows
            return super().__call__(seen)

    server, recorder = Breaking(), Recorder()
    with pytest.raises(Failure, match="500"):
        synced(server, tmp_path, text, recorder)
    assert recorder.state["streams"]["repos"]["pass"]["position"]
    refusal = Reply(status=409)
    with pytest.raises(Failure, match=r"409 Conflict.*Other pages of the list were read; sync again"):
        synced(server, tmp_path, text, recorder)
    assert [offset for offset in server.seen if offset != "repos"][-3:] == ["3", "0", "3"]
    assert "since" not in recorder.state["streams"]["repos"]


def repos(**issues: Any) -> Server:
    """Repositories with their issues."""
    lists = {f"repos/{name}/issues": reply for name, reply in issues.items()}
    return Server(repos=[{"id": name} for name in issues], **lists)


def issue(name: str, title: str = "t") -> list[dict[str, str]]:
    return [{"id": name, "title": title}]


def test_one_child_can_be_empty(tmp_path: Path) -> None:
    """Its rows are gone; the others are read."""
    text = declaring({"status": [409, 410], "means": "empty"}, text=WITH_ISSUES, stream="issues")
    server = repos(a=issue("1"), b=issue("2"), c=issue("3"))
    recorder, _ = synced(server, tmp_path, text)
    assert {*alive(recorder, "issues")} == {"1", "2", "3"}
    server.lists["repos/b/issues"] = Reply(status=410)
    recorder, log = synced(server, tmp_path, text, recorder)
    assert {*alive(recorder, "issues")} == {"1", "3"}
    assert log.warnings == []


def test_one_child_can_be_skipped(tmp_path: Path) -> None:
    """Its rows stay, also those of other children that are gone, until none is skipped any more."""
    text = declaring({"status": 403, "means": "skip"}, text=WITH_ISSUES, stream="issues")
    server = repos(a=issue("1"), b=issue("2"), c=issue("3"))
    recorder, _ = synced(server, tmp_path, text)
    server.lists |= {"repos/a/issues": issue("1", "new"), "repos/b/issues": Reply(status=403), "repos/c/issues": []}
    recorder, log = synced(server, tmp_path, text, recorder)
    assert {key: row["title"] for key, row in alive(recorder, "issues").items()} == {"1": "new", "2": "t", "3": "t"}
    assert len(log.warnings) == 2
    assert "/repos/b/issues: returned 403 Forbidden" in log.warnings[0]
    assert log.warnings[1] == "issues: skipped what belongs to 1 repo, as answers declares"

    recorder, _ = synced(server, tmp_path, text, recorder)
    assert recorder.count("upsert") + recorder.count("delete") + recorder.count("truncate") == 0
    server.lists["repos/b/issues"] = []
    recorder, _ = synced(server, tmp_path, text, recorder)
    assert {*alive(recorder, "issues")} == {"1"}
    assert recorder.count("truncate") == 0


def test_a_skipped_child_of_a_long_list_deletes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the state has only a digest of the rows, so that nothing says which are gone."""
    monkeypatch.setattr("engine.reading.full_refresh.KNOWN_MAX", 1)
    text = declaring({"status": 403, "means": "skip"}, text=WITH_ISSUES, stream="issues")
    server = repos(a=issue("1"), b=issue("2"))
    recorder, _ = synced(server, tmp_path, text)
    server.lists["repos/b/issues"] = Reply(status=403)
    for _ in range(2):
        recorder, _ = synced(server, tmp_path, text, recorder)
        assert {*alive(recorder, "issues")} == {"1", "2"}
    assert recorder.count("upsert") == 0
    server.lists["repos/b/issues"] = []
    recorder, _ = synced(server, tmp_path, text, recorder)
    assert {*alive(recorder, "issues")} == {"1"}


def test_a_stream_that_is_skipped_stays_as_it_is(tmp_path: Path) -> None:
    """The sync succeeds, and the rows of its last sync stay."""
    text = declaring({"status": 403, "means": "skip"})
    server = Server(repos=[{"id": "a"}])
    recorder, _ = synced(server, tmp_path, text)
    server.lists["repos"] = Reply({"message": "not in your plan"}, status=403)
    recorder, log = synced(server, tmp_path, text, recorder)
    assert [*alive(recorder, "repos")] == ["a"]
    assert "not in your plan" in log.warnings[0]


def test_an_undeclared_refusal_of_one_child_is_a_failure(tmp_path: Path) -> None:
    """Nothing is concluded from it."""
    server = repos(a=issue("1"), b=Reply(status=410))
    with pytest.raises(Failure, match=r"/repos/b/issues: returned 410 Gone"):
        synced(server, tmp_path, WITH_ISSUES)


def test_children_of_which_all_are_missing_are_one_warning(tmp_path: Path) -> None:
    """With a URL to look at: the endpoint is wrong, or not on this server."""
    missing = Reply({"message": "Not Found"}, status=404)
    _, log = synced(repos(a=missing, b=missing, c=missing, d=missing), tmp_path, WITH_ISSUES)
    (warning,) = log.warnings
    assert warning == (
        "issues: none of 4 repos has this endpoint: http://in-process.test/api/repos/a/issues not found; skipping."
    )


# --- shapes ----------------------------------------------------------------------------------------------------------


def test_a_shape_that_is_wrong_twice_is_final(tmp_path: Path) -> None:
    """Sent once more, it may have been a passing fault; then the message has what the server said."""
    text = edited(REPOS, replace={"api.retry": {"attempts": 6, "wait_initial": "1ms"}})
    server = Server(repos=Reply({"notice": "use version 2"}))
    with pytest.raises(Failure) as caught:
        synced(server, tmp_path, text)
    assert server.seen == ["repos", "repos"]
    assert (
        'the keys notice, and no list of records at $; twice in a row. The response: {"notice": "use version 2"}.'
        in (str(caught.value))
    )


def test_other_shapes_in_turn_are_retried(tmp_path: Path) -> None:
    """A server that recovers says something else each time."""
    replies: list[Any] = [[{"id": "a"}], {"x": 1}, {"y": 1}, {"x": 1}]

    class Recovering(Server):
        def __call__(self, seen: Any) -> Reply:
            self.lists["repos"] = replies.pop()
            return super().__call__(seen)

    text = edited(REPOS, replace={"api.retry": {"attempts": 6, "wait_initial": "1ms"}})
    recorder, _ = synced(Recovering(), tmp_path, text, Recorder())
    assert [*alive(recorder, "repos")] == ["a"]
