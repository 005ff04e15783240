"""The charts. Each kind is drawn from rows; what their fields mean is said where it is drawn.

Fields of all kinds are `color`, the name of a color in the page's style sheet, and `tip`, what a mark says of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import altair

from tools.report.parts import Chart, Row
from tools.report.svg import inline

WIDE: Final = 860
NARROW: Final = 350
"""Widths in pixels. Phones get drawings of their own, since the text of wide ones would be too small on them."""

_LINE: Final = 26  # pixels of a line of bars or cells
_HEIGHT: Final = 210  # of other charts
_LABEL: Final = 72  # of a label of a period, with space around it
_NAME: Final = 320  # of a name, at most
_TICKS: Final = (0.01, 0.1, 1, 10, 60, 600, *(3_600 * 10**power for power in range(7)))  # seconds
_DURATION: Final = (
    "datum.value < 60 ? datum.value + ' s' : datum.value < 3600 ? datum.value / 60 + ' min' : datum.value / 3600 + ' h'"
)
_DAY: Final = "utcFormat(toDate(datum.value), '%b %-d')"
_MONTH: Final = "utcFormat(toDate(datum.value), '%b %Y')"
_HOUR: Final = "datum.value"
# Text is measured larger than the style sheet makes it, because the fonts of readers differ.
_MEASURED: Final = 13
_CONFIG: Final = {
    "background": None,
    "font": "DejaVu Sans, Verdana, sans-serif",
    "padding": {"left": 2, "right": 4, "top": 8, "bottom": 2},
    "view": {"stroke": None},
    "axis": {
        "aria": False,
        "domain": False,
        "ticks": False,
        "gridColor": "var(--grid)",
        "labelColor": "var(--muted)",
        "labelFontSize": _MEASURED,
        "labelPadding": 6,
        "title": None,
    },
}


def drawn(chart: Chart) -> tuple[str, str]:
    """The chart as SVG elements: for wide pages, and for phones."""
    return _drawn(chart, WIDE), _drawn(chart, NARROW)


def _drawn(chart: Chart, width: int) -> str:
    spec = _KINDS[chart.kind](chart, width).properties(width=width).to_dict()
    fitted = {"config": _CONFIG, "autosize": {"type": "fit-x", "contains": "padding"}}
    return inline({**spec, **fitted}, f"{chart.title}. {chart.alt}")


def _base(chart: Chart, height: float | altair.Step) -> altair.Chart:
    rows = [{**row, "color": f"var(--{row.get('color')})"} for row in chart.rows]
    return altair.Chart(altair.Data(values=rows)).properties(height=height)


def _periods(chart: Chart, room: float) -> altair.X:
    """An axis with a place for each period, also for those without rows, and labels for which there is room."""
    every = -(-len(chart.periods) // int(room // _LABEL))
    said = _HOUR if len(chart.periods[0]) < 10 else _MONTH if len({day[8:] for day in chart.periods}) == 1 else _DAY
    axis = altair.Axis(values=list(chart.periods[::every]), grid=False, labelAngle=0, labelExpr=said)
    scale = altair.Scale(domain=list(chart.periods), paddingInner=0.15, paddingOuter=0)
    return altair.X("at:O", axis=axis, scale=scale)


def _names(chart: Chart, width: int) -> altair.Y:
    """A line for each name, in the order of the rows."""
    names = list(dict.fromkeys(row["name"] for row in chart.rows))
    axis = altair.Axis(labelLimit=min(0.5 * width, _NAME), labelColor="var(--text)", grid=False)
    return altair.Y("name:N", sort=names, axis=axis, scale=altair.Scale(paddingInner=0.3, paddingOuter=0.1))


def _color() -> altair.Color:
    return altair.Color("color:N", scale=None)


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """The tick at or below the least value, and the one at or above the greatest."""
    low = max((tick for tick in _TICKS if tick <= min(values)), default=_TICKS[0])
    high = min((tick for tick in _TICKS if tick >= max(values)), default=_TICKS[-1])
    return low, high if high > low else 10 * low


def _seconds(bounds: tuple[float, float]) -> dict[str, Any]:
    """A logarithmic axis of seconds."""
    low, high = bounds
    axis = altair.Axis(values=[tick for tick in _TICKS if low <= tick <= high], labelExpr=_DURATION)
    return {"scale": altair.Scale(type="log", domain=[low, high], nice=False), "axis": axis}


def _columns(chart: Chart, width: int) -> altair.Chart:
    """Columns of `value` at `at`, stacked in `order`."""
    y = altair.Y("value:Q", axis=altair.Axis(tickCount=4, format="~s", tickMinStep=1))
    marks = _base(chart, _HEIGHT).mark_bar()
    return marks.encode(x=_periods(chart, width), y=y, color=_color(), order="order:Q", description="tip:N")


def _cells(chart: Chart, width: int) -> altair.Chart:
    """A cell for each `name` and `at`."""
    marks = _base(chart, altair.Step(_LINE)).mark_rect()
    periods = _periods(chart, width - min(0.5 * width, _NAME))
    return marks.encode(x=periods, y=_names(chart, width), color=_color(), description="tip:N")


def _lines(chart: Chart, width: int) -> altair.LayerChart:
    """A line through `value` at `at` for each `name`, which is written where `last` is true."""
    bounds = _bounds([row["value"] for row in chart.rows])
    axis = _seconds(bounds)
    base = _base(chart, _HEIGHT).encode(x=_periods(chart, width), y=altair.Y("value:Q", **axis), color=_color())
    points = base.mark_point(filled=True, size=28, opacity=1).encode(description="tip:N")
    ends = _base(replace(chart, rows=_apart(chart.rows, bounds)), _HEIGHT)
    names = ends.mark_text(align="left", dx=9, fontSize=_MEASURED).encode(
        x=_periods(chart, width), y=altair.Y("end:Q", **axis), text="name:N", color=_color()
    )
    return altair.layer(base.mark_line(strokeWidth=2).encode(detail="name:N"), points, names)


def _apart(rows: Sequence[Row], bounds: tuple[float, float]) -> list[Row]:
    """The last row of each line, with an `end` for its name at which it is above the name below."""
    low, high = bounds
    line = (high / low) ** (_MEASURED / _HEIGHT)
    ends: list[Row] = []
    for row in sorted((row for row in rows if row["last"]), key=lambda row: float(row["value"])):
        ends.append({**row, "end": max(row["value"], line * ends[-1]["end"] if ends else 0)})
    return ends


def _ranges(chart: Chart, width: int) -> altair.LayerChart:
    """A line from `p50` to `p99` for each `name`, with marks at both and at `p90`."""
    axis = _seconds(_bounds([row[field] for row in chart.rows for field in ("p50", "p99")]))
    base = _base(chart, altair.Step(_LINE)).encode(y=_names(chart, width), description="tip:N")
    line = base.mark_rule(strokeWidth=2, color="var(--grid-strong)").encode(x=altair.X("p50:Q", **axis), x2="p99:Q")
    points = base.mark_point(filled=True, size=70, opacity=1)
    marks = (
        points.encode(x=altair.X(f"{field}:Q", **axis), color=altair.value(f"var(--{color})"))
        for field, color in chart.legend.items()
    )
    return altair.layer(line, *marks)


def _bars(chart: Chart, width: int) -> altair.LayerChart:
    """A bar of `value` for each `name`, stacked in `order`; `label` is written at its `end`."""
    most = max(row.get("end", 0) for row in chart.rows)
    base = _base(chart, altair.Step(_LINE)).encode(y=_names(chart, width))
    scale = altair.Scale(domain=[0, most * (1.12 if width > NARROW else 1.4)], nice=False)  # leaves room for the labels
    bars = base.mark_bar().encode(
        x=altair.X("value:Q", axis=None, scale=scale), color=_color(), order="order:Q", description="tip:N"
    )
    labels = base.transform_filter("isValid(datum.label)").mark_text(align="left", dx=6, fontSize=_MEASURED)
    return altair.layer(bars, labels.encode(x="end:Q", text="label:N", color=altair.value("var(--text)")))


_KINDS: Final[Mapping[str, Callable[[Chart, int], Any]]] = {
    "columns": _columns,
    "cells": _cells,
    "lines": _lines,
    "ranges": _ranges,
    "bars": _bars,
}
