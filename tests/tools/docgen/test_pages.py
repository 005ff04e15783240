"""The pages that are generated: what they promise follows from how a stream is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from engine.spec.load import load
from tests.reading.model import STREAMS as MODEL
from tests.readme import PROJECT
from tests.shop import STREAMS, connection
from tools.docgen import dialect
from tools.docgen.dbt import sources
from tools.docgen.promise import promise
from tools.docgen.streams import page
from tools.json_schema import streams_schema

DOCUMENT = load(PROJECT / "streams.yaml")


@pytest.mark.parametrize(
    ("text", "stream", "words"),
    [
        (STREAMS, "shops", "Rows that are gone from the server are soft-deleted."),
        (STREAMS, "orders", "The whole list is read each time. Rows that are deleted on the server stay."),
        (MODEL, "runs", "anything that moves `updated`, in open rows (`$.state` is SCHEDULED, RUNNING)"),
        (MODEL, "runs", "anything that it names (where the server has `POST /events/filter`)"),
        (MODEL, "runs", "re-reads every row within 24 hours: what no query finds."),
        (
            MODEL,
            "runs",
            "Rows that were open at the last sync and are gone are soft-deleted; others that are deleted stay.",
        ),
        (MODEL.replace("      reconcile: 24h\n", ""), "runs", "There is no reconciliation"),
        (
            MODEL.replace("    sync_mode: incremental\n", "    sync_mode: incremental\n    deleted: soft_delete\n"),
            "runs",
            "deleted stay until the whole list is sent again, every 24 hours; then they are soft-deleted.",
        ),
    ],
)
def test_a_promise_is_what_the_strategy_keeps(tmp_path: Path, text: str, stream: str, words: str) -> None:
    """No more than that: each part of a strategy adds its sentence."""
    document = connection(tmp_path, "http://shop.test/api", text).spec
    assert words in " ".join(promise(document, document.streams[stream]))


def test_every_stream_has_its_promise() -> None:
    """In the page, above its columns."""
    for stream in DOCUMENT.streams.values():
        section = page(DOCUMENT).split(f"\n## {stream.destination_table}\n")[1].split("\n| Column")[0]
        for sentence in promise(DOCUMENT, stream):
            assert f"- {sentence}\n" in section


def test_the_diagram_relates_tables_that_exist() -> None:
    """Each line between two tables is a column that references the other."""
    lines = re.findall(r"^    (\w+) \|\|--o\{ (\w+) : \"(\w+)\"$", page(DOCUMENT), re.MULTILINE)
    assert len(lines) >= 20
    for to, table, column in lines:
        reference = DOCUMENT.streams[table].fields[column].references
        assert reference is not None
        assert reference.table == to


def test_dbt_knows_every_table_and_what_must_hold() -> None:
    """Keys are unique and there; references are looked up."""
    (source,) = yaml.safe_load(sources(DOCUMENT))["sources"]
    tables = {table["name"]: {column["name"]: column for column in table["columns"]} for table in source["tables"]}
    assert tables.keys() == {stream.destination_table for stream in DOCUMENT.streams.values()}
    assert tables["flow_runs"]["id"]["data_tests"] == ["unique", "not_null"]
    (related,) = tables["flow_runs"]["flow_id"]["data_tests"]
    assert related["relationships"]["to"] == "source('prefect', 'flows')"


def test_the_dialect_page_has_every_block_with_its_keys_and_no_dead_link() -> None:
    text = dialect.page(streams_schema())
    sections = dict(re.findall(r"^## (.*)\n((?:(?!^## ).*\n)*)", text, re.MULTILINE))
    blocks = [streams_schema(), *streams_schema()["$defs"].values()]
    assert len(sections) == len(blocks)
    for block in blocks:
        (section,) = (body for body in sections.values() if f"\n{block['description']}\n" in body)
        keys = [key for key in block["properties"] if key != "style"]
        assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == keys
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in sections}
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) == anchors - {"the-file"}


def test_a_default_stands_as_the_file_would_have_it() -> None:
    text = dialect.page(streams_schema())
    for line in ("| `lookback` | a duration |", "| `body` | a size |", "| `attempts` | a whole number, 1 to 20 |"):
        (found,) = (row for row in text.splitlines() if row.startswith(line))
        assert re.search(r"Default: `(5m|64MB|6)`\. \|$", found)
