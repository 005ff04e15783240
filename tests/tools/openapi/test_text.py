"""The text of an OpenAPI document: JSON, or YAML as OpenAPI means it."""

from __future__ import annotations

from typing import Any

import pytest

from tools.openapi.text import NotReadable, read_document


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ('{"a": 1, "a b": [null, true]}', {"a": 1, "a b": [None, True]}),
        (
            "openapi: 3.0.3\ninfo: {version: 1.0, title: Shop}",
            {"openapi": "3.0.3", "info": {"version": 1.0, "title": "Shop"}},
        ),
        ("responses:\n  200: {description: fine}", {"responses": {"200": {"description": "fine"}}}),
        ("enum: [on, off, yes, no, NO, ~, null, true]", {"enum": ["on", "off", "yes", "no", "NO", None, None, True]}),
        ("example: 2024-05-01\ntime: 12:30:00", {"example": "2024-05-01", "time": "12:30:00"}),
        ("n: [1, -2, 0.5, 1e3, 0o7, 1_000]\nempty:", {"n": [1, -2, 0.5, 1000.0, "0o7", "1_000"], "empty": None}),
        ("a: &shared {b: 1}\nc: *shared", {"a": {"b": 1}, "c": {"b": 1}}),
    ],
)
def test_a_document_is_what_json_would_be(text: str, document: Any) -> None:
    """Keys are strings, and so is what only YAML 1.1 takes for a boolean or a date."""
    assert read_document(text.encode()) == document


@pytest.mark.parametrize(
    "text", ["", "<html><body>Sign in</body></html>", "- a list", "a: [", "a: !!python/name:os.system", "\x00"]
)
def test_other_text_is_refused(text: str) -> None:
    """A page, a list, and what no tool but Python reads."""
    with pytest.raises(NotReadable, match="neither JSON nor YAML"):
        read_document(text.encode())


def test_a_document_that_is_nested_without_end_is_refused() -> None:
    """No parser may exhaust the stack."""
    with pytest.raises(NotReadable, match="nested too deeply"):
        read_document(b'{"a":' * 10**5)
