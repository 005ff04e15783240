"""docs/comparison.md agrees with the results in docs/comparison.json, and these with the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.comparison.__main__ import PAGE, load
from dev.comparison.apis import CASES
from dev.comparison.case import Case
from dev.comparison.files import OURS, TOOLS, path_of
from dev.comparison.harder import HARDER
from dev.comparison.measure import Result, ToolFailed, measure
from dev.comparison.page import REASONS, fewer, page
from dev.comparison.tools import ours
from tests.effort import some
from tests.in_process import InProcess

RESULTS = load()


def test_the_page_is_fresh() -> None:
    """It is what `make comparison ARGS=--page` writes from the results and the files of the other tools."""
    assert PAGE.read_text("utf-8") == page(RESULTS)


def test_every_tool_has_a_file_and_a_result_for_every_api() -> None:
    """So none is left out where it does badly."""
    assert list(RESULTS.apis) == list(CASES)
    for name, api in RESULTS.apis.items():
        assert list(api.tools) == list(TOOLS)
        assert all(path_of(tool, name).exists() for tool in TOOLS)


@pytest.mark.parametrize("words", [words for words in HARDER if "rejected" not in words])  # that one waits
def test_the_connector_does_what_is_harder(words: str, tmp_path: Path) -> None:
    """Every row arrives, in as many requests as published."""
    name, make = HARDER[words]
    result, published = synced(name, make(), tmp_path), RESULTS.harder[words][OURS]
    assert result.works
    assert (result.rows, result.requests) == (published.rows, published.requests)


def test_the_connector_reports_every_mistake() -> None:
    """Other tools succeed with some, without the rows."""
    for mistake, outcomes in RESULTS.mistakes.items():
        assert list(outcomes) == list(TOOLS)
        assert outcomes[OURS].said, mistake


def test_the_page_says_where_another_tool_is_better_and_why() -> None:
    """An API where another tool sends fewer rows or requests has a reason, and no other has."""
    assert {name for name, api in RESULTS.apis.items() if fewer(api)} == set(REASONS)


def synced(name: str, case: Case, folder: Path) -> Result:
    """What the connector sends and requests, without processes and sockets."""
    with InProcess(case.api):
        return measure(
            case,
            lambda: ours.sync(str(path_of(OURS, name)), InProcess.url, "", str(folder), case.settings),
            mapped=True,
        )


@pytest.mark.parametrize("name", some([*CASES]))
def test_the_connector_does_what_the_page_says(name: str, tmp_path: Path) -> None:
    """It finds every row, sends those that changed, and needs as many requests as published."""
    result, published = synced(name, CASES[name](), tmp_path), RESULTS.apis[name].tools[OURS]
    assert result.works
    assert (result.rows, result.requests) == (published.rows, published.requests), "make comparison ARGS=--ours"


def test_rows_that_do_not_arrive_count(tmp_path: Path) -> None:
    """What is not sent is missing, what is sent as it was is not found, and a tool that fails has no success."""
    case = CASES["slack"]()
    users = [("users", {"id": key}) for key in case.keys["users"]]
    result = measure(case, lambda: users, mapped=True)
    assert (result.missing, result.not_found) == (234, 1)
    assert not result.works

    def fail() -> list[tuple[str, object]]:
        raise ToolFailed("401")

    assert not measure(CASES["slack"](), fail, mapped=True).works
