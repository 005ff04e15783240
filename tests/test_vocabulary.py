"""The project speaks the field's language: words that it once had for things that have a name do not come back."""

from __future__ import annotations

import re
import subprocess

from tests.readme import PROJECT

INSTEAD = {
    r"\b[Ss]weep(s|ing)?\b|\bswept\b": "reconciliation, reconcile",
    r"\boverlap:|`overlap`|\b_?overlap\b(?= (of|window))": "lookback",
    r"\bnamed_by\b": "change_feed",
    r"\bmoves_with\b": "filters_by",
    r"\bread: \{?style\b|style: changes\b": "incremental",
    r"\bties:": "tie_breaker",
    r"\bWalks?\b|\bwalk over\b|\ba walk\b": "paginator",
    r"\bAnswers? with\b|\banswers? with\b|\banswered with\b": "returns",
    r"\bwho asks\b": "credentials, the caller",
    r"\bwhole numbers?\b": "integer",
    r"\btruth value\b": "boolean",
    r"\b[Mm]isfits?\b": "type mismatch",
    r"\buntold\b|\bPagesTold\b|\bReadsTold\b": "undescribed",
    r"\bUndeclared\b|\bRefused\b(?!\")|\bRefusals\b|\bNoAnswer\b|\bDiscreet\b": "engine/failures.py, http, log",
    r"\b(its|whose|the) rooms?\b": "package",
    r"\bby themselves\b|\bby itself\b": "on its own, automatically",
    r"\b[Aa] text\b|\btexts\b": "string",
    r"\bmade anew\b|\bwrite anew\b|\bbegins? anew\b": "again, rewrite, start over",
    r"\ball else\b": "everything else",
    r"\bnothing tells\b|\bis told\b|\bare told\b": "reports, logs",
    r"\bfor want of\b": "without",
}
EXEMPT = {
    "tests/test_vocabulary.py",
    "engine/spec/renamed.py",  # what validate says of former names
    "engine/state/__init__.py",  # reads the documents of earlier versions
    "tests/state/test_earlier_versions.py",
    "tests/spec/broken/structure/former_names.yaml",
    "tests/spec/broken/structure/former_names.txt",
    "CHANGELOG.md",
}


def test_former_words_do_not_come_back() -> None:
    """A reader who knows Airbyte, dlt, Singer or Fivetran recognizes every name."""
    files = subprocess.run(["git", "ls-files"], cwd=PROJECT, check=True, capture_output=True, text=True).stdout.split()
    found = [
        f"{file}:{number}: {match[0]!r}; instead: {instead}"
        for file in files
        if file not in EXEMPT and "requirements" not in file and (PROJECT / file).suffix not in (".svg", ".json", ".db")
        for number, line in enumerate((PROJECT / file).read_text("utf-8").splitlines(), start=1)
        for pattern, instead in INSTEAD.items()
        if (match := re.search(pattern, line))
    ]
    assert not found, "\n" + "\n".join(found)
