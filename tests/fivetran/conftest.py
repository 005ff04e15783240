"""What Fivetran's CLI imports, imported once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.forks import Forks

IMPORTED = ("jsonpath_ng", "msgspec", "prompt_toolkit", "requests", "tqdm", "yaml")
"""Not the CLI itself: DuckDB, which it imports, starts a thread, which a fork would lack."""


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """Runs `fivetran` in forks, for a :class:`~tests.fivetran.project.UserProject`."""
    with Forks(*IMPORTED) as forks:
        yield forks
