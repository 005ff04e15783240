"""A new project for another API: the files it starts with, beside this module, and those it takes over from here."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Final

from tools.cli.options import PROJECT

_TEMPLATES: Final = Path(__file__).parent
_TAKEN_OVER: Final = ("connector.py", "engine", "tools", "docs/recipes.md", "LICENSE", ".gitignore")
_LEFT_OUT: Final = ("__pycache__", "report")  # tools/report is about the models of dbt/


def slug(name: str) -> str:
    """A name for folders and connections: ``Acme Shop`` is ``acme_shop``.

    >>> slug("Acme Shop, EU"), slug("Größe")
    ('acme_shop_eu', 'gr_e')
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def start(folder: Path, name: str, url: str, openapi: str | None) -> None:
    """Write the files of a project into an empty or new folder.

    Args:
        folder: The folder.
        name: The API's name.
        url: Its base URL.
        openapi: The path of its OpenAPI document below the base URL.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in _TAKEN_OVER:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if (PROJECT / path).is_dir():
            shutil.copytree(PROJECT / path, folder / path, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        else:
            shutil.copyfile(PROJECT / path, folder / path)
    values = {"$NAME": name, "$URL": url, "$SLUG": slug(name), "$OPENAPI": openapi or ""}
    streams = _filled("streams.yaml", values)
    if openapi is None:
        streams = "".join(line for line in streams.splitlines(keepends=True) if not line.startswith("  openapi:"))
    workflow = folder / ".github" / "workflows" / "ci.yml"
    workflow.parent.mkdir(parents=True, exist_ok=True)
    (folder / "streams.yaml").write_text(streams, "utf-8")
    (folder / "README.md").write_text(_filled("README.md", values), "utf-8")
    workflow.write_text(_filled("ci.yml", values), "utf-8")
    (folder / "pyproject.toml").write_text(_pyproject(name), "utf-8")
    settings = json.dumps({"api_url": url, "api_key": ""}, indent=2)
    (folder / "configuration.json").write_text(f"{settings}\n", "utf-8")


def _filled(template: str, values: dict[str, str]) -> str:
    text = (_TEMPLATES / template).read_text("utf-8")
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text


def _pyproject(name: str) -> str:
    """What Fivetran installs, in the versions of this project."""
    (dependencies,) = re.findall(r"^dependencies = .*$", (PROJECT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    return f"""\
[project]
name = "{slug(name).replace("_", "-")}-fivetran-connector"
version = "0.1.0"
requires-python = ">=3.10"
{dependencies}

[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[tool.setuptools]
py-modules = [] # the connector runs from its folder; installing it installs its dependencies
"""
