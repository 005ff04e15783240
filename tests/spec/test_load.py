"""What a streams.yaml without mistakes is read as."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from engine.authentication.bearer import Bearer
from engine.declare.problems import SpecError
from engine.declare.types import Endpoint
from engine.pagination.offset import Offset
from engine.pagination.single import Single
from engine.requests import Request
from engine.spec.configuration import ConfigurationError
from engine.spec.load import ResolvedSpec, load, resolve
from tests.shop import STREAMS, connection
from tests.specs import edited, shipped, shipped_with


def test_settings_are_filled_in(tmp_path: Path) -> None:
    """The connection's value replaces ${name}; that of an integer setting is an integer."""
    filled = connection(tmp_path, "http://shop.test/api/", api_key="s3cret", batch_size="7")
    api = filled.spec.api
    assert api.base_url == "http://shop.test/api"  # without the trailing slash
    assert api.authentication == (Bearer(token="s3cret"),)
    assert filled.spec.streams["orders"].pagination == (Offset(page_size=7),)


def test_a_mistake_is_named_with_the_file_in_which_it_is(tmp_path: Path) -> None:
    """Also when a sync reads the file, whose path nobody passed on a command line."""
    (tmp_path / "streams.yaml").write_text("version: 2", "utf-8")
    with pytest.raises(SpecError, match=re.escape(f"{tmp_path / 'streams.yaml'}:1:")):
        resolve(tmp_path / "streams.yaml", {})


def test_defaults_and_empty_settings(tmp_path: Path) -> None:
    """An empty setting counts as absent, because Fivetran's form sends empty strings."""
    api = connection(tmp_path, "http://shop.test/api", api_key="", batch_size="").spec.api
    assert api.authentication == (Bearer(token=""),)
    assert api.pagination == Offset(page_size=100)
    assert api.lookback == timedelta(minutes=5)


def test_streams_inherit_from_the_api_or_override_it(tmp_path: Path) -> None:
    """A stream's own pagination and records take precedence."""
    text = edited(STREAMS, add={"streams.shops.pagination": "single", "streams.shops.records": "$.shops"})
    document = connection(tmp_path, "http://shop.test/api", text).spec
    assert document.streams["shops"].pagination == (Single(),)
    assert [path.text for path in document.streams["shops"].records.paths] == ["$.shops"]
    assert [path.text for path in document.streams["orders"].records.paths] == ["$", "$.results", "$.result"]
    assert document.streams["orders"].endpoint == Endpoint("POST", "/orders/filter")


def test_the_settings_behind_a_keypath_are_known(tmp_path: Path) -> None:
    """An error message can name the setting to check."""
    filled = connection(tmp_path, "http://shop.test/api")
    assert filled.settings_behind("api.authentication") == ("api_key",)
    assert filled.settings_behind("api.base_url") == ("api_url",)


def test_a_secret_is_in_no_repr(tmp_path: Path) -> None:
    """A traceback or crash report that shows the spec shows no token."""
    filled = connection(tmp_path, "http://shop.test/api", api_key="s3cret")
    assert "s3cret" not in repr(filled)


def test_an_alias_repeats_a_block(tmp_path: Path) -> None:
    """Streams can share blocks by YAML's anchors."""
    body = {"sort": "ID_DESC", "x": [1, None]}
    text = edited(STREAMS, replace={"streams.orders.body": body}, add={"streams.shops.body": body})
    assert text.count("&id001") == text.count("*id001") == 1
    document = connection(tmp_path, "http://shop.test/api", text).spec
    assert document.streams["shops"].body == {"sort": "ID_DESC", "x": [1, None]}


MERGES = """
version: 1
name: Shop
api:
  base_url: http://shop.test
  pagination: &pages {style: offset, page_size: 50}
streams:
  orders: &orders
    description: One row per order.
    endpoint: GET /orders
    primary_key: id
    sync_mode: full_refresh
    query: &query {sort: id, tags: [a, 1]}
    fields:
      id: $.id
      <<: &times
        created: {path: $.created, type: UTC_DATETIME}
        updated: {path: $.updated, type: UTC_DATETIME}
      name: $.name
  shops:
    endpoint: GET /shops
    <<: *orders
    pagination: {<<: *pages, query: {max: $size}}
    query: {<<: [{sort: name, "<<": kept}, *query]}
    fields: {<<: *times, updated: $.changed, id: $.id}
"""


def test_merge_keys_copy_the_keys_of_anchors(tmp_path: Path) -> None:
    """Own keys win over merged ones, earlier merges over later ones. Merged columns come in the place of the merge."""
    path = tmp_path / "streams.yaml"
    path.write_text(MERGES, "utf-8")
    orders, shops = load(path).streams.values()
    assert list(orders.fields) == ["id", "created", "updated", "name"]
    assert (shops.description, str(shops.endpoint)) == ("One row per order.", "GET /shops")
    assert shops.pagination == (Offset(page_size=50, query={"max": "$size"}),)
    assert shops.query == {"sort": "name", "<<": "kept", "tags": ["a", 1]}
    assert {name: column.type for name, column in shops.fields.items()} == {
        "created": "UTC_DATETIME",
        "updated": "STRING",
        "id": "STRING",
    }
    assert list(shops.fields) == ["created", "updated", "id"]


def test_a_mistake_in_a_merged_block_is_placed_in_the_anchor(tmp_path: Path) -> None:
    """It is reported for every stream that merges the block, at the text to change."""
    path = tmp_path / "streams.yaml"
    path.write_text(MERGES.replace("primary_key: id", "primary_key: number"), "utf-8")
    with pytest.raises(SpecError) as caught:
        load(path)
    line = 1 + MERGES[: MERGES.index("primary_key")].count("\n")
    assert [(problem.line, problem.keypath) for problem in caught.value.problems] == [
        (line, "streams.orders.primary_key"),
        (line, "streams.shops.primary_key"),
    ]


def test_every_mistake_of_a_configuration_at_once_and_no_value(tmp_path: Path) -> None:
    """All mistakes, each with the setting's name and what is expected, and none of the values."""
    path = tmp_path / "streams.yaml"
    path.write_text(STREAMS, "utf-8")
    wrong = {"api_url": "shop.CANARY1", "api_key": "CANARY2\n", "batch_size": "CANARY3", "api_kee": "CANARY4", "x": 5}
    with pytest.raises(ConfigurationError) as caught:
        resolve(path, wrong)
    text = str(caught.value)
    assert "CANARY" not in text
    assert [line.split(":")[0].strip() for line in text.splitlines()[1:]] == [
        "api_kee",
        "x",
        "api_url",
        "api_key",
        "batch_size",
    ]
    assert 'api_kee: unknown setting; did you mean "api_key"?' in text
    assert "batch_size: expected an integer; found something else (7 characters)" in text


@pytest.mark.parametrize("path", ["$.${api_key}[", "${api_key}"])
def test_a_message_does_not_repeat_a_setting(tmp_path: Path, path: str) -> None:
    """A value from the configuration may be a secret, also if it is part of a JSONPath that does not parse."""
    with pytest.raises(SpecError) as caught:
        connection(
            tmp_path, "http://shop.test", edited(STREAMS, replace={"streams.orders.fields.id": path}), api_key="CANARY"
        )
    assert "expected a JSONPath, which starts with $, found something else in" in str(caught.value)
    assert "CANARY" not in str(caught.value)


def prefect(folder: Path, url: str, **settings: str) -> ResolvedSpec:
    """The project's own streams.yaml with settings, and with one of its streams."""
    return connection(folder, url, shipped_with("flows"), **settings)


URLS = [
    ("https://api.prefect.cloud/api/accounts/a/workspaces/w", True),
    ("http://127.0.0.1:4200/api/", True),
    ("http://[::1]:4200/api", True),
    ("https://user:password@host/api", False),
    ("https://host/api?key=1", False),
    ("host:4200/api", False),
    ("ftp://host/api", False),
    ("http://host/a b", False),
    ("https://api.prefect.cloud/api", False),
    ("https://app.prefect.cloud/account/a/workspace/w", False),
    ("https://api.prefect.cloud/api/accounts/a", False),
    ("http://api.prefect.cloud/api/accounts/a/workspaces/w", False),
    ("https://prefect.cloud.example.com/api", True),
    ("https://notprefect.cloud/api", True),
    ("https://API.prefect.cloud:443/api/accounts/a/workspaces/w", True),
    ("http://API.PREFECT.CLOUD/api/accounts/a/workspaces/w", False),
    ("http://api.prefect.cloud:80/api/accounts/a/workspaces/w", False),
    ("http://api.prefect.cloud:8080/api/accounts/a/workspaces/w", False),
    ("http://api.prefect.cloud./api/accounts/a/workspaces/w", False),
    ("http://api%2Eprefect.cloud/api/accounts/a/workspaces/w", False),
    ("http://api.prefect\u3002cloud/api/accounts/a/workspaces/w", False),
    ("http://prefect.cloud/api", False),
    ("https://api.prefect.cloud.:443/api", False),
    ("http://[::1/api", False),
    ("http://host:99999/api", False),
    ("http://host:port/api", False),
]


def test_the_form_of_a_url(tmp_path: Path) -> None:
    """A URL has no credentials (they would be logged), query or fragment. That of Prefect Cloud names a workspace."""
    for url, fine in URLS:
        try:
            prefect(tmp_path, url)
        except ConfigurationError as error:
            assert not fine, url
            assert "accounts/ACCOUNT_ID/workspaces/WORKSPACE_ID" in str(error)
        else:
            assert fine, url


@pytest.mark.parametrize(
    ("size", "fine"), [("1", True), ("200", True), ("", True), ("0", False), ("201", False), ("1e2", False)]
)
def test_the_bounds_of_batch_size(tmp_path: Path, size: str, fine: bool) -> None:
    """Prefect serves at most 200 rows a page."""
    if fine:
        prefect(tmp_path, "http://host/api", batch_size=size)
    else:
        with pytest.raises(ConfigurationError, match="batch_size: expected an integer from 1 to 200"):
            prefect(tmp_path, "http://host/api", batch_size=size)


def test_a_url_without_api_is_a_warning(tmp_path: Path) -> None:
    """It is used as it is: a proxy may serve the API at another path."""
    settings = prefect(tmp_path, "http://127.0.0.1:4200").settings
    assert len(settings.warnings) == 1
    assert "/api" in settings.warnings[0]


def test_the_tables_that_users_build_on() -> None:
    """The columns that downstream models rely on keep their names and types."""
    streams = shipped().streams
    promised = {
        "flows": {"id": "STRING", "name": "STRING", "tags": "JSON", "updated": "UTC_DATETIME"},
        "flow_runs": {
            **dict.fromkeys(["id", "name", "state_type", "flow_id", "deployment_id"], "STRING"),
            **dict.fromkeys(["start_time", "end_time", "updated"], "UTC_DATETIME"),
            "parameters": "JSON",
        },
        "deployments": {
            **dict.fromkeys(["id", "name", "flow_id"], "STRING"),
            "schedule": "JSON",
            "schedules": "JSON",
            "updated": "UTC_DATETIME",
        },
    }
    for name, columns in promised.items():
        fields = streams[name].fields
        assert {column: fields[column].type for column in columns} == columns
        assert streams[name].primary_key == ("id",)
    modes = {name: stream.sync_mode for name, stream in streams.items()}
    kept = {"flows": "incremental", "flow_runs": "incremental", "deployments": "full_refresh"}
    assert kept.items() <= modes.items()


@pytest.mark.parametrize(
    ("type_", "value", "key"),
    [
        ("text", "CANARY-1", "concurrency"),
        ("integer", "4242424242", "concurrency"),
        ("text", "CANARY-1", "base_url"),
        ("integer", "4242424242", "openapi"),
        ("text", "CANARY-1", "pagination"),
    ],
)
def test_a_setting_in_the_wrong_place_is_not_repeated(tmp_path: Path, type_: str, value: str, key: str) -> None:
    """A secret that is used where an integer, a URL or a style belongs must not end up in a log."""
    api = {"base_url": "http://127.0.0.1/api", "pagination": "offset", key: "${secret}"}
    secret = f"{{description: A secret., secret: true, type: {type_}}}"
    stream = "{description: One., endpoint: POST /x, primary_key: id, sync_mode: full_refresh, fields: {id: $.id}}"
    lines = [f"  {name}: {text}" for name, text in api.items()]
    text = [
        "version: 1",
        "name: Shop",
        "configuration:",
        f"  secret: {secret}",
        "api:",
        *lines,
        "streams:",
        f"  x: {stream}",
    ]
    path = tmp_path / "streams.yaml"
    path.write_text("\n".join(text), "utf-8")
    with pytest.raises(SpecError) as caught:
        resolve(path, {"secret": value})
    assert "${secret}" in str(caught.value)
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://prefect.internal:4200/api", True),
        ("http://10.0.0.1/api", True),
        ("http://[2001:db8::1]:4200/api", True),
        ("http://localhost.example.com/api", True),
        ("https://prefect.internal/api", False),
        ("http://LOCALHOST.:4200/api", False),
        ("http://127.9.9.9:4200/api", False),
        ("http://[::1]:4200/api", False),
        ("http://[::ffff:127.0.0.1]:4200/api", False),
    ],
)
def test_credentials_over_plain_http_are_a_warning(tmp_path: Path, url: str, warned: bool) -> None:
    """Unless they stay on this machine. It names what is sent, without its value."""
    for credentials in ({"api_key": "pnu_1234"}, {"auth_string": "me:secret"}, {"headers": "X-Key: secret"}, {}):
        warnings = prefect(tmp_path, url, **credentials).warnings
        expected = [f"http:// sends {name} unencrypted to" for name in credentials if warned]
        assert [words for words in expected if not any(words in warning for warning in warnings)] == []
        assert len(warnings) == len(expected)


@pytest.mark.parametrize("word", ["$ecret", "pa$$word", "$since", "$(since)", "a$b"])
def test_a_dollar_in_a_setting_is_no_variable(tmp_path: Path, word: str) -> None:
    """A setting is sent as it was entered, as a whole value and inside a longer string."""
    text = edited(STREAMS, add={"streams.shops.query": {"key": "${api_key}", "text": "is ${api_key}"}})
    (tmp_path / "streams.yaml").write_text(text, "utf-8")
    spec = resolve(tmp_path / "streams.yaml", {"api_url": "https://shop.test", "api_key": word}).spec
    query = spec.streams["shops"].query
    assert Request(Endpoint("GET", "/shops"), query or {}).written_out().query == {"key": word, "text": f"is {word}"}
