"""Children of a list of values, which a setting has: repositories, accounts, forms."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from engine.failures import Failure
from engine.http.client import Client
from engine.setup_form import form_fields, setup_tests
from engine.spec.configuration import ConfigurationError
from engine.spec.load import resolve
from engine.sync import sync
from tests.in_process import InProcess
from tests.lists import START, alive
from tests.reading.test_children_since import STREAMS, Forge, at
from tests.shop import Lines, Recorder
from tests.specs import edited
from tools.json_schema import configuration_schema
from tools.sample import sample

OF_VALUES = edited(
    STREAMS,
    remove=["streams.repos"],
    add={"configuration.repositories": {"type": "list", "description": "owner/name, with commas between."}},
    replace={
        "streams.issues.endpoint": "GET /repos/$(+parent.value)/issues",
        "streams.issues.parent": {"list": "${repositories}"},
        "streams.issues.fields.repo": "$parent.value",
    },
)
WITHOUT_QUERY = edited(OF_VALUES, remove=["streams.issues.incremental"])
FULL_REFRESH = edited(
    WITHOUT_QUERY, remove=["streams.issues.cursor_field"], replace={"streams.issues.sync_mode": "full_refresh"}
)


def written(folder: Path, text: str) -> Path:
    path = folder / "streams.yaml"
    path.write_text(text, "utf-8")
    return path


def synced(forge: Forge, path: Path, repositories: str, recorder: Recorder | None = None) -> Recorder:
    """Sync these repositories, and let a day pass."""
    recorder = recorder or Recorder()
    recorder.operations.clear()
    with InProcess(forge) as server:
        resolved = resolve(path, {"api_url": server.url, "repositories": repositories})
        sync(resolved, recorder.state, recorder, Lines())
    forge.now += timedelta(days=1)
    return recorder


def test_each_value_is_asked_and_a_new_one_for_everything(tmp_path: Path) -> None:
    """Once, however often and with whatever blanks the setting has it. Fields can have the value."""
    path, forge = written(tmp_path, OF_VALUES), Forge("acme/api", "acme/web", "acme/new")
    recorder = synced(forge, path, " acme/api,acme/web ,, acme/api")
    assert forge.asked() == {"acme/api/issues": None, "acme/web/issues": None}
    assert alive(recorder, "issues")["acme/web#0"]["repo"] == "acme/web"
    forge.issues["acme/api"][1]["updated"] = at(0.5)
    synced(forge, path, "acme/web, acme/new, acme/api", recorder)
    since = "2025-12-31"
    assert forge.asked() == {"acme/api/issues": since, "acme/web/issues": since, "acme/new/issues": None}
    assert recorder.count("upsert", "issues") == 3


def test_without_a_query_the_old_rows_of_a_new_value_arrive_too(tmp_path: Path) -> None:
    """Of the other values, every row is read, and those whose cursor moved are sent."""
    path, forge = written(tmp_path, WITHOUT_QUERY), Forge("acme/api", "acme/web")
    recorder = synced(forge, path, "acme/api")
    forge.issues["acme/api"][1]["updated"] = at(0.5)
    synced(forge, path, "acme/api,acme/web", recorder)
    assert recorder.count("upsert", "issues") == 3
    assert len(alive(recorder, "issues")) == 4
    assert alive(recorder, "issues")["acme/api#1"]["updated"] == START + timedelta(days=0.5)


def test_a_full_refresh_follows_the_list_of_values(tmp_path: Path) -> None:
    """The rows of a value that was removed from the setting are deleted; of an empty one, there are none."""
    path, forge = written(tmp_path, FULL_REFRESH), Forge("acme/api", "acme/web")
    recorder = synced(forge, path, "acme/api, acme/web")
    assert len(alive(recorder, "issues")) == 4
    synced(forge, path, "acme/web", recorder)
    assert alive(recorder, "issues").keys() == {"acme/web#0", "acme/web#1"}
    synced(forge, path, "", recorder)
    assert not alive(recorder, "issues")


def test_a_value_that_the_server_does_not_have_is_a_failure(tmp_path: Path) -> None:
    """The message says where to remove it. A value that leads to another path is never requested."""
    path, forge = written(tmp_path, OF_VALUES), Forge("acme/api")
    forge.refuse = lambda path: False
    forge.missing = {"acme/gone/issues"}
    with pytest.raises(Failure, match=r"It is one of parent\.list: remove it there if it is gone"):
        synced(forge, path, "acme/api, acme/gone")
    forge.asked()
    synced(forge, path, "acme/api, acme/../../admin")
    assert forge.asked().keys() == {"acme/api/issues"}


def test_the_setting_is_in_the_form_the_tests_and_the_schema(tmp_path: Path) -> None:
    """A test reads the list of the first value; `preview` has the rows of the first values."""
    path, forge = written(tmp_path, OF_VALUES), Forge("acme/api", "acme/web")
    with InProcess(forge) as server:
        settings = {"api_url": server.url, "repositories": "acme/api, acme/web"}
        assert [test.run(settings) for test in setup_tests(path, Lines())] == [None] * 4
        assert forge.asked() == {"acme/api/issues": None}
        assert [test.run({**settings, "repositories": ""}) for test in setup_tests(path, Lines())] == [None] * 4
        found = [test.run({**settings, "repositories": "acme/.."}) for test in setup_tests(path, Lines())]
        assert "issues: the first of parent.list cannot be part of the path" in (found[-1] or "")
        assert not forge.asked()
        resolved = resolve(path, settings)
        with Client(resolved, Lines()) as client:
            rows = sample(client, resolved.spec, resolved.spec.streams["issues"], 3, Lines()).rows
    assert [row["id"] for row in rows] == ["acme/api#0", "acme/api#1", "acme/web#0"]
    assert [field.name for field in form_fields(resolved.spec)] == ["api_url", "repositories"]
    pattern = configuration_schema(resolved.spec.configuration, "Shop")["properties"]["repositories"]["pattern"]
    assert [bool(re.search(pattern, text)) for text in ("a/b, c", "a", " , ")] == [True, True, False]
    with pytest.raises(ConfigurationError, match="repositories: expected values separated by commas"):
        resolve(path, {**settings, "repositories": " ,, "})
