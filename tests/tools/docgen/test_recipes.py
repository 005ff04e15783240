"""docs/recipes.md: each recipe is a piece of a file that validates, and its contents lead to recipes that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.readme import PROJECT, blocks
from tests.specs import dumped, parsed
from tests.tools.docgen.test_dialect import BASE, merged, validate

PAGE = (PROJECT / "docs" / "recipes.md").read_text("utf-8")
RECIPES = dict(re.findall(r"^## (.*)\n((?:(?!^## ).*\n)*)", PAGE, re.MULTILINE))


def test_there_are_many() -> None:
    """Each with YAML to paste."""
    assert len(RECIPES) >= 15
    assert all(blocks("yaml", text) for text in RECIPES.values())


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_validates(tmp_path: Path, title: str) -> None:
    """Each of its pieces, in a file that has the streams it belongs to."""
    for text in blocks("yaml", RECIPES[title]):
        validate(tmp_path, dumped(merged(parsed(BASE), parsed(text))))


def test_every_link_leads_to_a_recipe() -> None:
    """Within the page."""
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in RECIPES}
    linked = set(re.findall(r"\]\(#([^)]*)\)", PAGE))
    assert linked <= anchors
    assert len(linked) >= 10
