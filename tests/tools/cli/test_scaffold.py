"""Every stream that `scaffold` writes validates, passes `check`, and syncs unedited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.testbed.history import PrefectApi
from dev.testbed.prefect_server import PrefectServer
from engine.pagination.offset import Offset
from engine.pagination.single import Single
from engine.spec.load import load, resolve
from engine.sync import sync
from tests.conftest import MAJORS
from tests.readme import PROJECT
from tests.shop import ORDERS_ONLY, Lines, Recorder
from tests.specs import edited, shipped
from tests.tools.openapi.documents import shop
from tools.cli import main
from tools.cli.target import load_openapi, resolved_spec
from tools.openapi.lists import ListOperation, lists

SHIPPED = (PROJECT / "streams.yaml").read_text("utf-8")
HEAD = edited(SHIPPED, remove=["streams"]) + "streams:\n"
ONLY = {"flow_run_notification_policies": 2, "task_workers": 3}
# Reading events creates more events. A request for inputs needs a prefix, and one for blocks a flag that includes those
# without a name; the document declares neither.
NOT_COMPARED = {"events", "flow_run_inputs", "block_documents"}
STREAMS_SHIPPED = shipped().streams
CLOUD = {name for name, stream in STREAMS_SHIPPED.items() if (stream.availability or "").startswith("Prefect Cloud")}
COMPARED = sorted(STREAMS_SHIPPED.keys() - CLOUD - NOT_COMPARED)


def paged_lists(configuration: Path) -> list[ListOperation]:
    connection = resolved_spec(PROJECT / "streams.yaml", configuration)
    return [one for one in lists(load_openapi(connection, None), connection.spec) if one.paged]


def scaffolded(endpoint: object, configuration: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["scaffold", str(endpoint), "--configuration", str(configuration)]) == 0
    return capsys.readouterr().out


def without(name: str) -> str:
    """The shipped file without a stream, the streams that depend on it, and references to other streams."""
    gone = {name}
    for other, stream in STREAMS_SHIPPED.items():  # the file has each stream after its source
        if stream.source is not None and stream.source.stream in gone:
            gone.add(other)
    references = [
        f"streams.{other}.fields.{column}.references"
        for other, stream in STREAMS_SHIPPED.items()
        for column, field in stream.fields.items()
        if other not in gone and field.references is not None
    ]
    return edited(SHIPPED, remove=[*(f"streams.{other}" for other in gone), *references])


def synced(streams: Path, configuration: Path) -> tuple[Recorder, Lines]:
    """The rows and log lines of a first sync."""
    recorder, lines = Recorder(), Lines()
    sync(resolve(streams, json.loads(configuration.read_text("utf-8"))), {}, recorder, lines)
    return recorder, lines


@pytest.mark.parametrize("major", MAJORS)
def test_every_paged_list_of_the_server_validates_and_syncs(
    major: int, configurations: dict[int, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All lists that take limit and offset, except those with a parameter in the path, which need a parent."""
    every = paged_lists(configurations[major])
    assert len(every) >= 18
    found = [one for one in every if "{" not in str(one.endpoint)]
    blocks = {str(one.endpoint): scaffolded(one.endpoint, configurations[major], capsys) for one in found}
    path = tmp_path / "streams.yaml"
    path.write_text(HEAD + "\n".join(blocks.values()), "utf-8")
    assert len(load(path).streams) == len(found)
    assert main(["check", str(path), "--configuration", str(configurations[major]), "--format", "json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    # The document of Prefect 2 declares what the server lacks: an old name of a property, and a feature that is off.
    wrong = ["streams.deployments.fields.job_variables", "streams.automations.endpoint"] if major == 2 else []
    assert [one["keypath"] for one in findings if one["level"] == "warning"] == wrong
    recorder, lines = synced(path, configurations[major])
    assert all("/automations/filter not found; skipping" in warning for warning in lines.warnings)
    assert len(lines.warnings) == (1 if major == 2 else 0)
    api = PrefectApi(json.loads(configurations[major].read_text("utf-8"))["api_url"])
    assert len(recorder.tables["flow_runs"]) == api.call("POST", "/flow_runs/count", {}) > 200


@pytest.fixture(scope="module")
def shipped_rows(
    full_servers: dict[int, PrefectServer], tmp_path_factory: pytest.TempPathFactory
) -> dict[int, Recorder]:
    """What the shipped file syncs from each server."""
    found = {}
    for major, server in full_servers.items():
        names = [name for name in COMPARED if ONLY.get(name, major) == major]
        configuration = tmp_path_factory.mktemp(f"shipped-{major}") / "configuration.json"
        configuration.write_text(json.dumps({"api_url": server.api_url, "streams": ", ".join(names)}), "utf-8")
        found[major], _ = synced(PROJECT / "streams.yaml", configuration)
    return found


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("name", COMPARED)
def test_a_shipped_stream_scaffolded_again_syncs_the_same_rows(
    name: str,
    major: int,
    full_servers: dict[int, PrefectServer],
    shipped_rows: dict[int, Recorder],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Removed and scaffolded from the live server, a stream syncs the same rows, equal in all common columns."""
    if ONLY.get(name, major) != major:
        pytest.skip(f"Prefect {major} has no {name}")
    settings = {"api_url": full_servers[major].api_url}
    configuration, path = tmp_path / "configuration.json", tmp_path / "streams.yaml"
    configuration.write_text(json.dumps(settings), "utf-8")
    path.write_text(without(name), "utf-8")
    shipped = STREAMS_SHIPPED[name]
    endpoint = str(shipped.endpoint or f"{STREAMS_SHIPPED[shipped.parent.name].endpoint}#schedules")  # type: ignore[union-attr]
    given = ["--name", name, "--append", str(path), "--configuration", str(configuration)]
    assert main(["scaffold", endpoint, *given]) == 0
    assert f"added the stream {name}" in capsys.readouterr().out
    assert main(["validate", str(path)]) == 0
    back = load(path).streams[name]
    assert back.primary_key == shipped.primary_key
    configuration.write_text(json.dumps({**settings, "streams": name}), "utf-8")
    both = back.fields.keys() & shipped.fields.keys()
    common = [c for c in both if shipped.fields[c].path == back.fields[c].path and not shipped.fields[c].volatile]
    everywhere = [c for c, field in shipped.fields.items() if field.availability is None and not field.volatile]
    assert len(common) >= len(everywhere) / 2
    found, _ = synced(path, configuration)

    def rows(recorder: Recorder) -> Any:
        return {key: {c: row[c] for c in common} for key, row in recorder.tables[name].items()}

    assert rows(found) == rows(shipped_rows[major])
    assert rows(found)


def test_a_list_for_each_row_of_another_stream(
    full_servers: dict[int, PrefectServer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path above a parameter names the parent, or a query parameter's own name; without one, scaffold says so."""
    configuration = tmp_path / "configuration.json"
    configuration.write_text(json.dumps({"api_url": full_servers[3].api_url}), "utf-8")
    text = scaffolded("/work_pools/{work_pool_name}/queues/filter", configuration, capsys)
    assert "    parent: work_pools\n" in text
    text = scaffolded("GET /flow_run_states/", configuration, capsys)
    assert "    parent: flow_runs\n" in text
    assert "    query: {flow_run_id: $parent.id}\n" in text
    assert "    pagination: single\n" in text
    text = scaffolded("/events/filter", configuration, capsys)
    assert (
        "    pagination: {style: token, token: $.next_page, query: {page-token: $token}, "
        "endpoint: GET /events/filter/next, total: $.total}\n" in text
    )
    assert "    records: $.events\n" in text
    alone = tmp_path / "streams.yaml"
    alone.write_text(without("work_pools"), "utf-8")
    given = ["--append", str(alone), "--configuration", str(configuration)]
    assert main(["scaffold", "/work_pools/{work_pool_name}/queues/filter", *given]) == 1
    assert "needs work_pool_name, and no stream of streams.yaml provides it; scaffold" in capsys.readouterr().err
    assert main(["scaffold", "/work_pools/filter#queues", *given]) == 1
    assert "no stream reads POST /work_pools/filter; scaffold it first" in capsys.readouterr().err
    assert main(["scaffold", "/deployments/filter#tags", *given]) == 1
    assert "have no list of objects named tags; they have schedules" in capsys.readouterr().err


def test_a_block_gives_its_reasons(configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A stable sort with its reason, the count endpoint beside the list, and an offer to read only changes."""
    text = scaffolded("/variables/filter", configurations[3], capsys)
    assert text.startswith(
        """\
  variables:
    description: One row per variable.
    endpoint: POST /variables/filter
    primary_key: id
    cursor_field: updated
    sync_mode: full_refresh
    body: {sort: CREATED_DESC} # never changes for a row; rows of the same instant may swap places
    count: POST /variables/count
"""
    )
    assert "#   incremental: {changes: {body: {sort: UPDATED_DESC}, stop_at: $.updated}}\n" in text
    assert "      id: $.id\n" in text
    assert "      value: {path: $.value, type: JSON, description: The value of the variable}\n" in text


@pytest.mark.parametrize("name", ["automations", "flows", "variables"])
def test_the_offered_lines_that_read_changes_are_valid(
    name: str, configurations: dict[int, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Uncommented in place of the sync mode, they load and pass check, so the offer can be taken as it is."""
    text = scaffolded(f"/{name}/filter", configurations[3], capsys)
    text = text.replace("    sync_mode: full_refresh\n", "").replace("    #   ", "    ")
    path = tmp_path / "streams.yaml"
    path.write_text(HEAD + text, "utf-8")
    assert load(path).streams[name].sync_mode == "incremental"
    assert main(["check", str(path), "--configuration", str(configurations[3])]) == 0
    assert "no mistakes" in capsys.readouterr().out


# --- documents of other APIs ------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved document, and beside it a streams.yaml that reads none of its lists but the orders."""
    document = shop()
    schemas, paths = document["components"]["schemas"], document["paths"]
    schemas["Odd"] = {
        "type": "object",
        "properties": {
            "naïve name": {"type": "string"},
            "2nd": {"type": "integer", "format": "int32"},
            "camelCase": {"type": "boolean"},
            "camel_case": {"type": "boolean"},
            "on": {"type": "string", "description": 'a: "b" # c, {d} ${e}\n second line. Second sentence.'},
            "day": {"type": "string", "format": "date"},
            "it's": {"type": "string"},
            "both ' and \"": {"type": "string"},
            "uuid": {"type": "string"},
            "long": {"type": "string", "description": "word " * 60},
        },
    }
    odd = {"type": "array", "items": {"$ref": "#/components/schemas/Odd"}}
    page = [{"name": n, "in": "query", "schema": {"type": "integer"}} for n in ("limit", "offset")]
    sorts = {"name": "order_by", "in": "query", "schema": {"enum": ["-updated", "name", "-uuid"], "type": "string"}}
    ok = {"responses": {"200": {"content": {"application/json": {"schema": odd}}}}}
    paths["/odd-things"] = {"get": {**ok, "parameters": [*page, sorts]}}
    paths["/odd-things/count"] = {
        "get": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "integer"}}}}}}
    }
    paths["/odd/all"] = {
        "get": {**ok, "parameters": [{"name": "since", "in": "query", "required": True, "schema": {}}]}
    }
    nameless = {"type": "array", "items": {"type": "object", "properties": {"total": {"type": "number"}}}}
    paths["/totals"] = {"get": {"responses": {"200": {"content": {"application/json": {"schema": nameless}}}}}}
    schemas["Order"]["properties"]["lines"]["items"]["properties"]["sku"]["description"] = "\x1b[31m"
    (tmp_path / "saved.json").write_text(json.dumps(document), "utf-8")
    (tmp_path / "streams.yaml").write_text(ORDERS_ONLY, "utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> int:
    file = str(folder / "streams.yaml")
    return main(["scaffold", *arguments, "--openapi", str(folder / "saved.json"), "--append", file])


def test_a_request_that_reads_is_preferred_to_one_that_may_write(saved: Path) -> None:
    """GET may list what POST creates at the same path. A POST must be named, and its block warns."""
    document = json.loads((saved / "saved.json").read_text())
    document["paths"]["/odd/all"]["post"] = document["paths"]["/odd/all"]["get"]
    (saved / "saved.json").write_text(json.dumps(document), "utf-8")
    assert run(saved, "/odd/all") == 0
    assert run(saved, "POST /odd/all", "--name", "made") == 0
    streams = load(saved / "streams.yaml").streams
    assert str(streams["odd_all"].endpoint).startswith("GET ")
    assert str(streams["made"].endpoint).startswith("POST ")
    assert (saved / "streams.yaml").read_text("utf-8").count("# Make sure that this request only reads") == 1


def test_any_name_and_description_becomes_valid_yaml(saved: Path) -> None:
    """Fivetran keeps the column names, the paths find the properties, and descriptions stay strings."""
    assert run(saved, "GET /odd-things") == 0
    stream = load(saved / "streams.yaml").streams["odd_things"]
    assert {name: (field.path[0].text, field.type) for name, field in stream.fields.items()} == {
        "uuid": ("$.uuid", "STRING"),
        "na_ve_name": ("$['naïve name']", "STRING"),
        "n_2nd": ("$['2nd']", "INT"),
        "camel_case": ("$.camelCase", "BOOLEAN"),
        "camel_case_2": ("$.camel_case", "BOOLEAN"),
        "on": ("$.on", "STRING"),
        "day": ("$.day", "NAIVE_DATE"),
        "it_s": ('$["it\'s"]', "STRING"),
        "long": ("$.long", "STRING"),
    }
    assert stream.fields["on"].description == 'a: "b" # c, {d} {e} second line.'
    assert len(stream.fields["long"].description or "") <= 110
    assert stream.primary_key == ("uuid",)
    assert stream.query == {"order_by": "-uuid"}
    assert stream.count is not None and str(stream.count.endpoint) == "GET /odd-things/count"
    text = (saved / "streams.yaml").read_text("utf-8")
    assert "# left out, no JSONPath can name it:" in text
    assert yaml.safe_load(text)["streams"]["odd_things"]["fields"].keys() == stream.fields.keys()


def test_comments_name_what_the_request_lacks(saved: Path) -> None:
    """A list without pages is read with one request, and a required parameter is named for the author to fill in."""
    assert run(saved, "/odd/all") == 0
    text = (saved / "streams.yaml").read_text("utf-8")
    assert "    pagination: single\n" in text
    assert "# The server requires since: add the value to send." in text
    assert "# No property shows when a row changed, so every sync sends the whole list." in text


def test_a_get_list_with_parameters_for_changes_sorts_and_pages(saved: Path) -> None:
    """They are used, or offered, whatever they are called; a sort without listed values is left to the reader."""
    document = json.loads((saved / "saved.json").read_text())
    text = {"type": "string"}
    schemas = {
        "since": text,
        "sort_by": text,
        "limit": {"type": "integer", "maximum": 50},
        "offset": {"type": "integer"},
    }
    incident = {"type": "object", "properties": {"id": text, "updated_at": {"type": "string", "format": "date-time"}}}
    listed = {"type": "object", "properties": {"incidents": {"type": "array", "items": incident}}}
    document["paths"]["/incidents"] = {
        "get": {
            "parameters": [{"name": name, "in": "query", "schema": schema} for name, schema in schemas.items()],
            "responses": {"200": {"content": {"application/json": {"schema": listed}}}},
        }
    }
    (saved / "saved.json").write_text(json.dumps(document), "utf-8")
    by_token = {"style": "token", "token": "$.next", "query": {"cursor": "$token"}}
    (saved / "streams.yaml").write_text(edited(ORDERS_ONLY, replace={"api.pagination": by_token}), "utf-8")
    assert run(saved, "/incidents") == 0
    written = (saved / "streams.yaml").read_text("utf-8")
    (style,) = load(saved / "streams.yaml").streams["incidents"].pagination
    assert style == Offset(page_size=50)
    assert "# The request takes sort_by, but the document lists no values for it" in written
    assert "# Make sure that since selects by updated_at" in written
    others, name, block = written.partition("  incidents:\n")
    block = block.replace("    sync_mode: full_refresh\n", "").replace("    #   ", "    ")
    (saved / "streams.yaml").write_text(others + name + block, "utf-8")
    incremental = load(saved / "streams.yaml").streams["incidents"].incremental
    assert incremental is not None
    assert [query.query for query in incremental.changes] == [{"since": "$since"}]


def test_records_in_an_envelope_and_a_smaller_page(saved: Path) -> None:
    """The api's records find `$.results`, and a page is no larger than the server's maximum."""
    document = json.loads((saved / "saved.json").read_text())
    document["paths"]["/shops/filter"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"][
        "limit"
    ]["maximum"] = 20
    (saved / "saved.json").write_text(json.dumps(document), "utf-8")
    assert run(saved, "/shops/filter") == 0
    stream = load(saved / "streams.yaml").streams["shops"]
    assert [style.page_size for style in stream.pagination or ()] == [20]
    assert [path.text for path in stream.records.paths] == ["$", "$.results", "$.result"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["/order/filter"], 1, "the server has no /order/filter; did you mean /orders/filter?"),
        (["GET /orders/filter"], 1, "the server has /orders/filter for POST only, not for GET"),
        (["/orders/count"], 1, "POST /orders/count: the OpenAPI document declares no list of objects in the response"),
        (["/totals"], 1, "no property that could be a primary key; they have total"),
        (["orders"], 1, 'expected a path, or a method (GET or POST) and a path, found "orders"'),
        (["/orders/filter"], 1, "already has a stream orders; choose another name with --name"),
        (["/shops/filter", "--name", "My-Shops"], 2, "--name: expected lowercase letters"),
    ],
)
def test_what_cannot_be_scaffolded_leaves_the_file_alone(
    saved: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    """The command says why, and no half-written file stays behind."""
    before = (saved / "streams.yaml").read_text("utf-8")
    assert run(saved, *arguments) == code
    assert words in capsys.readouterr().err
    assert (saved / "streams.yaml").read_text("utf-8") == before
    assert sorted(path.name for path in saved.iterdir()) == ["saved.json", "streams.yaml"]


def test_append_needs_the_streams_at_the_end(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text appended after another block would not be a stream."""
    api = yaml.safe_load(ORDERS_ONLY)["api"]
    (saved / "streams.yaml").write_text(edited(ORDERS_ONLY, remove=["api"], add={"api": api}), "utf-8")
    load(saved / "streams.yaml")
    assert run(saved, "/shops/filter") == 1
    assert "streams is not the last block of" in capsys.readouterr().err


def test_append_keeps_the_indentation_of_the_file(saved: Path) -> None:
    """A stream must be indented like its siblings, or the file would not be YAML."""
    lines = (saved / "streams.yaml").read_text("utf-8").splitlines()
    at = lines.index("streams:")
    deeper = lines[: at + 1] + ["  " + line for line in lines[at + 1 :]]
    (saved / "streams.yaml").write_text("\n".join(deeper), "utf-8")
    assert run(saved, "/shops/filter") == 0
    assert "\n    shops:\n      description: One row per shop.\n" in (saved / "streams.yaml").read_text("utf-8")
    assert list(load(saved / "streams.yaml").streams) == ["orders", "shops"]


OWNER = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "uuid": {"type": "string"}, "seats": {"type": "integer"}},
}


def with_owner(folder: Path, path: str, answer: Any, prefix: str = "") -> None:
    """Add a path to the saved document whose GET returns an object, and whose POST creates one."""
    document = json.loads((folder / "saved.json").read_text())
    operation = {"responses": {"200": {"content": {"application/json": {"schema": answer}}}}}
    document["paths"] = {prefix + known: item for known, item in document["paths"].items()}
    document["paths"][path] = {"post": operation, "get": operation}
    (folder / "saved.json").write_text(json.dumps(document), "utf-8")


def test_an_object_is_one_record(saved: Path) -> None:
    """GET reads it; POST at the same path would create another."""
    with_owner(saved, "/owner", OWNER)
    assert run(saved, "/owner") == 0
    stream = load(saved / "streams.yaml").streams["owner"]
    assert str(stream.endpoint) == "GET /owner"
    assert stream.primary_key == ("uuid",)
    assert stream.pagination == (Single(one_record=True),)
    assert list(stream.fields) == ["uuid", "name", "seats"]
    assert '    description: "One row: the owner."\n' in (saved / "streams.yaml").read_text("utf-8")


def test_an_object_for_each_row_of_another_stream(saved: Path) -> None:
    """The path above the parameter names the parent, as for a list."""
    with_owner(saved, "/orders/{id}/owner", OWNER)
    assert run(saved, "/orders/{id}/owner") == 0
    stream = load(saved / "streams.yaml").streams["orders_owner"]
    assert stream.parent is not None
    assert stream.parent.stream == "orders"
    assert stream.pagination == (Single(one_record=True),)


def test_an_endpoint_above_the_base_url(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only a document of the whole server describes it."""
    given = ["scaffold", "GET ../owner", "--openapi", str(saved / "saved.json")]
    file = saved / "streams.yaml"
    text = edited(ORDERS_ONLY, replace={"api.base_url": "https://shop.test/v1/places/9b"})
    file.write_text(text, "utf-8")
    assert main([*given, "--file", str(file)]) == 1
    assert "../owner is above the base URL, and the OpenAPI document does not describe it" in capsys.readouterr().err
    with_owner(saved, "/v1/places/owner", OWNER, prefix="/v1/places/{place}")
    assert main([*given, "--file", str(file)]) == 0
    out = capsys.readouterr().out
    assert "  owner:\n" in out
    assert "    endpoint: GET ../owner\n" in out
