"""`check --unmapped` notes what an API offers and streams.yaml does not read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.readme import PROJECT
from tests.shop import STREAMS
from tests.specs import edited
from tests.tools.openapi.documents import shop
from tools.cli import main


def check(configuration: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    arguments = ["check", str(PROJECT / "streams.yaml"), "--configuration", str(configuration), "--unmapped"]
    assert main([*arguments, "--format", "json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["findings"]
    return found


def test_lists_that_no_stream_reads(configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Each is a note, also one that a stream requests for another purpose; operations that change something are not."""
    notes = [note["message"] for note in check(configurations[3], capsys) if note["aspect"] == "unmapped"]
    found = {words[1]: words[2] for note in notes if (words := re.match(r"no stream reads (\w+ [^ :]+)(.*)", note))}
    assert found["GET /deployments/{id}/schedules"].startswith(" (does not accept api.pagination)")
    assert "GET /flow_runs/{id}/graph" in found
    assert found["POST /work_queues/filter"].startswith(": id, ")
    assert not found.keys() & {"POST /flow_runs/filter", "POST /flows/filter", "POST /variables/filter"}
    assert not any("bulk" in endpoint or "increment" in endpoint for endpoint in found)


def test_properties_and_columns(configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A property counts as mapped if a column maps a part of it. Prefect 2 lacks the properties of some columns."""
    found = check(configurations[2], capsys)
    properties: dict[str, set[str]] = {}
    for finding in found:
        if match := re.match(r'no column maps "(\w+)"', finding["message"]):
            properties.setdefault(finding["stream"], set()).add(match[1])
    assert "flow_runs" not in properties
    assert properties["block_documents"] == {"block_schema", "block_type"}
    null = {finding["keypath"] for finding in found if finding["message"].startswith("always NULL on this server")}
    assert {keypath for keypath in null if keypath.startswith("streams.flows.")} == {"streams.flows.fields.labels"}
    # The server's OpenAPI document does not cover paths above the base URL, so none of those is reported as missing.
    assert {finding["stream"] for finding in found if finding["message"].startswith("the server has no /")} == {
        "task_workers", "webhooks", "slas", "workspace_user_access", "workspace_bot_access", "workspace_team_access",
    }  # fmt: skip


def test_text_output_has_missing_and_unmapped_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A saved document needs no configuration. What streams.yaml does not read is no mistake; what it lacks is."""
    document = shop()
    del document["paths"]["/orders/count"]
    (tmp_path / "saved.json").write_text(json.dumps(document), "utf-8")
    file = tmp_path / "streams.yaml"
    arguments = ["check", str(file), "--offline", "--openapi", str(tmp_path / "saved.json"), "--unmapped"]

    def lines() -> list[str]:
        return re.findall(r"streams\.yaml:\d+:\d+ (\S+: \w+: .+)", capsys.readouterr().out)

    fields = "streams.orders.fields"
    text = edited(STREAMS, remove=["streams.orders.count", f"{fields}.note"], add={f"{fields}.remark": "$.remark"})
    file.write_text(text, "utf-8")
    assert main(arguments) == 0
    unmapped = [
        "streams: note: no stream reads GET /shops/{shop}/staff (does not accept api.pagination): name, boss",
        'streams.orders.fields: note: no column maps "note" (STRING)',
        'streams.orders.fields: note: no column maps "buyer" (JSON)',
        'streams.orders.fields: note: no column maps "labels" (JSON)',
        'streams.orders.fields: note: no column maps "free" (JSON)',
        'streams.orders.fields: note: no column maps "lines" (JSON)',
    ]
    remark = (
        'streams.orders.fields.remark: warning: always NULL: the response has no "remark" for $.remark; known: id, '
        "updated, amount, note, buyer, labels, free, lines (is the server newer or older than streams.yaml?)"
    )
    assert lines() == [*unmapped, remark]
    file.write_text(STREAMS, "utf-8")
    assert main(arguments) == 0
    assert "streams.orders.count: warning: the server has no /orders/count" in "\n".join(lines())


def test_only_the_chosen_streams(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --stream, the notes are about that stream: lists that no stream reads are about the whole file."""
    (tmp_path / "saved.json").write_text(json.dumps(shop()), "utf-8")
    (tmp_path / "streams.yaml").write_text(STREAMS, "utf-8")
    arguments = ["check", str(tmp_path / "streams.yaml"), "--offline", "--openapi", str(tmp_path / "saved.json")]
    assert main([*arguments, "--unmapped", "--stream", "orders"]) == 0
    out = capsys.readouterr().out
    assert 'no column maps "buyer"' in out
    assert "no stream reads" not in out
    assert main(arguments) == 0
    assert "no column maps" not in capsys.readouterr().out


def test_no_document_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the remedy."""
    (tmp_path / "streams.yaml").write_text(STREAMS, "utf-8")
    (tmp_path / "configuration.json").write_text('{"api_url": "http://127.0.0.1:9/api"}', "utf-8")
    arguments = ["check", str(tmp_path / "streams.yaml"), "--configuration", str(tmp_path / "configuration.json")]
    assert main([*arguments, "--unmapped"]) == 2
    err = capsys.readouterr().err
    assert "set openapi under api" in err
    assert "what no stream reads" in err
    (tmp_path / "page.json").write_text("<html>", "utf-8")
    assert main([*arguments, "--unmapped", "--openapi", str(tmp_path / "page.json")]) == 2
    assert "page.json is neither JSON nor YAML" in capsys.readouterr().err
