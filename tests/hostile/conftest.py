"""The model API, and a server that hands it the requests in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.testbed.loopback import Reply
from tests.hostile.model import STREAMS, Model
from tests.hostile.world import World
from tests.in_process import InProcess


@pytest.fixture
def server() -> Iterator[InProcess]:
    with InProcess(lambda seen: Reply([])) as server:
        yield server


@pytest.fixture
def model() -> Model:
    """A small model: a few rows of each kind, made over the last hours."""
    model = Model()
    model.fill()
    return model


@pytest.fixture
def world(server: InProcess, model: Model) -> World:
    """A connection of all streams to the model. Nothing is synced yet."""
    return World(server, model, STREAMS)
