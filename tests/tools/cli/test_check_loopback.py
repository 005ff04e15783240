"""`check` against a server whose responses the tests choose."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.setup_form import setup_tests
from tests.shop import OWNER, STREAMS, Lines, orders
from tests.specs import edited
from tests.tools.openapi.documents import shop
from tools.cli import main

DECLARED = edited(STREAMS, add={"api.openapi": "/openapi.json"})
NOTE_MISSPELLED = edited(DECLARED, replace={"streams.orders.fields.note": "$.noet"})
WITH_OWNER = edited(DECLARED, add={"streams.owner": OWNER})


class Shop:
    """The shop's server: its records, and its OpenAPI document if it has one."""

    def __init__(self) -> None:
        self.document: Any = shop()
        self.orders: list[dict[str, Any]] = orders(3)
        self.status = 200

    def answer(self, seen: Seen) -> Reply:
        """Return 404 for anything unknown, as Prefect does."""
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


def test_one_request_per_stream_and_one_for_the_document(server: tuple[Shop, Loopback], tmp_path: Path) -> None:
    """A sample has two rows, the smallest page of offset pagination."""
    assert check(tmp_path, server[1]) == 0
    sent = [(seen.method, seen.path) for seen in server[1].seen]
    assert sent == [("GET", "/api/openapi.json"), ("POST", "/api/orders/filter"), ("POST", "/api/shops/filter")]
    assert server[1].seen[1].json == {"sort": "ID_DESC", "limit": 2, "offset": 0}


def test_offline_sends_no_request_and_needs_no_configuration(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A saved document is enough, for example in a pull request without secrets."""
    (tmp_path / "saved.json").write_text(json.dumps(shop("3.0.3")), "utf-8")
    (tmp_path / "streams.yaml").write_text(STREAMS, "utf-8")
    arguments = ["check", str(tmp_path / "streams.yaml"), "--offline"]
    assert main([*arguments, "--openapi", str(tmp_path / "saved.json")]) == 0
    assert "2 streams checked against Shop, version 7: no mistakes" in capsys.readouterr().out
    assert server[1].seen == []
    assert main(arguments) == 2
    assert "--offline needs a saved document: --openapi FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "arguments", "words", "code"),
    [
        (DECLARED, (), "not checked: openapi: GET /openapi.json at http", 2),
        (STREAMS, (), "note: streams.yaml does not name the API's OpenAPI document: set openapi under api", 0),
        (STREAMS, ("--unmapped",), "not checked: streams.yaml does not name the API's OpenAPI document", 2),
    ],
    ids=["not served", "not declared", "needed"],
)
def test_without_a_document_the_unchecked_parts_are_named(
    server: tuple[Shop, Loopback],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    arguments: tuple[str, ...],
    words: str,
    code: int,
) -> None:
    """The first rows are still sampled. Exit code 2 says that a document was expected."""
    server[0].document = None
    assert check(tmp_path, server[1], *arguments, text=text) == code
    printed = capsys.readouterr()
    assert words in printed.err
    assert ". Without an OpenAPI document, check cannot tell" in printed.err
    assert "it may silently ignore a key and return everything" in printed.err
    assert "checked against the first rows only: no mistakes" in printed.out
    assert printed.out.splitlines()[1].split() == ["orders", *["-"] * 7, "ok"]


def test_without_a_document_the_rows_are_still_checked(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error gives exit code 1 even if something could not be checked."""
    server[0].document = None
    assert check(tmp_path, server[1], text=NOTE_MISSPELLED) == 2
    assert "warning: none of the first 2 records has $.noet" in capsys.readouterr().out
    assert check(tmp_path, server[1], text=edited(DECLARED, replace={"streams.orders.fields.id": "$.uid"})) == 1
    assert 'a record has no STRING for the primary key "id" at $.uid' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"id": None}, 1, 'a record has no STRING for the primary key "id"'),
        ({"id": "the same"}, 1, "two of the first 2 records have the same primary key"),
        ({"updated": "yesterday"}, 1, "2 of the first 2 records have no date-time for the cursor updated"),
        ({"amount": "much"}, 0, "orders.amount: 2 values did not fit DOUBLE and became NULL"),
    ],
)
def test_records_that_differ_from_the_document(
    server: tuple[Shop, Loopback],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    code: int,
    words: str,
) -> None:
    """A document can be wrong about the rows, so both are checked."""
    server[0].orders = [{**order, **change} for order in orders(2)]
    assert check(tmp_path, server[1]) == code
    assert words in capsys.readouterr().out


def test_a_missing_property_is_reported_once(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The document and the rows both show that a column has no property; one warning is enough."""
    assert check(tmp_path, server[1], text=NOTE_MISSPELLED) == 0
    assert [line.split(": ")[1] for line in capsys.readouterr().out.splitlines() if "$.noet" in line] == ["warning"]


def test_a_missing_required_value_is_an_error(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server rejects a request without a required key of the body or parameter of the URL."""
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
    text = edited(DECLARED, add={"streams.orders.query": {"region": "north"}})
    assert check(tmp_path, server[1], text=text) == 1
    assert "region" not in capsys.readouterr().out


def test_an_empty_list_is_a_note(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was sampled, so the verdict is not ok."""
    server[0].orders = []
    assert check(tmp_path, server[1], "--stream", "orders") == 0
    out = capsys.readouterr().out
    assert "note: not sampled: the list is empty on this server" in out
    assert out.splitlines()[3].split()[-1] == "-"


def test_a_list_without_access_is_not_checked(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a 403, the other streams are still sampled, and the exit code is 2."""
    server[0].status = 403
    assert check(tmp_path, server[1], key="s3cret") == 2
    printed = capsys.readouterr()
    assert "not checked: orders: POST /orders/filter" in printed.err
    assert printed.out.splitlines()[2].split() == ["shops", *["ok"] * 4, "-", "ok", "ok", "ok"]
    assert "s3cret" not in printed.out + printed.err


def test_a_rejected_request_is_an_error(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the server does matters more than what its document says."""
    server[0].status = 422
    assert check(tmp_path, server[1]) == 1
    assert "error: orders: POST /orders/filter" in capsys.readouterr().out


def test_a_documented_list_that_is_not_found_is_a_warning(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sync skips such a list: it may be disabled. Without a document, the path is probably wrong."""
    server[0].status = 404
    assert check(tmp_path, server[1]) == 0
    assert (
        "returned 404 Not Found. It is in the OpenAPI document, so it may be disabled on this server"
        in capsys.readouterr().out
    )
    server[0].document = None
    assert check(tmp_path, server[1]) == 1
    assert "error: orders: POST /orders/filter" in capsys.readouterr().out


def test_credentials_are_sent_to_no_other_host(server: tuple[Shop, Loopback], tmp_path: Path) -> None:
    """The document may come from any host, but only the API's own host receives the API key."""
    text = edited(DECLARED, add={"api.headers": {"X-Key": "${api_key}"}})
    with Loopback(server[0].answer) as elsewhere:
        assert check(tmp_path, server[1], "--openapi", f"{elsewhere.url}/openapi.json", text=text, key="s3cret") == 0
        (request,) = elsewhere.seen
    assert request.path == "/api/openapi.json"
    assert "s3cret" not in str(request.headers)
    assert all(seen.headers["Authorization"] == "Bearer s3cret" for seen in server[1].seen)
    server[1].seen.clear()
    check(tmp_path, server[1], "--openapi", f"{server[1].url}/openapi.json", text=text, key="s3cret")
    assert server[1].seen[0].headers["Authorization"] == "Bearer s3cret"


def test_a_secret_in_a_body_is_not_repeated(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even if the server does not accept it."""
    text = edited(DECLARED, replace={"streams.orders.body.sort": "${api_key}"})
    assert check(tmp_path, server[1], text=text, key="s3cret") == 1
    printed = capsys.readouterr()
    assert 'the server does not accept "***" here' in printed.out
    assert "s3cret" not in printed.out + printed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stream", "order"], 'there is no stream "order"; did you mean "orders"?'),
        (["--configuration", "nowhere.json"], "copy configuration.json.example to it and fill it in"),
        (["--openapi", "nowhere.json"], "cannot read or write nowhere.json"),
    ],
)
def test_a_command_that_cannot_run_exits_with_2(
    server: tuple[Shop, Loopback],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    """The message names the remedy, and no request is sent."""
    assert check(tmp_path, server[1], *arguments) == 2
    assert words in capsys.readouterr().err
    assert server[1].seen == []


def test_a_wrong_configuration_exits_with_2_and_shows_no_value(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message is the connector's own."""
    assert check(tmp_path, server[1], key="a key with blanks") == 2
    err = capsys.readouterr().err
    assert "api_key: expected printable ASCII characters" in err
    assert "blanks" not in err


def test_a_wrong_file_exits_with_1_as_validate_does(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every mistake is reported with its place, and no request is sent."""
    assert check(tmp_path, server[1], text=edited(DECLARED, replace={"api.pagination.style": "ofset"})) == 1
    assert 'api.pagination.style: "ofset" is not a pagination style' in capsys.readouterr().out
    assert server[1].seen == []


def test_colors_only_in_a_terminal_and_not_with_no_color(
    server: tuple[Shop, Loopback],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """NO_COLOR (https://no-color.org) turns colors off; a pipe never has them."""
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


def test_a_server_that_is_down_gets_no_further_requests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If document and first list both fail, there is one message for each, not one per stream."""
    with Loopback(lambda seen: Reply(hang_up=True)) as loopback:
        assert check(tmp_path, loopback) == 2
        assert {seen.path for seen in loopback.seen} == {"/api/openapi.json", "/api/orders/filter"}
    assert "not checked: the streams after it" in capsys.readouterr().err


def test_a_document_can_be_in_yaml(server: tuple[Shop, Loopback], tmp_path: Path) -> None:
    """Served, or saved in a file."""
    text = yaml.safe_dump(shop("3.0.3"))
    good, server[1].answer = (
        server[1].answer,
        lambda seen: (
            Reply(body=text.encode(), headers={"Content-Type": "application/yaml"})
            if seen.path.endswith("openapi.json")
            else good(seen)
        ),
    )
    assert check(tmp_path, server[1]) == 0
    (tmp_path / "saved.yaml").write_text(text, "utf-8")
    assert check(tmp_path, server[1], "--openapi", str(tmp_path / "saved.yaml"), "--offline") == 0
    assert check(tmp_path, server[1], text=NOTE_MISSPELLED) == 0


def test_credentials_in_the_url_of_a_document_are_rejected(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every message would show them."""
    address = server[1].url.replace("http://", "http://me:s3cret@") + "/openapi.json"
    assert check(tmp_path, server[1], "--openapi", address) == 2
    assert "remove the user and password from the URL" in (err := capsys.readouterr().err)
    assert "s3cret" not in err


def with_owner(made: Shop, loopback: Loopback, document: Any, answer: Any) -> None:
    """Add GET /owner to the document and to the server, also above the base URL."""
    operation = {"responses": {"200": {"content": {"application/json": {"schema": document}}}}}
    made.document["paths"]["/owner"] = {"get": operation}
    loopback.answer = lambda seen: Reply(answer) if seen.path.endswith("/owner") else made.answer(seen)


@pytest.mark.parametrize("text", [WITH_OWNER, edited(WITH_OWNER, add={"streams.owner.records": "$"})])
def test_a_single_record_is_checked(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Its columns against the document, and its values against the response."""
    record = {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}}
    with_owner(*server, document=record, answer={"id": "x", "name": "Ada"})
    assert check(tmp_path, server[1], "--stream", "owner", text=text) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["owner", *["ok"] * 4, "-", "ok", "ok", "ok"]
    misspelled = edited(text, replace={"streams.owner.fields.name": "$.nmae"})
    assert check(tmp_path, server[1], "--stream", "owner", text=misspelled) == 0
    assert 'always NULL: the response has no "nmae" for $.nmae' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "expected", "returned"),
    [
        (WITH_OWNER, "an object", "a list"),
        (
            edited(WITH_OWNER, replace={"streams.owner.pagination": "single"}),
            "a list of objects",
            "an object with id, name",
        ),
    ],
    ids=["record", "list"],
)
def test_a_list_is_not_a_record_and_a_record_is_not_a_list(
    server: tuple[Shop, Loopback],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    expected: str,
    returned: str,
) -> None:
    """The document shows it."""
    record = {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}}
    wrong = {"type": "array", "items": record} if expected == "an object" else record
    with_owner(*server, document=wrong, answer=None)
    check(tmp_path, server[1], "--stream", "owner", text=text)
    message = f"expected {expected} at $ or $.results or $.result; GET /owner returns {returned}"
    assert f"streams.owner.endpoint: error: {message}" in capsys.readouterr().out


@pytest.mark.parametrize("availability", [{}, {"streams.owner.availability": "the larger shops"}], ids=["all", "some"])
def test_an_endpoint_above_the_base_url_is_not_checked_against_the_document(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str], availability: dict[str, str]
) -> None:
    """A note says so, the verdict is neither an error nor ok, and the rows are still sampled."""
    with_owner(*server, document={}, answer={"id": "x"})
    text = edited(WITH_OWNER, replace={"streams.owner.endpoint": "GET ../owner"}, add=availability)
    assert check(tmp_path, server[1], "--stream", "owner", text=text) == 0
    out = capsys.readouterr().out
    note = "../owner is above the base URL; the OpenAPI document does not cover it, so it is not checked"
    assert f"streams.owner.endpoint: note: {note}" in out
    assert "warning: none of the first 1 records has $.name" in out
    assert out.splitlines()[4].split() == ["owner", *["-"] * 7, "1", "warning"]
    assert server[1].seen[-1].path == "/owner"


def test_a_missing_endpoint_above_the_base_url(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a request can find it: an error, unless streams.yaml says that only some servers have it."""
    text = edited(WITH_OWNER, replace={"streams.owner.endpoint": "GET ../owner"})
    assert check(tmp_path, server[1], "--stream", "owner", text=text) == 1
    assert "error: owner: GET ../owner at " in capsys.readouterr().out
    some = edited(text, add={"streams.owner.availability": "the larger shops"})
    assert check(tmp_path, server[1], "--stream", "owner", text=some) == 0
    assert "note: owner: GET ../owner at " in capsys.readouterr().out


STAFF = {
    "description": "One row per member of a shop's staff.",
    "endpoint": "GET /shops/$(parent.id)/staff",
    "parent": "shops",
    "pagination": "single",
    "primary_key": "name",
    "sync_mode": "full_refresh",
    "fields": {"name": "$.name", "shop": "$parent.id"},
}
WITH_STAFF = edited(DECLARED, add={"streams.staff": STAFF})


def test_columns_from_the_parent_are_checked_against_the_parent(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelled $parent path is NULL in every row, like any other."""
    assert check(tmp_path, server[1], "--stream", "staff", text=WITH_STAFF) == 0
    assert "always NULL" not in capsys.readouterr().out
    text = edited(WITH_STAFF, replace={"streams.staff.fields.shop": "$parent.idd"})
    check(tmp_path, server[1], "--stream", "staff", text=text)
    assert 'always NULL: the response has no "idd" for $parent.idd; did you mean "id"?' in capsys.readouterr().out


def test_a_response_that_the_document_does_not_describe_is_noted(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not checked must not look as if it were right: neither of a stream, its count, nor of its children."""
    paths = server[0].document["paths"]
    text = edited(
        WITH_STAFF,
        remove=["streams.staff.endpoint", "streams.staff.pagination"],
        add={"streams.staff.records": "$.staff"},
    )
    for path in ("/orders/count", "/shops/filter"):
        paths[path]["post"]["responses"] = {"200": {}}
    check(tmp_path, server[1], text=text)
    out = capsys.readouterr().out
    note = "note: the OpenAPI document does not describe the"
    assert f"streams.orders.count: {note} response, so it is not checked" in out
    assert f"streams.shops.endpoint: {note} response, so it is not checked" in out
    assert f"streams.staff.parent: {note} parent's records, so columns are not checked" in out
    paths["/shops/filter"] = shop()["paths"]["/shops/filter"]
    check(tmp_path, server[1], text=text)
    message = "error: the parent's records have no list of objects at $.staff"
    assert f"streams.staff.parent: {message}" in capsys.readouterr().out


def test_the_document_does_not_control_the_terminal(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Messages quote its names and descriptions, which any server can choose."""
    document = server[0].document
    document["info"]["title"] = "Shop\x1b[2J"
    document["components"]["schemas"]["Order"]["properties"]["free"] = {"description": "\x1b[2J"}
    assert check(tmp_path, server[1], "--unmapped") == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert 'no column maps "free" (JSON): \\x1b[2J' in out


def test_a_secret_is_not_repeated_about_a_stream_that_is_not_sampled(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The findings from the document quote the query of a child whose parent has no rows."""
    made, loopback = server
    limit = {"name": "role", "in": "query", "schema": {"enum": ["seller"]}}
    made.document["paths"]["/shops/{shop}/staff"]["get"]["parameters"] = [limit]
    loopback.answer = lambda seen: Reply([]) if seen.path == "/api/shops/filter" else made.answer(seen)
    text = edited(WITH_STAFF, add={"streams.staff.query": {"role": "${api_key}"}})
    assert check(tmp_path, loopback, "--stream", "staff", text=text, key="s3cret") == 1
    printed = capsys.readouterr()
    assert "note: not sampled: its parent is shops, and it has no rows on this server" in printed.out
    assert 'the server does not accept "***" here' in printed.out
    assert "s3cret" not in printed.out + printed.err


LIMITED = edited(DECLARED, add={"streams.orders.pagination": {"style": "single", "page_size": 400}})


def test_a_list_in_one_response_is_sampled_as_a_sync_reads_it(server: tuple[Shop, Loopback], tmp_path: Path) -> None:
    """With its own limit: a response with as many rows as a smaller limit would look cut off."""
    assert check(tmp_path, server[1], text=LIMITED) == 0
    assert server[1].seen[1].json == {"sort": "ID_DESC", "limit": 400}


OPEN = edited(
    DECLARED,
    add={
        "streams.orders.incremental": {
            "changes": [{"body": {"sort": "UPDATED_DESC"}, "stop_at": "$.updated"}],
            "open": {
                "field": "$.note",
                "values": ["new", "held"],
                "body": {"orders": {"note": {"any_": "$open"}}, "sort": "ID_DESC"},
            },
            "lookup": {"body": {"orders": {"id": {"any_": "$keys"}}, "sort": "ID_DESC"}},
        }
    },
)


@pytest.mark.parametrize(("known", "level"), [(["new"], "warning"), ([], "error")])
def test_an_open_value_that_the_server_does_not_know_is_a_warning(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str], known: list[str], level: str
) -> None:
    """A sync leaves it out: the server is older, or the value is misspelled. If it knows no value, a sync fails."""
    filters = server[0].document["components"]["schemas"]["OrderFilter"]["properties"]
    values = {"type": "array", "items": {"type": "string", "enum": [*known, "paid"]}}
    filters["note"] = {"type": "object", "additionalProperties": False, "properties": {"any_": values}}
    assert check(tmp_path, server[1], text=OPEN) == (1 if level == "error" else 0)
    assert f'streams.orders.incremental.open.values[1]: {level}: the server does not accept "held"' in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(("sync_mode", "level"), [("full_refresh", "warning"), ("incremental", "error")])
def test_an_ignored_order_matters_to_lists_that_are_not_read_whole(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str], sync_mode: str, level: str
) -> None:
    """A full refresh reads every row in any order; a key that selects rows stays an error."""
    del server[0].document["paths"]["/orders/filter"]["post"]["requestBody"]["content"]["application/json"]["schema"][
        "properties"
    ]["sort"]
    text = edited(DECLARED, remove=["streams.orders.sync_mode"], add={"streams.orders.sync_mode": sync_mode})
    assert check(tmp_path, server[1], text=text) == (1 if level == "error" else 0)
    assert f'streams.orders.body.sort: {level}: the server silently ignores the unknown key "sort"' in (
        capsys.readouterr().out
    )


def test_embedded_rows_that_only_some_servers_have_are_a_note(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As for an endpoint that only some servers have."""
    text = edited(
        WITH_STAFF,
        remove=["streams.staff.endpoint", "streams.staff.pagination"],
        add={"streams.staff.records": "$.staff", "streams.staff.availability": "Shop 8"},
    )
    assert check(tmp_path, server[1], "--stream", "staff", text=text) == 0
    assert "note: the parent's records have no list of objects at $.staff (available only on: Shop 8)" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(("reply", "words"), [("7.1", "Shop 7.1"), (None, "Shop, version 7")])
def test_the_summary_names_the_version_that_the_server_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], reply: str | None, words: str
) -> None:
    """The version in the OpenAPI document can be that of something else, so it counts only if there is no other."""
    made = Shop()

    def answer(seen: Seen) -> Reply:
        return Reply(reply) if reply and seen.path == "/api/version" else made.answer(seen)

    with Loopback(answer) as loopback:
        assert check(tmp_path, loopback, text=edited(DECLARED, add={"api.version": "GET /version"})) == 0
    assert f"2 streams checked against {words}: no mistakes" in capsys.readouterr().out


@pytest.mark.parametrize("declared", [True, False])
def test_a_cursor_that_is_a_number_is_declared_so(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str], declared: bool
) -> None:
    """With its format it is fine, by the document and by the records; without, both say so."""
    made, loopback = server
    made.document["components"]["schemas"]["Order"]["properties"]["updated"] = {"type": "integer"}
    for order in made.orders:
        order["updated"] = 1777629600
    text = edited(DECLARED, add={"streams.orders.fields.updated.format": "epoch_seconds"}) if declared else DECLARED
    assert check(tmp_path, loopback, text=text) == (0 if declared else 1)
    printed = capsys.readouterr().out
    assert ("the cursor must be a date-time" in printed) != declared
    assert ('needs the key "format"' in printed) != declared


PAGED = {
    "token": {"style": "token", "token": "$.next", "body": {"cursor": "$token"}},
    "total": {"style": "page_number", "body": {"offset": "$page", "limit": "$size"}, "total": "$.next"},
    "more": {"style": "offset", "more": "$.next"},
}


@pytest.mark.parametrize(
    ("key", "declared", "code"),
    [
        *(("token", kind, 0) for kind in ("string", "integer", "number")),
        *(("token", kind, 1) for kind in ("array", "object", "boolean")),
        *(("total", kind, 0) for kind in ("string", "integer", "number")),
        *(("total", kind, 1) for kind in ("array", "object", "boolean")),
        ("more", "boolean", 0),
        ("more", "array", 1),
    ],
)
def test_tokens_and_totals_are_what_a_sync_takes_for_them(tmp_path: Path, key: str, declared: str, code: int) -> None:
    """A number is a token, too, and a string can be a total; a sync fails on anything else, or does not believe it."""
    document = shop()
    response = {
        "results": {"type": "array", "items": {"$ref": "#/components/schemas/Order"}},
        "next": {"type": declared},
    }
    operation = document["paths"]["/orders/filter"]["post"]
    operation["requestBody"]["content"]["application/json"]["schema"]["properties"]["cursor"] = {}
    content = operation["responses"]["200"]["content"]["application/json"]
    content["schema"] = {"type": "object", "properties": response}
    (tmp_path / "saved.json").write_text(json.dumps(document), "utf-8")
    text = edited(STREAMS, add={"streams.orders.pagination": PAGED[key]})
    (tmp_path / "streams.yaml").write_text(text, "utf-8")
    assert (
        main(["check", str(tmp_path / "streams.yaml"), "--offline", "--openapi", str(tmp_path / "saved.json")]) == code
    )


def test_a_response_that_does_not_say_whether_pages_follow_is_an_error(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sync fails on it, too. The place is the stream, since its key and endpoint are right."""
    text = edited(DECLARED, add={"streams.orders.pagination": {"style": "offset", "more": "$[0].updated"}})
    assert check(tmp_path, server[1], text=text) == 1
    found = capsys.readouterr().out
    assert "streams.orders: error: orders: POST /orders/filter" in found
    assert "the value at $[0].updated is neither true nor false" in found
    assert "streams.orders.pagination.more: error: expected a boolean at $[0].updated, found a date-time" in found


def without_endpoint(document: Any) -> None:
    del document["paths"]["/orders/filter"]


def without_key(document: Any) -> None:
    del document["components"]["schemas"]["Order"]["properties"]["id"]


def without_cursor(document: Any) -> None:
    del document["components"]["schemas"]["Order"]["properties"]["updated"]


def without_format(document: Any) -> None:
    document["components"]["schemas"]["Order"]["properties"]["updated"] = {"type": "string"}


def with_another_type(document: Any) -> None:
    document["components"]["schemas"]["Order"]["properties"]["amount"] = {"type": "boolean"}


@pytest.mark.parametrize(
    "damage",
    [without_endpoint, without_key, without_cursor, without_format, with_another_type],
    ids=lambda one: one.__name__,
)
def test_records_are_believed_more_than_the_document(
    server: tuple[Shop, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Any], None]
) -> None:
    """A sync reads them, and never the document. Of an empty list, there is only the document."""
    damage(server[0].document)
    text = edited(
        DECLARED,
        add={"streams.orders.incremental": {"changes": [{"body": {"sort": "UPDATED_DESC"}, "stop_at": "$.updated"}]}},
    )
    assert check(tmp_path, server[1], text=text) == 0
    out = capsys.readouterr().out
    assert "note: " in out
    assert "(the records are as streams.yaml says)" in out
    if damage is not without_endpoint:
        server[0].orders = []
        assert check(tmp_path, server[1], text=text) == 1


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"updated": None}, 0, "warning: 2 of the first 2 records have no date-time for the cursor updated"),
        ({"id": "the same", "amount": 1}, 0, "no mistakes"),
    ],
    ids=["a cursor that is null", "a record that comes twice"],
)
def test_what_a_sync_goes_on_with_is_no_error(
    server: tuple[Shop, Loopback],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    code: int,
    words: str,
) -> None:
    """Rows without a cursor are sent, and a record that comes twice is one row."""
    server[0].orders = [{**order, **change} for order in orders(2)]
    assert check(tmp_path, server[1]) == code
    assert words in capsys.readouterr().out


def test_a_server_that_accepts_no_small_page_is_asked_for_a_whole_one(tmp_path: Path) -> None:
    """By `check` and by the setup tests: a sync requests no smaller pages."""
    made = Shop()

    def answer(seen: Seen) -> Reply:
        too_small = seen.path == "/api/orders/filter" and seen.json["limit"] < 10
        return Reply({"detail": "a page has 10 rows at least"}, 422) if too_small else made.answer(seen)

    with Loopback(answer) as loopback:
        assert check(tmp_path, loopback) == 0
        tests = setup_tests(tmp_path / "streams.yaml", Lines())
        assert [test.run({"api_url": loopback.url}) for test in tests] == [None] * 4


def test_setup_tests_try_each_pagination_style_as_a_sync_does(tmp_path: Path) -> None:
    """A server that rejects the first one is read with the next."""
    styles = [{"style": "page_number"}, {"style": "offset"}]
    (tmp_path / "streams.yaml").write_text(edited(STREAMS, add={"streams.orders.pagination": styles}), "utf-8")
    made = Shop()

    def answer(seen: Seen) -> Reply:
        return Reply({"detail": "unknown key"}, 422) if "page" in (seen.json or {}) else made.answer(seen)

    with Loopback(answer) as loopback:
        tests = setup_tests(tmp_path / "streams.yaml", Lines())
        assert [test.run({"api_url": loopback.url}) for test in tests] == [None] * 4


CURSOR = edited(
    STREAMS,
    remove=["streams.shops"],
    add={
        "streams.orders.pagination": {
            "style": "token",
            "token": "$.next",
            "query": {"cursor": "$token"},
            "page_size": 50,
        }
    },
)


@pytest.mark.parametrize(
    ("token", "size", "code", "words"),
    [
        ("$.next", 3, 0, "no mistakes"),
        ("$.nxt", 3, 1, "the token at $.nxt is missing; the response has $.next"),
        ("$.nxt", None, 0, "the list has 20 records, and the server does not return fewer at a time"),
        ("$.next", None, 0, "no mistakes"),
    ],
    ids=["right", "misspelt", "size ignored", "right, size ignored"],
)
def test_the_next_page_is_where_the_token_leads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], token: str, size: int | None, code: int, words: str
) -> None:
    """A misspelt path would end every list with its first page. ``size``: how many rows the server returns at most."""
    rows = orders(20 if size is None and token == "$.nxt" else 30)

    def answer(seen: Seen) -> Reply:
        start = int(seen.query.get("cursor", ["0"])[0])
        end = start + (20 if size is None else min(size, seen.json["limit"]))
        return Reply({"results": rows[start:end], **({"next": str(end)} if end < len(rows) else {})})

    with Loopback(answer) as loopback:
        text = edited(CURSOR, replace={"streams.orders.pagination.token": token}) if token != "$.next" else CURSOR
        assert check(tmp_path, loopback, text=text) == code
    assert words in capsys.readouterr().out


def test_a_rejected_second_page_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A list that fits a page of the declared size is not read with that size instead, which would hide it."""

    def answer(seen: Seen) -> Reply:
        if "cursor" in seen.query:
            return Reply({"detail": "no filter beside a cursor"}, 400)
        size = seen.json["limit"]
        return Reply({"results": orders(20)[:size], **({"next": "c"} if size < 20 else {})})

    with Loopback(answer) as loopback:
        assert check(tmp_path, loopback, text=CURSOR) == 1
    assert "no filter beside a cursor" in capsys.readouterr().out
