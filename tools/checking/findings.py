"""What `validate` and `check` find in a streams.yaml: one sentence about one place, with a level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, get_args

from engine.declare.node import Context, Node
from engine.declare.problems import Problem
from engine.declare.yaml import compose
from engine.nouns import counted, plural
from engine.requests import Record

Level = Literal["error", "warning", "note"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""error: a sync would fail or read something else; warning: it works, perhaps not as meant; note: worth knowing."""

Aspect = Literal["paths", "requests", "records", "key", "cursor", "fields", "types", "sample"]
Refuted = Callable[[Sequence[Record]], bool]
"""Whether records that the server returned show that its OpenAPI document is wrong about them."""

_REFUTED: Final = " (the records are as streams.yaml says)"

ASPECTS: Final[tuple[Aspect, ...]] = get_args(Aspect)
"""What `check` checks about each stream."""

Place = tuple[str | int, ...]
"""The keys and indexes that lead to a value of the file: ``("streams", "flows", "body", "sort")``."""


@dataclass(frozen=True)
class Finding(Problem):
    """A problem with a level.

    Attributes:
        level: How severe it is.
        stream: The stream that was checked; None if the finding is about the whole file.
        aspect: What was checked; None for a mistake in the file itself, which `validate` finds.
    """

    level: Level = "error"
    stream: str | None = None
    aspect: Aspect | Literal["unmapped"] | None = None


def read_file(path: Path) -> Node:
    """The root of a streams.yaml that :func:`engine.spec.load.load` accepts."""
    return Node(Context(), compose(path.read_bytes().decode("utf-8-sig"))[0])


def locate(root: Node, place: Place, message: str) -> Problem:
    """A problem at a place of the file, or at the nearest place above it that the file spells out."""
    node = root.at(*place)
    mark = (node.key or node.yaml).start_mark
    return Problem(mark.line + 1, mark.column + 1, node.path, message)


@dataclass
class StreamFindings:
    """What `check` found about one stream, and which aspects it checked.

    Attributes:
        stream: The name of the stream.
        root: The root of the file.
        found: The findings.
        checked: The aspects that were checked.
        absent: Whether the server lacks the endpoint, as streams.yaml allows; the stream is not sampled.
    """

    stream: str
    root: Node
    found: list[Finding] = field(default_factory=list)
    checked: set[Aspect] = field(default_factory=set)
    absent: bool = False
    _refutable: list[tuple[Finding, Refuted]] = field(default_factory=list)

    def add(self, level: Level, aspect: Aspect, place: Place, message: str, refuted_by: Refuted | None = None) -> None:
        """Add a finding, unless the same one was added before. ``refuted_by``: which records show that it is wrong."""
        finding = Finding(**vars(locate(self.root, place, message)), level=level, stream=self.stream, aspect=aspect)
        if finding not in self.found:
            self.found.append(finding)
            if refuted_by is not None:
                self._refutable.append((finding, refuted_by))

    def refute(self, records: Sequence[Record]) -> None:
        """Make notes of the findings that records refute: a sync reads these, not the document."""
        for finding, is_refuted in self._refutable:
            if is_refuted(records):
                noted = replace(finding, level="note", message=f"{finding.message}{_REFUTED}")
                self.found[self.found.index(finding)] = noted
        self._refutable.clear()

    def verdict(self, aspect: Aspect) -> str:
        """``ok``, ``2 errors``, ``1 warning``, or ``-`` if the aspect was not checked."""
        for level in ("error", "warning"):
            count = sum(finding.aspect == aspect and finding.level == level for finding in self.found)
            if count:
                return counted(count, plural(level))
        return "ok" if aspect in self.checked else "-"
