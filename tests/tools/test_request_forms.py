"""The requests that `check` compares with an API's document are those that a sync sends."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.spec.dialect import Spec
from engine.spec.load import load, resolve
from engine.state import load_state
from engine.sync import sync
from tests.conftest import MAJORS
from tests.readme import PROJECT
from tests.shop import STREAMS, Lines, Recorder
from tests.specs import edited, shipped
from tools.request_forms import KEYS, request_forms

Keys = frozenset[tuple[str, ...]]


def keys(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every innermost key."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from keys(inner, (*path, name))
    elif path:
        yield path


def declared(spec: Spec) -> dict[tuple[str, str], list[Keys]]:
    """The keys of every form of request that the streams send, by method and path."""
    forms: dict[tuple[str, str], list[Keys]] = {}
    for stream in spec.streams.values():
        for form in request_forms(spec, stream):
            found = frozenset(key for sent in (*form.sent, *form.query) for key in keys(sent.values))
            forms.setdefault((form.endpoint.method, form.endpoint.path), []).append(found)
    return forms


@pytest.mark.parametrize("major", MAJORS)
def test_every_request_of_a_sync_has_a_form(major: int, configurations: dict[int, Path]) -> None:
    """A first and a second sync send no endpoint or key that the forms lack, so `check` covers every request."""
    settings = json.loads(configurations[major].read_text("utf-8"))
    server = settings["api_url"].removesuffix("/api")

    def forward(seen: Seen) -> Reply:
        answer = requests.request(seen.method, server + seen.path, params=seen.query, json=seen.json, timeout=60)
        return Reply(status=answer.status_code, body=answer.content)

    recorder = Recorder()
    with Loopback(forward) as proxy:
        of_pools = "default, -work_queues, -workers"  # their paths hold names of pools
        connection = resolve(PROJECT / "streams.yaml", {**settings, "api_url": proxy.url, "streams": of_pools})
        sync(connection, {}, recorder, Lines())
        before = len(proxy.seen)
        state = load_state(recorder.state, proxy.url)
        runs = state.streams["flow_runs"]
        gone = replace(runs, open=runs.open | {KEYS[0]})  # a run that is no longer open is looked up
        sync(connection, state.with_stream("flow_runs", gone).dump(), recorder, Lines())
    assert before > 3
    assert "/api/events/filter" in {seen.path for seen in proxy.seen[before:]}  # the change feed was read
    forms = declared(connection.spec)
    bounds = {(name, "expected_start_time", "after_") for name in ("flow_runs", "task_runs")}
    for seen in proxy.seen:
        known = forms[seen.method, seen.path.removeprefix("/api")]
        sent = frozenset([*keys(seen.json), *((name,) for name in seen.query)])
        first = [sent | {bound} for bound in bounds]  # the first page of a keyset has no bound yet
        assert sent in known or any(with_bound in known for with_bound in first), (seen.method, seen.path, sorted(sent))


def test_no_form_is_repeated() -> None:
    """Each part of streams.yaml is checked once."""
    spec = shipped()
    forms = [form for stream in spec.streams.values() for form in request_forms(spec, stream)]
    assert all(forms.count(form) == 1 for form in forms)
    assert len(forms) >= 15


@pytest.mark.parametrize(
    ("pagination", "places"),
    [
        ({"style": "token", "last": "$.id", "more": "$.more", "query": {"t": "$token"}}, {"last", "more"}),
        ({"style": "token", "token": {"header": "X-Next"}, "end": "$.end", "query": {"t": "$token"}}, {"end"}),
        ({"style": "page_number", "pages": "$.pages", "total": "$.total"}, {"pages", "total"}),
        ({"style": "offset", "total": "$.total", "more": {"header": "X-More"}}, {"total"}),
        ({"style": "link", "link": "$.next", "end": "$.end"}, {"link", "end"}),
    ],
)
def test_the_places_of_a_pagination_in_a_response_are_checked(
    tmp_path: Path, pagination: dict[str, Any], places: set[str]
) -> None:
    """Those in a body: an OpenAPI document seldom has the headers. The path in a record starts at the record."""
    path = tmp_path / "streams.yaml"
    path.write_text(edited(STREAMS, replace={"api.pagination": pagination}), "utf-8")
    spec = load(path)
    expected = [
        one for stream in spec.streams.values() for form in request_forms(spec, stream) for one in form.expected
    ]
    found = {str(one.place[-1]): one.scope for one in expected if one.place[:2] == ("api", "pagination")}
    assert found == {name: "record" if name == "last" else "response" for name in places}
