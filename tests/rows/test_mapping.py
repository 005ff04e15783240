"""Field mappings: from a record to a row."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml

from engine.failures import ReadFailure
from engine.http.decoding import decode
from engine.rows.mapping import RowMapping
from tests.shop import STREAMS, connection
from tests.specs import edited


def mapping(tmp_path: Path, fields: str, key: tuple[str, ...] = ("id",)) -> RowMapping:
    stream = {"streams.shops.primary_key": list(key), "streams.shops.fields": yaml.safe_load(fields)}
    text = edited(STREAMS, replace=stream)
    return RowMapping(connection(tmp_path, "http://x.test/api", text).spec.streams["shops"])


def test_nested_values_are_flattened_as_mapped(tmp_path: Path) -> None:
    """Paths reach into objects and arrays. A JSON column stores an object as it is."""
    rows = mapping(tmp_path, "id: $.id\nstate: $.state.name\nfirst: '$.tags[0]'\nwhole: {path: $.state, type: JSON}")
    record = {"id": "1", "state": {"name": "OK", "x": [1]}, "tags": ["a", "b"]}
    assert rows.row(record) == {"id": "1", "state": "OK", "first": "a", "whole": {"name": "OK", "x": [1]}}


def test_absent_null_and_empty_are_distinguished(tmp_path: Path) -> None:
    """Absent and null become NULL; an empty string and an empty list stay what they are."""
    rows = mapping(tmp_path, "id: $.id\na: $.a\nb: $.b\nc: $.c\nd: {path: $.d, type: JSON}")
    assert rows.row({"id": "1", "b": None, "c": "", "d": []}) == {"id": "1", "a": None, "b": None, "c": "", "d": []}


def test_the_first_of_several_paths_that_has_a_value(tmp_path: Path) -> None:
    """Null is not a value, an empty string is."""
    rows = mapping(tmp_path, "id: $.id\ns: {path: [$.schedule, '$.schedules[0].schedule']}")
    assert rows.row({"id": "1", "schedule": "x", "schedules": [{"schedule": "y"}]})["s"] == "x"
    assert rows.row({"id": "1", "schedule": None, "schedules": [{"schedule": "y"}]})["s"] == "y"
    assert rows.row({"id": "1", "schedule": "", "schedules": [{"schedule": "y"}]})["s"] == ""
    assert rows.row({"id": "1", "schedules": []})["s"] is None


def test_a_condition_chooses_an_item(tmp_path: Path) -> None:
    """A column has the value of the one item that fulfills it, NULL if none does, and a JSON column all of them."""
    path = "$.custom[?(@.name == 'Size')].value"
    rows = mapping(
        tmp_path,
        f'id: $.id\nsize: {{path: ["{path}", $.size], type: INT}}\nall: {{path: "{path}", type: JSON}}\n'
        f"has_size: {{present: \"{path}\", type: BOOLEAN}}\nhas_any: {{present: '$.custom[*]', type: BOOLEAN}}",
    )
    size = {"name": "Size", "value": 7}
    cases = [
        ([{"name": "Color", "value": "red"}, size], (7, [7], True, True)),
        ([{"name": "Color"}], (3, [], False, True)),
        ([], (3, [], False, False)),
        ([size, size], (None, [7, 7], True, True)),
    ]
    for custom, expected in cases:
        row = rows.row({"id": "1", "custom": custom, "size": 3})
        assert (row["size"], row["all"], row["has_size"], row["has_any"]) == expected
    assert "1 value did not fit INT" in rows.mismatch_warnings()[0]


def test_type_mismatches_are_counted_by_column_without_values(tmp_path: Path) -> None:
    """One warning per column: how many, what they became, and the key of the first row."""
    rows = mapping(tmp_path, "id: $.id\nn: {path: $.n, type: INT}\ns: $.s")
    assert rows.row({"id": "1", "n": "CANARY", "s": {"a": "ü"}}) == {"id": "1", "n": None, "s": '{"a": "ü"}'}
    rows.row({"id": "2", "n": 1.5, "s": "fine"})
    assert rows.row({"id": "3", "n": 7, "s": "fine"}) == {"id": "3", "n": 7, "s": "fine"}
    assert rows.mismatch_warnings() == [
        "shops.n: 2 values did not fit INT and became NULL; the first was a string, in the row with id=1",
        "shops.s: 1 value did not fit STRING and became JSON text; the first was an object, in the row with id=1",
    ]


def test_numbers_are_exact_or_counted(tmp_path: Path) -> None:
    """A DECIMAL has every digit. A JSON column has the nearest floats, and one warning with the first row."""
    rows = mapping(
        tmp_path, "id: $.id\nn: {path: $.n, type: DECIMAL, precision: 38, scale: 6}\nj: {path: $.n, type: JSON}"
    )
    records, _ = decode(b'[{"id": "1", "n": 0.5}, {"id": "2", "n": 12345678901234567.891234}]')
    assert [rows.row(record)["n"] for record in records] == ["0.5", "12345678901234567.891234"]
    assert type(rows.row(records[1])["j"]) is float
    assert rows.mismatch_warnings() == [
        "shops.j: 2 values had numbers with more digits than JSON holds, which were rounded; the first was in the row "
        "with id=2"
    ]


def test_instants_are_read_as_declared(tmp_path: Path) -> None:
    """A number of seconds, of milliseconds, and a time without an offset."""
    rows = mapping(
        tmp_path,
        "id: $.id\ns: {path: $.s, type: UTC_DATETIME, format: epoch_seconds}\n"
        "m: {path: $.m, type: UTC_DATETIME, format: epoch_milliseconds}\n"
        "t: {path: $.t, type: UTC_DATETIME, timezone: '+02:00'}",
    )
    record = {"id": "1", "s": "1777629600.5", "m": 1777629600500, "t": "2026-05-01 12:00:00.5"}
    instant = datetime(2026, 5, 1, 10, 0, 0, 500000, timezone.utc)
    assert rows.row(record) == {"id": "1", "s": instant, "m": instant, "t": instant}
    assert rows.row({"id": "2", "s": True, "m": "x", "t": 5}) == {"id": "2", "s": None, "m": None, "t": None}
    assert len(rows.mismatch_warnings()) == 3


ROW = "in the row with id=1"


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (1777629600, f'a number, {ROW}; a number that counts from 1970 needs the key "format"'),
        ("1777629600.5", f'a string, {ROW}; a number that counts from 1970 needs the key "format"'),
        ("2026-05-01 12:00:00", f'a string, {ROW}; a time without an offset needs the key "timezone"'),
        ("soon", f"a string, {ROW}"),
        (True, f"a boolean, {ROW}"),
    ],
)
def test_an_instant_that_needs_a_declaration_is_reported_with_it(tmp_path: Path, value: object, hint: str) -> None:
    """It is NULL until then: an instant is not guessed."""
    rows = mapping(tmp_path, "id: $.id\nt: {path: $.t, type: UTC_DATETIME}")
    assert rows.row({"id": "1", "t": value})["t"] is None
    assert rows.mismatch_warnings() == [
        f"shops.t: 1 value did not fit UTC_DATETIME and became NULL; the first was {hint}"
    ]


def test_a_compound_key(tmp_path: Path) -> None:
    """Several columns identify a row together."""
    rows = mapping(tmp_path, "id: $.id\nn: {path: $.n, type: INT}", key=("id", "n"))
    assert rows.key({"id": "a", "n": 1}) == ("a", 1)


@pytest.mark.parametrize("record", [{"n": 1}, {"id": None}])
def test_a_record_without_its_key_is_a_failure(tmp_path: Path, record: dict[str, object]) -> None:
    """Nothing would identify its row. The message names the empty path and the keys that the record has."""
    with pytest.raises(ReadFailure, match=r'no STRING for the primary key "id" at \$\.id; it has the keys'):
        mapping(tmp_path, "id: $.id").key(record)
