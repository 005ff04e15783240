"""What the tools hold against an API is what a sync sends to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.pagination import PAGINATION
from engine.pagination.keyset import Keyset
from engine.spec.dialect import Spec
from engine.spec.load import load, resolve
from engine.state import load_state
from engine.sync import sync
from tests.conftest import MAJORS
from tests.readme import PROJECT
from tests.shop import Lines, Recorder
from tools.request_forms import KEYS, _pages, request_forms

Keys = frozenset[tuple[str, ...]]


def keys(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every key that holds no further keys."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from keys(inner, (*path, name))
    elif path:
        yield path


def declared(document: Spec) -> dict[tuple[str, str], list[Keys]]:
    """By method and path, the keys of every form of request that the document's streams declare."""
    forms: dict[tuple[str, str], list[Keys]] = {}
    for stream in document.streams.values():
        for template in request_forms(document, stream):
            found = frozenset(key for sent in (*template.sent, *template.query) for key in keys(sent.values))
            forms.setdefault((template.endpoint.method, template.endpoint.path), []).append(found)
    return forms


@pytest.mark.parametrize("major", MAJORS)
def test_every_request_of_a_sync_is_one_that_is_told(major: int, configurations: dict[int, Path]) -> None:
    """A first sync and one for changes, through a proxy: no endpoint and no key that the templates do not have."""
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
        gone = replace(runs, open=runs.open | {KEYS[0]})  # a run that was open and is no more is looked up
        sync(connection, state.with_stream("flow_runs", gone).dump(), recorder, Lines())
    assert before > 3
    assert "/api/events/filter" in {seen.path for seen in proxy.seen[before:]}  # changes were asked for
    forms, streams = declared(connection.spec), connection.spec.streams
    keysets = [streams[name].pagination[0] for name in ("flow_runs", "task_runs")]
    bounds = {tuple(keyset.after.split(".")) for keyset in keysets if isinstance(keyset, Keyset)}
    for seen in proxy.seen:
        told = forms[seen.method, seen.path.removeprefix("/api")]
        sent = frozenset([*keys(seen.json), *((name,) for name in seen.query)])
        first = [sent | {bound} for bound in bounds]  # the first page of a keyset has no bound yet
        assert sent in told or any(with_bound in told for with_bound in first), (seen.method, seen.path, sorted(sent))


def test_the_requests_of_every_pagination_style_are_described() -> None:
    """`check` would fail on a style that it does not know how to describe."""
    for block in PAGINATION.blocks.values():
        assert _pages.dispatch(block) is not _pages.dispatch(object), block


def test_no_form_is_told_twice() -> None:
    """Each place of streams.yaml is walked once."""
    document = load(PROJECT / "streams.yaml")
    told = [template for stream in document.streams.values() for template in request_forms(document, stream)]
    assert all(told.count(template) == 1 for template in told)
    assert len(told) >= 15
