"""What happens beside ordinary changes: each is a case of an API, with another change or another account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from dev.comparison.apis import CASES
from dev.comparison.case import Case
from dev.comparison.files import TOOLS
from dev.comparison.measure import Result, run
from tests.examples.stubs.api import DAY
from tests.examples.stubs.github import GitHub, secondary
from tests.examples.stubs.paypal import PayPal
from tests.examples.stubs.slack import Slack


def _new_repository() -> Case:
    case = CASES["github"]()
    api = case.api
    assert isinstance(api, GitHub)

    def change() -> Mapping[tuple[str, str], str]:
        api.add_repository("acme/new")
        api.add_issue("acme/new", api.ago(90 * DAY))
        return {("issues", "1300003001"): "Found a bug"}

    return replace(case, change=change)


def _throttled() -> Case:
    case = CASES["github"]()
    case.api.faults.append(secondary())
    return case


def _new_channel() -> Case:
    case = CASES["slack"]()
    api = case.api
    assert isinstance(api, Slack)

    def change() -> Mapping[tuple[str, str], str]:
        ts = api.post(api.add_channel("new"), api.ago(90 * DAY))
        return {("messages", ts): ts}

    return replace(case, change=change)


def _large_window() -> Case:
    case = CASES["paypal"]()
    assert isinstance(case.api, PayPal)
    case.api.most = 2
    return case


HARDER: Final[Mapping[str, tuple[str, Callable[[], Case]]]] = {
    "GitHub: a repository is added that has older issues": ("github", _new_repository),
    "GitHub: a request is rejected once, for too many (403)": ("github", _throttled),
    "Slack: the app joins a channel that has older messages": ("slack", _new_channel),
    "PayPal: a month has more results than a search returns": ("paypal", _large_window),
}
"""In words, and the API and its case."""


def results() -> Mapping[str, Mapping[str, Result]]:
    """What comes of each, by tool."""
    return {words: {tool: run(tool, name, make()) for tool in TOOLS} for words, (name, make) in HARDER.items()}
