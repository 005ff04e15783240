"""docs/performance.md and its chart agree with the results in docs/performance.json."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from dev.benchmarks.__main__ import BENCHMARKS, CHART, PAGE, RESULTS, main
from dev.benchmarks.chart import chart
from dev.benchmarks.page import FIGURES, page
from dev.benchmarks.results import Before, Case, Measured, Table, compare, load, merge, save, summarize, text

MONDAY = Measured("2026-01-05", "2 CPUs", "prefect 3")
TUESDAY = Measured("2026-01-06", "4 CPUs", "prefect 3")


def children(measured: Measured = MONDAY, requests: int = 9, before: Before | None = None) -> Table:
    """A result that two rounds of `make bench` measure for the same number of rows."""
    return Table("Children", "count", "method", {"nothing changed": Case(requests)}, 500, measured, before)


def memory(rows: int, measured: Measured = MONDAY) -> Table:
    """A result for a number of rows."""
    few = {"50,000 records": Case(40.0)}
    cases = few | {f"{rows:,} records": Case(41.0, ratio=1.03, to="50,000 records")}
    return Table("Memory", "MB", "method", cases, rows, measured)


def test_page_and_chart_are_fresh() -> None:
    """Both files are what `make bench ARGS=--page` writes, so no number on the page was edited by hand."""
    results = load(RESULTS)
    assert PAGE.read_text("utf-8") == page(results)
    assert CHART.read_text("utf-8") == chart(results)


def test_the_page_fits_a_screen_and_shows_every_figure() -> None:
    """Eight figures, the chart and its method within 40 lines; a figure without a result would be missing."""
    lines = PAGE.read_text("utf-8").splitlines()
    assert len(lines) <= 40
    assert set(FIGURES) <= set(load(RESULTS))
    assert sum(line.startswith("| ") for line in lines) == len(FIGURES) + 2  # head and rule


def test_the_chart_is_well_formed_and_follows_the_color_scheme() -> None:
    """A browser shows nothing of an SVG that is not well-formed XML."""
    svg = chart(load(RESULTS))
    ElementTree.fromstring(svg)
    assert "prefers-color-scheme: dark" in svg


def test_results_survive_a_round_trip(tmp_path: Path) -> None:
    """Saving and loading changes nothing, the date and the machine included."""
    save(tmp_path / "results.json", {"children": children(), "memory": memory(1000)})
    assert load(tmp_path / "results.json") == {"children": children(), "memory": memory(1000)}


def test_without_results_there_is_a_page() -> None:
    """The first partial run writes a page with only the figures it measured."""
    assert "| Requests for the states" in page({"children": children()})
    assert "| Peak memory" not in page({"children": children()})
    ElementTree.fromstring(chart({}))


def test_a_partial_run_replaces_only_what_it_measured() -> None:
    """The other figures keep their dates and machines, and the page names both."""
    merged = merge({"children": children(), "memory": memory(1000)}, {"children": children(TUESDAY, 10)})
    assert merged == {"children": children(TUESDAY, 10), "memory": memory(1000)}
    lines = page(merged).splitlines()
    assert [line[-14:-2] for line in lines if line.startswith(("| Peak memory", "| Requests for"))] == [
        f"| {TUESDAY.date}",
        f"| {MONDAY.date}",
    ]
    assert [line for line in lines if line.startswith("- ")] == [
        "- 2026-01-06: 4 CPUs; prefect 3",
        "- 2026-01-05: 2 CPUs; prefect 3",
    ]


def test_what_it_was_before_stays_when_a_table_is_measured_again() -> None:
    """It was measured once, at a commit that `make bench` does not check out."""
    known = {"children": children(before=Before("0123456", {"nothing changed": 509}))}
    merged = merge(known, {"children": children(TUESDAY)})
    assert merged == {"children": children(TUESDAY, before=known["children"].before)}
    assert "| 509: a request per open run |" in page(merged)


def test_a_smaller_run_does_not_replace_a_larger_one() -> None:
    """`make bench` after `make bench ARGS=--full` keeps the figures for ten times the history."""
    assert merge({"memory": memory(1000)}, {"memory": memory(100, TUESDAY)}) == {"memory": memory(1000)}
    assert merge({"memory": memory(100)}, {"memory": memory(1000, TUESDAY)}) == {"memory": memory(1000, TUESDAY)}


def test_a_benchmark_is_saved_when_a_later_one_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run of 50 minutes must not lose its results to its last benchmark."""
    for name, suffix in (("RESULTS", ".json"), ("PAGE", ".md"), ("CHART", ".svg")):
        monkeypatch.setattr(f"dev.benchmarks.__main__.{name}", tmp_path / f"performance{suffix}")
    monkeypatch.setattr("sys.argv", ["make bench", "breakdown", "start"])

    def failing(full: bool) -> dict[str, Table]:
        raise KeyboardInterrupt

    monkeypatch.setitem(BENCHMARKS, "breakdown", lambda full: {"children": children()})
    monkeypatch.setitem(BENCHMARKS, "start", failing)
    with pytest.raises(KeyboardInterrupt):
        main()
    assert load(tmp_path / "performance.json") == {"children": children()}
    assert (tmp_path / "performance.md").read_text("utf-8") == page({"children": children()})


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """Rounds are compared one by one, so a slow moment of the machine that hits both cases cancels out."""
    cases = compare({"floor": [1.0, 10.0, 2.0], "engine": [2.0, 20.0, 4.4]}, 1, "floor")
    assert cases == {"floor": Case(2.0, 1.0, 10.0), "engine": Case(4.4, 2.0, 20.0, 2.0, "floor")}


def test_one_sample_has_no_range() -> None:
    """A count that was taken once shows no lowest and highest value."""
    assert summarize([33.4], 0) == Case(33)


def test_an_incomplete_results_file_is_an_error(tmp_path: Path) -> None:
    """A results file that does not fit is an error, not an empty page."""
    (tmp_path / "results.json").write_text('{"start": {"title": "Start"}}')
    with pytest.raises(msgspec.ValidationError):
        load(tmp_path / "results.json")


def test_the_terminal_shows_aligned_tables() -> None:
    """What `make bench` prints: numbers right-aligned, with the case each ratio refers to."""
    assert text({"memory": memory(1_000_000)}).splitlines() == [
        "Case                 Median  Lowest  Highest  Ratio  to",
        "",
        "Memory (MB)",
        "  50,000 records       40.0",
        "  1,000,000 records    41.0                    1.03  50,000 records",
    ]
