"""`drift` tells what is on one side only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.readme import PROJECT
from tests.shop import STREAMS
from tests.tools.openapi.documents import shop
from tools.cli import main


def drift(configuration: Path, capsys: pytest.CaptureFixture[str], file: Path = PROJECT / "streams.yaml") -> Any:
    assert main(["drift", str(file), "--configuration", str(configuration), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_lists_that_no_stream_copies(configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A list that a stream asks on the way to its own rows is one of them; what changes something is not."""
    found = {one["endpoint"]: one for one in drift(configurations[3], capsys)["lists"]}
    assert not found["GET /deployments/{id}/schedules"]["paged"]
    assert "GET /flow_runs/{id}/graph" in found
    assert found["POST /work_queues/filter"]["paged"]
    assert not found.keys() & {"POST /flow_runs/filter", "POST /flows/filter", "POST /variables/filter"}
    assert not any("bulk" in endpoint or "increment" in endpoint for endpoint in found)


def test_properties_and_columns(configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """On Prefect 2 some columns have no property; a property that only a nested path maps counts as mapped."""
    found = drift(configurations[2], capsys)
    assert "flow_runs" not in found["properties"]
    assert set(found["properties"]["block_documents"]) == {"block_schema", "block_type"}
    assert found["columns"]["flows"] == ["labels"]
    # Of what lies above the base URL the server's document does not tell, so nothing is said of it.
    assert set(found["endpoints"]) == {
        "task_workers", "webhooks", "slas", "workspace_user_access", "workspace_bot_access", "workspace_team_access",
    }  # fmt: skip


def test_the_text_tells_all_four_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a saved document, without configuration; none of it is a mistake."""
    document = shop()
    del document["paths"]["/orders/count"]
    (tmp_path / "saved.json").write_text(json.dumps(document), "utf-8")
    text = STREAMS.replace("note: $.note", "remark: $.remark")
    (tmp_path / "streams.yaml").write_text(text, "utf-8")
    assert main(["drift", str(tmp_path / "streams.yaml"), "--openapi", str(tmp_path / "saved.json")]) == 0
    assert capsys.readouterr().out == (
        "Shop, version 7\n"
        "\n1 list besides, paged in another way or not at all\n"
        "  GET /shops/{shop}/staff  name, boss\n"
        "\norders: 5 properties that no column maps\n"
        "  note    STRING\n"
        "  buyer   JSON\n"
        "  labels  JSON\n"
        "  free    JSON\n"
        "  lines   JSON\n"
        "\norders: 1 endpoint that the API does not have\n"
        "  POST /orders/count\n"
        "\norders: 1 column without a property of the API\n"
        "  remark\n"
    )


def test_no_document_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says what to do."""
    (tmp_path / "streams.yaml").write_text(STREAMS, "utf-8")
    (tmp_path / "configuration.json").write_text('{"api_url": "http://127.0.0.1:9/api"}', "utf-8")
    arguments = ["drift", str(tmp_path / "streams.yaml"), "--configuration", str(tmp_path / "configuration.json")]
    assert main(arguments) == 2
    assert "set openapi under api" in capsys.readouterr().err
    (tmp_path / "page.json").write_text("<html>", "utf-8")
    assert main([*arguments, "--openapi", str(tmp_path / "page.json")]) == 2
    assert "page.json is not JSON" in capsys.readouterr().err
