"""What Fivetran's CLI imports, imported once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fivetran.project import IMPORTED
from tests.forks import Forks


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """Runs `fivetran` in forks, for a :class:`~tests.fivetran.project.UserProject`."""
    with Forks(*IMPORTED) as forks:
        yield forks
