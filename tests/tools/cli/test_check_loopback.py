"""`check` against a server that answers as it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from tests.shop import STREAMS, orders
from tests.tools.openapi.documents import shop
from tools.cli import main

DECLARED = STREAMS.replace("  base_url: ${api_url}\n", "  base_url: ${api_url}\n  openapi: /openapi.json\n")


class Shop:
    """The shop's server: its records, and its document if it has one."""

    def __init__(self) -> None:
        self.document: Any = shop()
        self.orders: list[dict[str, Any]] = orders(3)
        self.status = 200

    def answer(self, seen: Seen) -> Reply:
        """As Prefect does, a request for anything unknown is a 404."""
        if seen.path == "/api/openapi.json":
            return Reply({"detail": "Not Found"}, 404) if self.document is None else Reply(self.document)
        if seen.path == "/api/orders/filter":
            return Reply(self.orders[: seen.json["limit"]], self.status)
        if seen.path == "/api/shops/filter":
            return Reply({"results": [{"id": "s1", "name": "Berlin"}], "total": 1})
        return Reply({"detail": "Not Found"}, 404)


@pytest.fixture
def server() -> Iterator[tuple[Shop, Loopback]]:
    made = Shop()
    with Loopback(made.answer) as loopback:
        yield made, loopback


def check(folder: Path, loopback: Loopback, *arguments: str, text: str = DECLARED, key: str = "") -> int:
    (folder / "streams.yaml").write_text(text, "utf-8")
    settings = {"api_url": loopback.url, "api_key": key, "batch_size": "100"}
    (folder / "configuration.json").write_text(json.dumps(settings), "utf-8")
    file, configuration = str(folder / "streams.yaml"), str(folder / "configuration.json")
    return main(["check", file, "--configuration", configuration, *arguments])


def test_one_request_a_stream_besides_the_document(server: tuple[Shop, Loopback], tmp_path: Path) -> None:
    """And it asks for two rows, the fewest that offset paging asks for."""
    assert check(tmp_path, server[1]) == 0
    asked = [(seen.method, seen.path) for seen in server[1].seen]
    assert asked == [("GET", "/api/openapi.json"), ("POST", "/api/orders/filter"), ("POST", "/api/shops/filter")]
    assert server[1].seen[1].json == {"sort": "ID_DESC", "limit": 2, "offset": 0}


def test_offline_asks_nothing_and_needs_no_configuration(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A saved document is enough."""
    (tmp_path / "saved.json").write_text(json.dumps(shop("3.0.3")), "utf-8")
    (tmp_path / "streams.yaml").write_text(STREAMS, "utf-8")
    arguments = ["check", str(tmp_path / "streams.yaml"), "--offline"]
    assert main([*arguments, "--openapi", str(tmp_path / "saved.json")]) == 0
    assert "2 streams checked against Shop, version 7: no mistakes" in capsys.readouterr().out
    assert server[1].seen == []
    assert main(arguments) == 2
    assert "--offline needs a saved document: --openapi FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (DECLARED, "/openapi.json at http"),
        (STREAMS, "set openapi under api, such as /openapi.json"),
    ],
)
def test_without_a_document_it_says_what_is_not_checked(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    """The first rows are looked at all the same; the exit code never calls that clean."""
    server[0].document = None
    assert check(tmp_path, server[1], text=text) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert "it may ignore a key in silence and return everything" in printed.err
    assert "checked against the first rows alone: no mistakes" in printed.out
    assert printed.out.splitlines()[1].split() == ["orders", *["-"] * 7, "ok"]


def test_without_a_document_mistakes_in_the_rows_are_still_found(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 comes before 2."""
    server[0].document = None
    assert check(tmp_path, server[1], text=DECLARED.replace("note: $.note", "note: $.noet")) == 2
    assert "warning: none of the first 2 records has anything at $.noet" in capsys.readouterr().out
    assert check(tmp_path, server[1], text=DECLARED.replace("id: $.id", "id: $.uid", 1)) == 1
    assert 'a record has no STRING for the primary key "id" at $.uid' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"id": None}, 1, 'a record has no STRING for the primary key "id"'),
        ({"id": "the same"}, 1, "two of the first 2 records have the same key"),
        ({"updated": "yesterday"}, 1, "2 of the first 2 records have no instant for the cursor updated"),
        ({"amount": "much"}, 0, "orders.amount: 2 values did not fit DOUBLE and became NULL"),
    ],
)
def test_records_that_are_not_as_declared(
    server: tuple[Shop, Loopback],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    code: int,
    words: str,
) -> None:
    """A document may promise what the rows do not keep."""
    server[0].orders = [{**order, **change} for order in orders(2)]
    assert check(tmp_path, server[1]) == code
    assert words in capsys.readouterr().out


def test_what_the_document_has_told_is_not_told_again(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column without a property is one warning, though the rows show it, too."""
    assert check(tmp_path, server[1], text=DECLARED.replace("note: $.note", "note: $.noet")) == 0
    assert [line.split(": ")[1] for line in capsys.readouterr().out.splitlines() if "$.noet" in line] == ["warning"]


def test_what_a_request_lacks_is_a_mistake(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key of the body or a parameter of the URL that the server requires."""
    operation = server[0].document["paths"]["/orders/filter"]["post"]
    operation["requestBody"]["content"]["application/json"]["schema"]["required"] = ["tenant", "sort"]
    parameters = [("region", True), ("zone", False)]
    operation["parameters"] = [
        {"name": name, "in": "query", "required": must, "schema": {"type": "string"}} for name, must in parameters
    ]
    assert check(tmp_path, server[1]) == 1
    out = capsys.readouterr().out
    assert 'streams.orders.endpoint: error: the server requires "tenant" in the body' in out
    assert 'streams.orders.endpoint: error: the server requires the parameter "region"' in out
    assert "zone" not in out
    assert '"sort"' not in out
    assert (
        check(
            tmp_path, server[1], text=DECLARED.replace("    body: {sort", "    query: {region: north}\n    body: {sort")
        )
        == 1
    )
    assert "region" not in capsys.readouterr().out


def test_an_empty_list_is_a_note(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was looked at, which the table does not call ok."""
    server[0].orders = []
    assert check(tmp_path, server[1], "--stream", "orders") == 0
    out = capsys.readouterr().out
    assert "note: the list is empty on this server" in out
    assert out.splitlines()[3].split()[-1] == "-"


def test_a_server_that_does_not_answer_is_not_clean(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A 403 on a list: the other streams are looked at, and the exit code is 2."""
    server[0].status = 403
    assert check(tmp_path, server[1], key="s3cret") == 2
    printed = capsys.readouterr()
    assert "not checked: orders: POST /orders/filter" in printed.err
    assert printed.out.splitlines()[2].split() == ["shops", *["ok"] * 4, "-", "ok", "ok", "ok"]
    assert "s3cret" not in printed.out + printed.err


def test_a_list_that_is_refused_is_a_mistake(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the document says."""
    server[0].status = 422
    assert check(tmp_path, server[1]) == 1
    assert "error: orders: POST /orders/filter" in capsys.readouterr().out


def test_a_list_that_is_documented_and_switched_off_is_a_warning(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a sync does, which skips it; without a document nothing says that it exists."""
    server[0].status = 404
    assert check(tmp_path, server[1]) == 0
    assert "returned 404 Not Found. The document has it: it may be switched off" in capsys.readouterr().out
    server[0].document = None
    assert check(tmp_path, server[1]) == 1
    assert "error: orders: POST /orders/filter" in capsys.readouterr().out


def test_the_key_goes_to_no_other_host(server: tuple[Shop, Loopback], tmp_path: Path) -> None:
    """A document may be read from anywhere; who asks is told to the API alone."""
    text = DECLARED.replace("  records: [$,", '  headers: {X-Key: "${api_key}"}\n  records: [$,')
    with Loopback(server[0].answer) as elsewhere:
        assert check(tmp_path, server[1], "--openapi", f"{elsewhere.url}/openapi.json", text=text, key="s3cret") == 0
        (asked,) = elsewhere.seen
    assert asked.path == "/api/openapi.json"
    assert "s3cret" not in str(asked.headers)
    assert all(seen.headers["Authorization"] == "Bearer s3cret" for seen in server[1].seen)
    server[1].seen.clear()
    check(tmp_path, server[1], "--openapi", f"{server[1].url}/openapi.json", text=text, key="s3cret")
    assert server[1].seen[0].headers["Authorization"] == "Bearer s3cret"


def test_a_secret_in_a_body_is_not_repeated(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even as a value that the server does not know."""
    text = DECLARED.replace("body: {sort: ID_DESC}", 'body: {sort: "${api_key}"}')
    assert check(tmp_path, server[1], text=text, key="s3cret") == 1
    printed = capsys.readouterr()
    assert '"***" is not a value that the server knows here' in printed.out
    assert "s3cret" not in printed.out + printed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stream", "order"], 'there is no stream "order"; did you mean "orders"?'),
        (["--configuration", "nowhere.json"], "copy configuration.json.example there and fill it in"),
        (["--openapi", "nowhere.json"], "cannot read or write nowhere.json"),
    ],
)
def test_what_cannot_be_carried_out_exits_with_2(
    server: tuple[Shop, Loopback],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    """With the remedy, and nothing asked of the API."""
    assert check(tmp_path, server[1], *arguments) == 2
    assert words in capsys.readouterr().err
    assert server[1].seen == []


def test_a_wrong_configuration_exits_with_2_and_shows_no_value(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the connector itself would say it."""
    assert check(tmp_path, server[1], key="a key with blanks") == 2
    err = capsys.readouterr().err
    assert "api_key: expected printable ASCII characters" in err
    assert "blanks" not in err


def test_a_wrong_file_exits_with_1_as_validate_does(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every mistake with its place; the server is not asked."""
    assert check(tmp_path, server[1], text=DECLARED.replace("style: offset", "style: ofset")) == 1
    assert 'api.pagination.style: "ofset" is not a pagination style' in capsys.readouterr().out
    assert server[1].seen == []


def test_colours_in_a_terminal_only_and_not_with_no_color(
    server: tuple[Shop, Loopback],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """https://no-color.org"""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    check(tmp_path, server[1])
    assert "\x1b[" not in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    check(tmp_path, server[1])
    assert "\x1b[32mok" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    check(tmp_path, server[1])
    assert "\x1b[" not in capsys.readouterr().out


def test_a_server_that_is_not_there_is_asked_no_further(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither document nor list: one sentence for each, and not one for every stream."""
    with Loopback(lambda seen: Reply(hang_up=True)) as loopback:
        assert check(tmp_path, loopback) == 2
        assert {seen.path for seen in loopback.seen} == {"/api/openapi.json", "/api/orders/filter"}
    assert "not checked: the streams after it" in capsys.readouterr().err


def test_credentials_in_the_address_of_a_document_are_refused(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They would be repeated in every message."""
    address = server[1].url.replace("http://", "http://me:s3cret@") + "/openapi.json"
    assert check(tmp_path, server[1], "--openapi", address) == 2
    assert "put no user or password into the URL" in (err := capsys.readouterr().err)
    assert "s3cret" not in err


OWNER = """\
  owner:
    description: One row per owner, of which there is one.
    endpoint: GET /owner
    pagination: {style: single, one: true}
    primary_key: id
    sync_mode: full_refresh
    fields:
      id: $.id
      name: $.name
"""


def with_owner(made: Shop, loopback: Loopback, document: Any, answer: Any) -> None:
    """The shop's document tells what GET /owner answers, and the shop answers it, above the base URL too."""
    operation = {"responses": {"200": {"content": {"application/json": {"schema": document}}}}}
    made.document["paths"]["/owner"] = {"get": operation}
    loopback.answer = lambda seen: Reply(answer) if seen.path.endswith("/owner") else made.answer(seen)


@pytest.mark.parametrize("records", ["", "    records: $\n"])
def test_the_one_record_of_an_object_is_checked(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str], records: str
) -> None:
    """Its columns by the document, and its values by the one answer."""
    owner = OWNER.replace("    primary_key", f"{records}    primary_key")
    record = {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}}
    with_owner(*server, document=record, answer={"id": "x", "name": "Ada"})
    assert check(tmp_path, server[1], "--stream", "owner", text=DECLARED + owner) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["owner", *["ok"] * 4, "-", "ok", "ok", "ok"]
    text = DECLARED + owner.replace("$.name", "$.nmae")
    assert check(tmp_path, server[1], "--stream", "owner", text=text) == 0
    assert 'always NULL: the server declares no "nmae" for $.nmae' in capsys.readouterr().out


@pytest.mark.parametrize("pagination", ["{style: single, one: true}", "single"])
def test_a_list_is_no_object_and_an_object_is_no_list(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str], pagination: str
) -> None:
    """By the document, before anything is asked."""
    record = {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}}
    wrong = {"type": "array", "items": record} if pagination != "single" else record
    with_owner(*server, document=wrong, answer=None)
    text = DECLARED + OWNER.replace("pagination: {style: single, one: true}", f"pagination: {pagination}")
    check(tmp_path, server[1], "--stream", "owner", text=text)
    words = {
        "{style: single, one: true}": "GET /owner answers with array, and no object at $ or $.results or $.result",
        "single": "GET /owner answers with object with id, name, and no list of objects at $ or $.results or $.result",
    }
    assert f"streams.owner.endpoint: error: {words[pagination]}" in capsys.readouterr().out


@pytest.mark.parametrize("available", ["", "    availability: the larger shops\n"])
def test_what_lies_above_the_base_url_is_not_checked_by_the_document(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str], available: str
) -> None:
    """That is said, and is neither a mistake nor an ok; the rows are looked at all the same."""
    with_owner(*server, document={}, answer={"id": "x"})
    text = DECLARED + OWNER.replace("GET /owner\n", f"GET ../owner\n{available}")
    assert check(tmp_path, server[1], "--stream", "owner", text=text) == 0
    out = capsys.readouterr().out
    said = "../owner lies above the base URL; the document does not tell of it, so it is not checked"
    assert f"streams.owner.endpoint: note: {said}" in out
    assert "warning: none of the first 1 records has anything at $.name" in out
    assert out.splitlines()[4].split() == ["owner", *["-"] * 7, "1", "warning"]
    assert server[1].seen[-1].path == "/owner"


def test_what_is_not_there_above_the_base_url(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found by asking: a mistake, unless streams.yaml says that only some servers have it."""
    text = DECLARED + OWNER.replace("GET /owner\n", "GET ../owner\n")
    assert check(tmp_path, server[1], "--stream", "owner", text=text) == 1
    assert "error: owner: GET ../owner at " in capsys.readouterr().out
    some = text.replace("GET ../owner\n", "GET ../owner\n    availability: the larger shops\n")
    assert check(tmp_path, server[1], "--stream", "owner", text=some) == 0
    assert "note: owner: GET ../owner at " in capsys.readouterr().out
