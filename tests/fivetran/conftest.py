"""Servers for tests that leave nothing as it was. Those that other tests share are in the folder above."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.testbed.history import History
from dev.testbed.prefect_server import PrefectServer
from tests.conftest import MAJORS, started

__all__ = ["MAJORS", "stormy_servers"]


@pytest.fixture(scope="module")
def stormy_servers() -> Iterator[dict[int, tuple[PrefectServer, History]]]:
    """Both servers again, for tests that leave nothing as it was."""
    yield from started(60)
