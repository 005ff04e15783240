"""Bars of those with the most, and one of all others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.nouns import counted
from tools.report.parts import Chart
from tools.report.words import name, total

Parts = dict[str, float]


def bars(
    seconds: Iterable[tuple[str, str, float]], colors: Mapping[str, str], title: str, most: int = 10
) -> list[Chart]:
    """A chart of stacked bars of seconds, if there are any.

    Args:
        seconds: For each label and part of it, the seconds.
        colors: Each part and its color. The first is nearest to the axis.
        title: What is measured.
        most: The number of labels that are shown; the others are added up.
    """
    totals: dict[str, Parts] = {}
    for label, part, value in seconds:
        parts = totals.setdefault(name(label), {})
        parts[part] = parts.get(part, 0) + value
    ranked = sorted(totals.items(), key=lambda one: (-sum(one[1].values()), one[0]))
    shown = ranked[:most]
    if others := ranked[most:]:
        sums = {part: sum(parts.get(part, 0) for _, parts in others) for part in colors}
        shown.append((counted(len(others), "others"), sums))
    rows = [row for label, parts in shown for row in _bar(label, parts, colors)]
    used = {part for row in rows if (part := row["part"])}
    legend = {part: color for part, color in colors.items() if part in used} if len(colors) > 1 else {}
    return [Chart(kind="bars", title=title, alt=f"Bars: {_said(shown)}.", rows=rows, legend=legend)] if rows else []


def _bar(label: str, parts: Parts, colors: Mapping[str, str]) -> list[dict[str, Any]]:
    seconds = sum(parts.values())
    rows: list[dict[str, Any]] = [
        {
            "name": label,
            "part": part,
            "value": parts[part],
            "order": order,
            "color": color,
            "tip": f"{label}: {total(parts[part])}" + (f" {part}" if len(colors) > 1 else ""),
        }
        for order, (part, color) in enumerate(colors.items())
        if parts.get(part)
    ]
    if rows:
        rows[-1] |= {"end": seconds, "label": total(seconds)}
    return rows


def _said(shown: list[tuple[str, Parts]]) -> str:
    return ", ".join(f"{label} {total(sum(parts.values()))}" for label, parts in shown[:3])
