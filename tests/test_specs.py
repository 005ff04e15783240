"""The builder of the tests' specs."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.specs import edited

TEXT = "api: {retry: {attempts: 4}, records: [$, $.rows]}"


def test_values_are_added_replaced_and_removed() -> None:
    """At paths through mappings and lists; a block can be removed and added under another key."""
    text = edited(TEXT, add={"api.again": {"attempts": 5}}, replace={"api.records.1": "$.items"}, remove=["api.retry"])
    assert yaml.safe_load(text) == {"api": {"records": ["$", "$.items"], "again": {"attempts": 5}}}


@pytest.mark.parametrize(
    "edit",
    [
        {},
        {"remove": ["api.retries"]},
        {"remove": ["api.records.2"]},
        {"replace": {"api.retry.attempt": 5}},
        {"replace": {"api.retry.attempts": 4}},
        {"add": {"api.retry": {}}},
        {"add": {"api.retries.attempts": 5}},
    ],
)
def test_an_edit_that_changes_nothing_is_an_error(edit: dict[str, Any]) -> None:
    """A test would otherwise pass with the spec that it meant to change."""
    with pytest.raises((LookupError, AssertionError)):
        edited(TEXT, **edit)
