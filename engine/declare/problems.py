"""Mistakes in a file, as values: they are collected first and reported together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in streams.yaml. ``line`` and ``column`` count from 1, as editors do."""

    line: int
    column: int
    keypath: str
    message: str


class SpecError(ValueError):
    """A streams.yaml cannot be used. ``problems`` has every mistake, in the order of the file."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems: Sequence[Problem] = sorted(set(problems))
        super().__init__("\n".join(describe(file, problem) for problem in self.problems))


def describe(file: str, problem: Problem) -> str:
    """The one-line form ``FILE:LINE:COLUMN keypath: message``; control characters from the file are escaped."""
    where = f"{file}:{problem.line}:{problem.column}"
    line = f"{where} {problem.keypath}: {problem.message}" if problem.keypath else f"{where} {problem.message}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The most similar known word, if one is similar enough to be meant."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    if not near and len(word) >= 3:
        near = [candidate for candidate in by_folded if candidate.startswith(word.casefold())]
    return by_folded[near[0]] if near else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """A hint for an unknown word: the most similar known word, or all of them if none is similar."""
    words = list(known)
    near = nearest(word, words)
    if near is not None:
        return f'did you mean "{near}"?'
    return f"known: {', '.join(words)}" if words else "none is declared"
