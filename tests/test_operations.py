"""docs/operations.md explains every warning of the engine and no others, and its figures are those of the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.http import decoding
from engine.sync.writer import CHECKPOINT_ROWS, CHECKPOINT_SECONDS
from tests.readme import OPERATIONS as PAGE
from tests.readme import PROJECT
from tests.specs import shipped

EXPLAINED = re.findall(r"^\| `([^`]*)` \|", PAGE.split("## What the warnings mean")[1], re.MULTILINE)


def literal(node: ast.expr) -> str | None:
    """A string literal, with `…` for the variable parts of an f-string; None if the node is not a string."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return None


def warned(path: Path) -> Iterator[str]:
    """All warnings that a module logs."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            text = literal(node.args[0]) if node.func.attr == "warning" else None
            if text and re.search(r"\w", text):  # not what puts a stream's name in front of any warning
                yield text
        elif isinstance(node, ast.FunctionDef) and node.name == "mismatch_warnings":
            yield from (text for part in ast.walk(node) if isinstance(part, ast.JoinedStr) and (text := literal(part)))


@pytest.fixture(scope="module")
def warnings() -> set[str]:
    return {
        *(text for path in (PROJECT / "engine").rglob("*.py") for text in warned(path)),
        decoding.UNPAIRED_SURROGATES,
        decoding.NUL_CHARACTERS,
        decoding.UNSTORABLE_NUMBERS,
        *(setting.warn_unless.message for setting in shipped().configuration.values() if setting.warn_unless),
    }


def matches(explained: str, text: str) -> bool:
    """Whether a warning contains the words of an explained one, in the same order."""
    words = [re.escape(part.strip()) for part in explained.split("…") if part.strip()]
    return re.search(".*".join(words), text, re.DOTALL) is not None


def test_every_warning_is_explained(warnings: set[str]) -> None:
    assert [text for text in warnings if not any(matches(explained, text) for explained in EXPLAINED)] == []


def test_every_explained_warning_exists(warnings: set[str]) -> None:
    assert EXPLAINED
    assert [explained for explained in EXPLAINED if not any(matches(explained, text) for text in warnings)] == []


def test_what_the_page_says_about_streams_and_checkpoints_is_true() -> None:
    streams = shipped().streams
    off = {name for name, stream in streams.items() if not stream.enabled}
    named = " ".join(PAGE.split()).split("off by default, because they can be")[1].split("Switch them on")[0]
    assert set(re.findall(r"`(\w+)`", named)) < off
    assert streams["flow_runs"].sync_mode == "incremental"
    assert streams["deployments"].sync_mode == "full_refresh"
    assert f"every {CHECKPOINT_ROWS:,} rows or {CHECKPOINT_SECONDS:.0f}" in " ".join(PAGE.split())
