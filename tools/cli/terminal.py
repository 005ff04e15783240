"""Colors and tables for a terminal, and plain lines for a pipe or file."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any, Final, TextIO

from engine.log import escaped

_CODES: Final = {"red": "31", "yellow": "33", "green": "32", "dim": "2", "bold": "1"}
PLAIN_WIDTH: Final = 160
"""Characters in a line of a table in a pipe or file."""


class TerminalStyle:
    """Colors for an output stream: only in a terminal, unless NO_COLOR (https://no-color.org) or TERM=dumb is set."""

    def __init__(self, stream: TextIO) -> None:
        self.terminal = stream.isatty()
        self._colors = self.terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def __call__(self, color: str, text: str) -> str:
        """The text in a color, in bold, or dimmed."""
        return f"\x1b[{_CODES[color]}m{text}\x1b[0m" if self._colors else text

    @property
    def width(self) -> int:
        """How many characters fit in a line."""
        return shutil.get_terminal_size().columns if self.terminal else PLAIN_WIDTH


def clean(text: str) -> str:
    """The text on one line, with control characters as escapes, so that no value can control the terminal."""
    return printable(escaped(text))


def printable(text: str) -> str:
    """The text, with escapes in place of the characters that the output's encoding lacks, as in cp1252 or ASCII."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def to_json(value: Any, **options: Any) -> str:
    """JSON in ASCII if the output's encoding is not UTF-8, so that escapes are those of JSON."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("_", "-")
    return json.dumps(value, ensure_ascii=encoding not in ("utf-8", "utf8"), **options)


def never_fail_to_print() -> None:
    """Let output that was not made printable have escapes in place of what its encoding lacks, and no exception."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def width(text: str) -> int:
    """The columns that the text takes in a terminal: two for a wide character, none for a combining mark."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut(text: str, most: int) -> str:
    """The text, or as much of it as fits, with an ellipsis."""
    if width(text) <= most:
        return text
    kept, ellipsis = "", "…" if printable("…") == "…" else "..."
    for character in text:
        if width(kept + character) > most - len(ellipsis):
            break
        kept += character
    return f"{kept}{ellipsis}"


def pad(text: str, columns: int) -> str:
    """The text, padded to a width."""
    return text + " " * max(0, columns - width(text))


def aligned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The cells of rows, padded so that columns align."""
    widths = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [[pad(cell, wide) for cell, wide in zip(row, widths, strict=True)] for row in rows]
