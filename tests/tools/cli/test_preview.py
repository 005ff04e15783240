"""`preview` prints rows as a sync would write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen, rows_by_offset
from dev.testbed.prefect_server import PrefectServer
from tests.conftest import MAJORS
from tests.readme import PROJECT
from tests.shop import STREAMS, orders
from tests.specs import edited
from tools.cli import main
from tools.cli.terminal import clean, cut, width


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("stream", ["flow_runs", "flows", "deployments"])
def test_rows_of_a_real_server(
    stream: str, major: int, configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A table that fits in a line, with the key first; complete rows as JSON."""
    arguments = ["preview", stream, "--configuration", str(configurations[major]), "--rows", "3"]
    assert main([*arguments, "--file", str(PROJECT / "streams.yaml")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("id ")
    assert lines[-1].startswith(f"3 rows of {stream}; ")
    assert len(lines) == 6
    assert all(width(line) <= 160 for line in lines)
    assert main([*arguments, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 3
    assert {"id", "updated"} < rows[0].keys()
    assert rows[0]["id"] == lines[1].split()[0]


def preview(folder: Path, loopback: Loopback, *arguments: str, text: str = STREAMS, key: str = "") -> int:
    (folder / "streams.yaml").write_text(text, "utf-8")
    (folder / "configuration.json").write_text(json.dumps({"api_url": loopback.url, "api_key": key}), "utf-8")
    places = ["--file", str(folder / "streams.yaml"), "--configuration", str(folder / "configuration.json")]
    return main(["preview", *arguments, *places])


def test_one_request_for_the_requested_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten rows by default, and never more than a page."""
    with Loopback(rows_by_offset(orders(300))) as loopback:
        for arguments, limit, shown in (
            (["orders"], 10, 10),
            (["orders", "--rows", "1"], 2, 1),
            (["orders", "--rows", "900"], 100, 100),
        ):
            loopback.seen.clear()
            assert preview(tmp_path, loopback, *arguments, "--json") == 0
            assert [seen.json for seen in loopback.seen] == [{"sort": "ID_DESC", "limit": limit, "offset": 0}]
            assert len(capsys.readouterr().out.splitlines()) == shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["configuration.json", "streams.yaml"]


def test_the_newest_window_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first ones of a list that is read in windows can be empty."""
    windows = {"from": "2001-01-01", "windows": "7d", "query": {"after": "$from", "before": "$to"}}
    text = edited(STREAMS, add={f"streams.orders.{name}": value for name, value in windows.items()})
    text = edited(text, replace={"streams.orders.endpoint": "GET /orders"}, remove=["streams.orders.body"])
    with Loopback(lambda seen: Reply(orders(3) if seen.query["after"][0] > "2026-01" else [])) as loopback:
        assert preview(tmp_path, loopback, "orders", "--json", text=text) == 0
        assert len(loopback.seen) == 1
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_verbose_shows_the_request_and_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Requests go to stderr, so that a pipe has only rows."""
    text = edited(STREAMS, add={"streams.orders.body.token": "${api_key}"})
    with Loopback(rows_by_offset(orders(1))) as loopback:
        assert preview(tmp_path, loopback, "orders", "--verbose", text=text, key="s3cret") == 0
        assert loopback.seen[0].json["token"] == "s3cret"
    printed = capsys.readouterr()
    wanted = f'POST {loopback.url}/orders/filter {{"sort": "ID_DESC", "token": "***", "limit": 10, "offset": 0}}\n'
    assert printed.err == wanted
    assert "s3cret" not in printed.out


def test_values_do_not_control_the_terminal_or_break_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Line breaks and escapes are printed as escapes, long strings are cut, wide letters count twice."""
    rows = orders(4)
    for row, note in zip(rows, ["\x1b[2J\n", "x" * 500, "日本語", ""], strict=True):
        row["note"] = note
    with Loopback(rows_by_offset(rows)) as loopback:
        assert preview(tmp_path, loopback, "orders") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["id", "updated", "amount", "note"]
    assert lines[1].endswith(r"\x1b[2J\n")
    assert lines[2].endswith("xxx…")
    assert lines[3] == "o00002  2024-05-01 10:00:00Z  2.5     日本語"
    assert lines[-1] == "4 rows of orders; 4 columns"


def test_type_mismatches_and_empty_lists_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A value that does not fit its column is NULL, as in a sync."""
    with Loopback(rows_by_offset([{"id": "a", "amount": "much"}])) as loopback:
        assert preview(tmp_path, loopback, "orders") == 0
    printed = capsys.readouterr()
    assert "orders.amount: 1 value did not fit DOUBLE and became NULL" in printed.err
    assert printed.out.splitlines()[1].split() == ["a", "-", "-", "-"]
    with Loopback(rows_by_offset([])) as loopback:
        assert preview(tmp_path, loopback, "orders") == 0
    assert capsys.readouterr().out == "orders: the list is empty\n"


def test_records_that_are_no_rows_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that are come from a page of the usual size; if there is none on it, the message says why."""
    text = edited(STREAMS, add={"streams.orders.where": {"path": "$.note", "is": "paid"}})
    listed = [{"id": f"o{number}", "note": "new"} for number in range(9)]
    with Loopback(rows_by_offset(listed)) as loopback:
        assert preview(tmp_path, loopback, "orders", text=text) == 0
        assert capsys.readouterr().out == "orders: no record on the first page is a row (where)\n"
        listed.append({"id": "last", "note": "paid"})
        assert preview(tmp_path, loopback, "orders", "--rows", "1", text=text) == 0
        assert capsys.readouterr().out.splitlines()[1].split()[0] == "last"


def test_failures_have_the_messages_of_a_sync(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They name the remedy but no secret; the exit code is 2."""

    def refuse(seen: Seen) -> Reply:
        return Reply({"detail": "no"}, 401)

    with Loopback(refuse) as loopback:
        assert preview(tmp_path, loopback, "orders", key="s3cret") == 2
        err = capsys.readouterr().err
        assert "Check that api_key in the configuration is valid" in err
        assert "s3cret" not in err
        assert preview(tmp_path, loopback, "order") == 2
        assert 'there is no stream "order"; did you mean "orders"?' in capsys.readouterr().err
        nested = edited(STREAMS, replace={"streams.orders.endpoint": "POST /shops/$(parent.id)/orders"})
        assert preview(tmp_path, loopback, "orders", text=nested) == 1
        assert "the stream needs the key" in "".join(capsys.readouterr())
        with pytest.raises(SystemExit):
            preview(tmp_path, loopback, "orders", "--rows", "0")


def test_strings_are_cut_by_their_width_in_a_terminal() -> None:
    """A wide letter takes two columns, a combining accent none."""
    assert width("日本") == 4
    assert width("e\u0301") == 1
    assert cut("日本語", 5) == "日本…"
    assert cut("abc", 3) == "abc"
    assert clean("a\tb\u202e") == r"a\tb\u202e"


def test_a_child_is_read_with_rows_of_its_parent(
    full_servers: dict[int, PrefectServer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One request for the parent's rows, then one for each until there are enough; rows that they hold cost none."""
    configuration = tmp_path / "configuration.json"
    configuration.write_text(json.dumps({"api_url": full_servers[3].api_url}), "utf-8")
    places = ["--file", str(PROJECT / "streams.yaml"), "--configuration", str(configuration), "--rows", "4"]
    for stream, most in (("work_queues", 8), ("flow_run_states", 4), ("deployment_schedules", 0)):
        assert main(["preview", stream, *places, "--verbose", "--json"]) == 0
        shown = capsys.readouterr()
        rows = [json.loads(line) for line in shown.out.splitlines()]
        assert 1 <= len(rows) <= 4
        assert len({row["id"] for row in rows}) == len(rows)
        sent = shown.err.splitlines()
        assert 1 <= len(sent) <= 1 + most, sent
        assert main(["preview", stream, *places]) == 0
        assert f" of {stream}; " in capsys.readouterr().out


@pytest.mark.parametrize("major", MAJORS)
def test_a_child_of_parents_without_rows(
    major: int, configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the first parents are tried, and the message says so."""
    arguments = ["preview", "flow_run_inputs", "--configuration", str(configurations[major]), "--verbose"]
    assert main([*arguments, "--file", str(PROJECT / "streams.yaml")]) == 0
    shown = capsys.readouterr()
    assert shown.out == "flow_run_inputs: the first rows of flow_runs have none\n"
    assert len(shown.err.splitlines()) == 11


def test_a_list_in_one_response_is_read_with_its_own_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fewer rows are printed, not requested: a response with as many rows as requested would look cut off."""
    text = edited(STREAMS, add={"streams.orders.pagination": {"style": "single", "page_size": 1000}})
    with Loopback(rows_by_offset(orders(300))) as loopback:
        assert preview(tmp_path, loopback, "orders", "--rows", "2", "--json", text=text) == 0
        assert [seen.json["limit"] for seen in loopback.seen] == [1000]
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_rows_of_a_partition_have_its_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are those of the first partition that is selected, in front."""
    text = edited(
        STREAMS,
        add={
            "api.partitions": {
                "noun": "regions",
                "list": ["north", "south"],
                "selected": "-north",
                "base_url": "/regions/$(partition.value)",
                "columns": {"region": "$.value"},
            }
        },
    )
    with Loopback(rows_by_offset(orders(3))) as loopback:
        assert preview(tmp_path, loopback, "orders", text=text) == 0
        assert {seen.path for seen in loopback.seen} == {"/api/regions/south/orders/filter"}
    printed = capsys.readouterr()
    assert [line.split()[:2] for line in printed.out.splitlines()[:2]] == [["region", "id"], ["south", "o00000"]]
    assert "note: regions: what follows is read from south" in printed.err
