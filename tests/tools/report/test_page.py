"""The page is one file that is safe to open, whatever names Prefect has, and readable for everybody."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import tools.report
from tests.tools.report.models import run, warehouse
from tools.report.answers import answers
from tools.report.page import Page, render
from tools.report.tiles import tiles
from tools.report.words import name

STYLE = (Path(tools.report.__file__).parent / "style.css").read_text("utf-8")
NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title><svg onload=alert(1)>",
    "line\nbreak \x1b[31m \u202e txt.exe",
    "&lt;b&gt; {{7*7}} ${x}",
)


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def page(*names: str) -> str:
    """A page of runs with these names, all of which failed, without drawings."""
    failing = [{"flow_name": name, "deployment_name": name, "health": "failing", "failure_streak": 1} for name in names]
    found = warehouse([run("FAILED", flow_name=name, state_message=name) for name in names], deployment_health=failing)
    given = [(answer, [(chart, ("", "")) for chart in answer.charts]) for answer in answers(found)]
    return render(Page(summary=names[0], as_of=names[0], source=names[0]), tiles(found), given)


def test_names_are_text() -> None:
    """Prefect accepts any name for a flow, and the page has other people's."""
    found = Elements(page(*NAMES))
    assert not {"script", "img", "svg", "b", "iframe", "link"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert NAMES[0] in found.text and NAMES[4] in found.text and r"\n" in found.text and r"\u202e" in found.text


def test_a_name_without_end_is_cut() -> None:
    """It would push everything else out of sight."""
    assert len(name("x" * 5000)) == 80
    assert name(None) == "(none)"


def test_the_page_loads_nothing() -> None:
    """The policy forbids it, and nothing on the page tries."""
    html = page("etl")
    assert "default-src 'none'" in html
    assert not re.search(r"https?:|url\(|@import|<script|javascript:", html)


def test_a_section_has_a_title_and_a_table_its_heads() -> None:
    """Screen readers announce both."""
    html = page("etl")
    sections = re.findall(r'<section id="([a-z]+)" aria-labelledby="([a-z-]+)">\n<h2 id="([a-z-]+)">', html)
    assert len(sections) == 10
    assert all(label == title == f"{section}-title" for section, label, title in sections)
    assert set(re.findall(r'href="#([a-z]+)"', html)) == {section for section, _, _ in sections}
    assert html.count("<table>") == html.count('tabindex="0" aria-label=') > 0 and "<th scope=row>" in html


def colors(theme: str) -> dict[str, str]:
    """The colors of a theme of the style sheet."""
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r":root {(.*?)}", STYLE, re.S)
    )
    return dark if theme == "dark" else light


def luminance(color: str) -> float:
    """The relative luminance of WCAG 2."""
    parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of WCAG 2 between two colors."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_marks_have_contrast(theme: str) -> None:
    """WCAG 2.2 asks for 4.5 between text and its ground (AA), and for 3 between marks and theirs."""
    found = colors(theme)
    assert found.keys() == colors("light").keys()
    for text in ("text", "muted", "accent"):
        assert min(contrast(found[text], found[ground]) for ground in ("page", "card")) >= 4.5, text
    assert contrast(found["bad"], found["bad-card"]) >= 4.5
    for mark in (
        "failed",
        "crashed",
        "cancelled",
        "completed",
        "open",
        *(f"series-{number}" for number in range(1, 6)),
    ):
        assert contrast(found[mark], found["card"]) >= 3, mark


def test_every_color_of_a_chart_is_in_the_style_sheet() -> None:
    """A mark with another would be invisible."""
    found = warehouse([run(state) for state in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED", "RUNNING")])
    charts = [chart for answer in answers(found) for chart in answer.charts]
    used = {color for chart in charts for color in [*chart.legend.values(), *(row.get("color") for row in chart.rows)]}
    assert used - {None} <= colors("light").keys()
