"""docs/streams.md: all tables at a glance, their relations, and for each its promise and its columns."""

from __future__ import annotations

import re

from engine.spec.dialect import Stream
from tests.specs import shipped
from tools.docgen.promise import promise
from tools.docgen.streams import page

SPEC = shipped()
PAGE = page(SPEC)


def section(stream: Stream) -> str:
    """What the page says about a table."""
    return PAGE.split(f"\n## {stream.destination_table}\n")[1].split("\n## ")[0]


def test_the_page_begins_with_a_table_of_all_tables() -> None:
    """With the sync mode and whether the table is on by default, in the order of streams.yaml."""
    glance = re.findall(r"^\| \[(\w+)\]\(#(\w+)\) \| .* \| ([a-z ]+) \| (on|off) \|$", PAGE, re.MULTILINE)
    assert glance == [
        (table := stream.destination_table, table, stream.sync_mode.replace("_", " "), ("off", "on")[stream.enabled])
        for stream in SPEC.streams.values()
    ]


def test_a_section_has_the_promise_and_then_every_column() -> None:
    """Readers learn what to expect before they read the columns."""
    for stream in SPEC.streams.values():
        before, _, columns = section(stream).partition("\n| Column")
        for sentence in promise(SPEC, stream):
            assert f"- {sentence}\n" in before
        assert re.findall(r"^\| (\w+) \| [A-Z_]+[ (]", columns, re.MULTILINE) == list(stream.fields), stream.name


def test_the_diagram_relates_tables_that_exist() -> None:
    """Each line between two tables is a column that references the other."""
    lines = re.findall(r"^    (\w+) \|\|--o\{ (\w+) : \"(\w+)\"$", PAGE, re.MULTILINE)
    assert len(lines) >= 20
    for to, table, column in lines:
        reference = SPEC.streams[table].fields[column].references
        assert reference is not None
        assert reference.table == to
