"""Colors and tables for a terminal, and plain lines for a pipe or file."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Sequence
from typing import Final, TextIO

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
    return escaped(text)


def width(text: str) -> int:
    """The columns that the text takes in a terminal: two for a wide character, none for a combining mark."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut(text: str, most: int) -> str:
    """The text, or as much of it as fits, with an ellipsis."""
    if width(text) <= most:
        return text
    kept = ""
    for character in text:
        if width(kept + character) > most - 1:
            break
        kept += character
    return f"{kept}…"


def pad(text: str, columns: int) -> str:
    """The text, padded to a width."""
    return text + " " * max(0, columns - width(text))


def aligned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The cells of rows, padded so that columns align."""
    widths = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [[pad(cell, wide) for cell, wide in zip(row, widths, strict=True)] for row in rows]
