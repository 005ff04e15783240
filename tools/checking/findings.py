"""What a check found: sentences with a place, each about one aspect of one stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from engine.declare.yaml import Place

ASPECTS: Final = ("paths", "requests", "records", "key", "cursor", "fields", "types", "sample")
LEVELS: Final = ("error", "warning", "note")
"""error: a sync would fail or read something else; warning: it works, perhaps not as meant; note: worth knowing."""


@dataclass(frozen=True)
class Finding:
    """One sentence about one place of streams.yaml."""

    stream: str
    aspect: str
    level: str
    place: Place
    message: str


@dataclass
class Findings:
    """What was found about one stream, and which aspects were looked at."""

    stream: str
    found: list[Finding] = field(default_factory=list)
    looked_at: set[str] = field(default_factory=set)
    absent: bool = False
    """Whether the server has no such stream, which is no mistake."""

    def look(self, aspect: str) -> None:
        """Remember that an aspect was checked."""
        self.looked_at.add(aspect)

    def say(self, level: str, aspect: str, place: Place, message: str) -> None:
        """Add a sentence, unless it was said before of this place."""
        finding = Finding(self.stream, aspect, level, place, message)
        if finding not in self.found:
            self.found.append(finding)

    def verdict(self, aspect: str) -> str:
        """``ok``, ``2 errors``, ``1 warning``, or ``-`` where nothing was checked."""
        for level in ("error", "warning"):
            count = sum(f.aspect == aspect and f.level == level for f in self.found)
            if count:
                return f"{count} {level}{'s' if count > 1 else ''}"
        return "ok" if aspect in self.looked_at else "-"
