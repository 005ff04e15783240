"""What a terminal shows: colours, and tables that fit. In a pipe there are plain lines."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Sequence
from typing import Final, TextIO

_CODES: Final = {"red": "31", "yellow": "33", "green": "32", "dim": "2", "bold": "1"}
PLAIN_WIDTH: Final = 160
"""Columns of a table that goes into a file or pipe."""


class TerminalStyle:
    """Colours for one stream of output: in a terminal, unless NO_COLOR (https://no-color.org) or TERM=dumb is set."""

    def __init__(self, stream: TextIO) -> None:
        self.terminal = stream.isatty()
        self._colours = self.terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def __call__(self, colour: str, text: str) -> str:
        """The text in a colour, or in bold or dim."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self._colours else text

    @property
    def width(self) -> int:
        """How many characters a line can hold."""
        return shutil.get_terminal_size().columns if self.terminal else PLAIN_WIDTH


def clean(text: str) -> str:
    """The text on one line. What could steer a terminal is shown by its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def width(text: str) -> int:
    """How many columns of a terminal the text takes: two for wide characters, none for marks on others."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut(text: str, most: int) -> str:
    """The text, or as much of it as fits with an ellipsis."""
    if width(text) <= most:
        return text
    kept = ""
    for character in text:
        if width(kept + character) > most - 1:
            break
        kept += character
    return f"{kept}…"


def pad(text: str, columns: int) -> str:
    """The text with blanks up to a width."""
    return text + " " * max(0, columns - width(text))


def aligned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The cells of rows, padded so that columns stand below each other."""
    widths = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [[pad(cell, wide) for cell, wide in zip(row, widths, strict=True)] for row in rows]
