"""The project speaks the field's language: words that it once had for things that have a name do not come back."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

from tests.readme import PROJECT

FORMER = {
    "reconciliation, reconcile": ["sweep", "Sweep", "sweeps", "Sweeps", "sweeping", "Sweeping", "swept"],
    "lookback": ["overlap:", "`overlap`", "overlap of", "overlap window", "_overlap of", "_overlap window"],
    "change_feed": ["named_by"],
    "filters_by": ["moves_with"],
    "incremental": ["read: style", "read: {style", "style: changes"],
    "tie_breaker": ["ties:"],
    "paginator": ["Walk", "Walks", "walk over", "a walk"],
    "returns": ["Answer with", "Answers with", "answer with", "answers with", "answered with"],
    "credentials, the caller": ["who asks"],
    "integer": ["whole number", "whole numbers"],
    "boolean": ["truth value"],
    "type mismatch": ["misfit", "Misfit", "misfits", "Misfits"],
    "undescribed": ["untold", "PagesTold", "ReadsTold"],
    "engine/failures.py, http, log": ["Undeclared", "Refused", "Refusals", "NoAnswer", "Discreet"],
    "package": ["its room", "its rooms", "whose room", "whose rooms", "the room", "the rooms"],
    "on its own, automatically": ["by themselves", "by itself"],
    "string": ["a text", "A text", "texts"],
    "again, rewrite, start over": ["made anew", "write anew", "begin anew", "begins anew"],
    "everything else": ["all else"],
    "reports, logs": ["nothing tells", "is told", "are told"],
    "without": ["for want of"],
}
"""What to write, and the words that it replaced."""
NO_PROSE = {".svg", ".png", ".json", ".db"}
EXEMPT = {
    "tests/test_vocabulary.py",
    "engine/spec/renamed.py",  # what validate says of former names
    "engine/state/__init__.py",  # reads the documents of earlier versions
    "tests/state/test_earlier_versions.py",
    "tests/spec/broken/structure/former_names.yaml",
    "tests/spec/broken/structure/former_names.txt",
    "CHANGELOG.md",
}


def former_words_in(text: str) -> Iterator[str]:
    """Their lines, with what to write instead."""
    for instead, words in FORMER.items():
        for word in words:
            if word in text:  # in a tenth of the time of a regular expression
                for found in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text):
                    yield f"{text.count(chr(10), 0, found.start()) + 1}: {word!r}; instead: {instead}"


def test_former_words_do_not_come_back() -> None:
    """A reader who knows Airbyte, dlt, Singer or Fivetran recognizes every name."""
    files = subprocess.run(["git", "ls-files"], cwd=PROJECT, check=True, capture_output=True, text=True).stdout.split()
    found = [
        f"{file}:{line}"
        for file in files
        if file not in EXEMPT and "requirements" not in file and (PROJECT / file).suffix not in NO_PROSE
        for line in former_words_in((PROJECT / file).read_text("utf-8"))
    ]
    assert not found, "\n" + "\n".join(found)
