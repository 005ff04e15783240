"""`check` finds no mistake in the examples: their APIs accept what it sends, and return what it looks for."""

from __future__ import annotations

import importlib

import pytest

from engine.http.client import Client
from tests.examples.example import EXAMPLES, Example
from tests.in_process import InProcess
from tests.shop import Lines
from tools.checking.against_records import check_samples
from tools.checking.findings import StreamFindings, read_file

NAMES = ("airflow", "github", "hubspot", "jira", "linear", "pagerduty", "paypal", "slack", "stripe", "zendesk")


@pytest.mark.parametrize("name", NAMES)
def test_check_finds_no_mistake(name: str) -> None:
    """Neither in the first rows and the pages after them, nor in the requests for changes and for rows by key."""
    module = importlib.import_module(f"tests.examples.test_{name}")
    api = getattr(module, name).__wrapped__()
    example: Example = module.connected(api)
    spec, log = example.resolved.spec, Lines()
    root = read_file(EXAMPLES / ("graphql" if name == "linear" else name) / "streams.yaml")
    results = {stream: StreamFindings(stream, root) for stream in spec.streams}
    with InProcess(api), Client(example.resolved, log) as client:
        unchecked = check_samples(client, spec, results, log, has_document=False)
    errors = [str(found) for result in results.values() for found in result.found if found.level == "error"]
    assert (errors, unchecked, log.warnings) == ([], [], [])
