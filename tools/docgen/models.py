"""docs/models.md: the models of the dbt package with their questions, a query each and their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

DESCRIBED: Final = Path("dbt/models/prefect.yml")
"""The file that describes the models, from the project's folder."""


def page(project: Path) -> str:
    """The whole page, in Markdown."""
    return "".join(_page(models(project)))


def models(project: Path) -> list[Mapping[str, Any]]:
    """The models that answer questions, as the package describes them. Each has a query in ``config.meta``."""
    described = yaml.safe_load((project / DESCRIBED).read_text("utf-8"))["models"]
    return [model for model in described if "query" in model.get("config", {}).get("meta", {})]


def _page(found: list[Mapping[str, Any]]) -> Iterator[str]:
    yield f"# Models of the dbt package\n\nGenerated from {DESCRIBED} by `python -m engine generate`. "
    yield "[dbt/README.md](../dbt/README.md) shows how to build them.\n\n| Model | Answers |\n| --- | --- |\n"
    for model in found:
        question, _, _ = model["description"].partition("?")
        yield f"| [{model['name']}](#{model['name']}) | {question}? |\n"
    for model in found:
        yield f"\n## {model['name']}\n\n{model['description']}\n\n```sql\n{model['config']['meta']['query']}```\n\n"
        yield "| Column | Meaning |\n| --- | --- |\n"
        for column in model["columns"]:
            yield f"| {column['name']} | {column['description']} |\n"
