"""The files of the tools, one for each API: where they are, how long they are, and what they say at their beginning."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from dev.testbed.prefect_server import PROJECT

OURS: Final = "ours"
TOOLS: Final[Mapping[str, str]] = {OURS: ".venv", "dlt": ".venv-bench", "airbyte": ".venv-bench"}
"""The tools, each with its environment."""
_HERE: Final = Path(__file__).parent


def path_of(tool: str, name: str) -> Path:
    """The file of a tool for an API."""
    if tool == OURS:
        return PROJECT / "examples" / name / "streams.yaml"
    return _HERE / tool / f"{name}{'.py' if tool == 'dlt' else '.yaml'}"


def lines_of(tool: str, name: str) -> tuple[int, int]:
    """How many lines a file has, without those that declare settings and columns, and with them.

    Comments, blank lines and a docstring do not count.
    """
    text = path_of(tool, name).read_text("utf-8")
    if tool == "dlt":
        text = text.replace(f'"""{ast.get_docstring(ast.parse(text), clean=False)}"""', "")
        text = text.replace("from __future__ import annotations", "")
    code = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return len(_without_columns(code) if tool == OURS else code), len(code)


def _without_columns(lines: Sequence[str]) -> Sequence[str]:
    kept, within = [], -1
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if within >= 0 and indent > within:
            continue
        within = indent if re.match(r" *(fields|configuration):", line) else -1
        if within < 0:
            kept.append(line)
    return kept


def note_of(tool: str, name: str) -> str:
    """What the file of another tool says about what it cannot do, or does in a way of its own."""
    text = path_of(tool, name).read_text("utf-8")
    if tool == "dlt":
        return " ".join((ast.get_docstring(ast.parse(text)) or "").split())
    return text.partition("\n")[0].removeprefix("#").strip() if tool == "airbyte" and text.startswith("#") else ""
