"""docs/models.md: questions, queries and columns of the dbt package's models."""

from __future__ import annotations

import re

from tests.readme import PROJECT
from tools.docgen.models import models, page

PAGE = page(PROJECT)


def test_every_model_has_a_question_a_query_and_its_columns() -> None:
    """A model without them would not be in the page."""
    files = {path.stem for path in (PROJECT / "dbt" / "models").glob("*.sql")}
    assert {model["name"] for model in models(PROJECT)} == files
    for name in files:
        section = PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert re.match(r"\n[A-Z][^?]*\?", section), name
        assert f"from {name}\n" in section, name
        assert section.count("\n| ") >= 2, name
