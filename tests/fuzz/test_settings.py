"""streams.yaml, configuration.json and the state: what people and Fivetran hand over."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from engine.declare.problems import SpecError
from engine.declare.types import Endpoint
from engine.failures import Failure
from engine.http.client import Client
from engine.jsonpath import compile_path
from engine.pagination import Pagination
from engine.pagination.keyset import Keyset
from engine.pagination.link import Link
from engine.pagination.offset import Offset
from engine.pagination.page_number import PageNumber
from engine.pagination.single import Single
from engine.pagination.token import Token
from engine.requests import Request
from engine.spec.configuration import ConfigurationError
from engine.spec.load import load, resolve
from engine.state import StateError, load_state
from tests.fuzz.damage import damaged, tries
from tests.pagination.sent import in_response
from tests.shop import STREAMS, Lines

BROKEN = [path.read_text("utf-8") for path in sorted((Path(__file__).parents[1] / "spec" / "broken").glob("*/*.yaml"))]
SCRAPS = (*"{}[]:,#&*!|>'\"%@`", "- ", "? ", "<<: ", "\n", "\t", "\0", "${", "${api_key}", "$since", "---\n", "\ufeff")
ANY: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just([]) | st.just({})
)


@tries(60)
@given(damaged((STREAMS, *BROKEN), SCRAPS), st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16", "latin-1"]))
def test_any_file_is_a_spec_or_has_mistakes(tmp_path: Path, text: str, encoding: str) -> None:
    """Each mistake has a place in the file and one line of words."""
    path = tmp_path / "streams.yaml"
    path.write_bytes(text.encode(encoding, "replace"))
    try:
        load(path)
    except SpecError as error:
        assert len(str(error).split("\n")) == len(error.problems) > 0


URLS = ("http://127.0.0.1:4200/api", "https://api.prefect.cloud/api/accounts/a/workspaces/b", "http://[::1]:4200/api")
PARTS = (*"/:@?#[]%.\\", "..", "//", "localhost", ":99999", " ", "é", "\n", "xn--", "%zz", "a" * 70, "." * 3)
PEM = "-----BEGIN CERTIFICATE-----\nMIIBszCCARygAwIBAgIUQ==\n-----END CERTIFICATE-----\n"
DAMAGED: dict[str, st.SearchStrategy[Any]] = {
    "api_url": damaged(URLS, PARTS) | ANY,
    "api_key": st.text(max_size=12) | ANY,
    "batch_size": damaged(("100", "-5"), ("9" * 30, "٣", ".", " ")) | ANY,
    "streams": damaged(("all, -logs", "default", "flows,flow_runs"), ("-", ",", " ", "é")) | ANY,
    "extra_headers": damaged(("X-A: b", '{"X-A": "b"}'), (":", ";", "{", "\n")) | ANY,
    "ca_certificate": damaged((PEM, ""), ("=", "-----", "A")) | ANY,
    "proxy": damaged(("http://user:pass@proxy.test:3128", ""), PARTS) | ANY,
    "api_kye": st.text(max_size=3),
}
SETTINGS = st.sampled_from(["api_url", "api_url", "proxy", *DAMAGED]).flatmap(
    lambda name: st.fixed_dictionaries({"api_url": st.sampled_from(URLS), name: DAMAGED[name]})
)
SHIPPED = Path(__file__).parents[2] / "streams.yaml"


class Nowhere(HTTPAdapter):
    """In place of the network: every request gets a 404."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        response = requests.Response()
        response.request, response.status_code, response.url = request, 404, request.url or ""
        response.raw = HTTPResponse(BytesIO(b"{}"), {"Content-Type": "application/json"}, 404, preload_content=False)
        return response


@tries(15)
@given(SETTINGS)
def test_any_configuration_connects_or_has_mistakes(configuration: dict[str, Any]) -> None:
    """A client of it sends its requests: no value crashes it."""
    with pytest.MonkeyPatch.context() as patch, suppress(ConfigurationError, SpecError, Failure):
        patch.setattr(HTTPAdapter, "send", Nowhere.send)
        resolved = resolve(SHIPPED, configuration)
        with Client(resolved, Lines()) as client:
            client.send("flows", Request(Endpoint("POST", "/flows/filter"), body={}), lambda document: document)


INSTANT = "2024-05-01T10:00:00.000000Z"
API = "http://127.0.0.1:4200/api"
DOCUMENT: dict[str, Any] = {
    "version": 4,
    "api": API,
    "streams": {
        "runs": {
            "since": INSTANT,
            "recent": "czBtZStG",
            "pass": {"began": INSTANT, "position": INSTANT},
            "open": ["a", "b"],
            "reconcile": {
                "began": INSTANT, "previous": INSTANT, "position": None, "rows": 3, "newest": INSTANT, "total": 5
            },
            "covered": {"q": [f"{INSTANT}..{INSTANT}"]},
            "made_by": "x",
            "read_by": "y",
        },
        "flows": {"rows": {"digest": "d", "keys": ["AAAAAAAAAAAAAAAAAAAAAA=="], "versions": "czBtZStG"}},
        "pools": {"open": "AAAAAAAAAAAAAAAAAAAAAA=="},
    },
}  # fmt: skip


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to all values inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*above, name)
        yield from places(inner, (*above, name))


PLACES = [*places(DOCUMENT)]
VALUES = (
    ANY
    | st.sampled_from([INSTANT, "0001-01-01T00:00:00+23:00", "2024-05-01", "soon", "....", "AAAA", "ü", "http://[x", 2])
    | st.sampled_from([float("inf"), 1e300, 10**400, [[1]], {"began": INSTANT}, ["a", "a"], [None], "1" * 5000])
)


@tries(1000)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES | st.just(...)), max_size=3))
def test_any_state_is_read_or_refused(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    """What is read is written, and reads as the same state."""
    document = copy.deepcopy(DOCUMENT)
    for (*above, last), value in changes:
        with suppress(KeyError, TypeError, IndexError):
            parent: Any = document
            for step in above:
                parent = parent[step]
            if value is ...:
                del parent[last]
            else:
                parent[last] = copy.deepcopy(value)
    try:
        state = load_state(document, API)
    except StateError:
        return
    written = json.dumps(state.dump())
    assert json.dumps(load_state(json.loads(written), API).dump()) == written


STYLES = (
    Keyset(field=compile_path("$.at"), body={"after": "$from", "before": "$to"}),
    Offset(),
    PageNumber(),
    Link(),
    Token(token=in_response("$.next"), query={"token": "$token"}),
    Single(),
)
POSITIONS = (f"{INSTANT}..{INSTANT}", "1200@%5B%22a%22%5D", "7", "http://x.test/?page=2", "..")


@tries(200)
@given(damaged(POSITIONS, ("@", "..", "%5B", "%22", "[" * 50, "-", "9" * 30, "٣", "\0")), st.sampled_from(STYLES))
def test_any_position_is_a_place_or_the_start(position: str, style: Pagination) -> None:
    """That of another style is none."""
    request = Request(Endpoint("POST", "/x"), body={})
    assert isinstance(style.paginate(request, position).request, Request)


def test_the_seeds_are_right() -> None:
    """What is damaged above was whole."""
    assert load_state(DOCUMENT, API).streams.keys() == {"runs", "flows", "pools"}
    with pytest.raises(StateError):
        load_state({"version": 9}, API)
