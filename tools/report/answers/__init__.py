"""The questions of the page, one a module: its query over the models, the finding as a sentence, charts and table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tools.report.answers import causes, deployments, durations, lateness, outcomes, pools, stuck, tags, tasks, waiting
from tools.report.parts import Answer
from tools.report.warehouse import Warehouse

_QUESTIONS: Final[tuple[Callable[[Warehouse], Answer], ...]] = (
    outcomes.answer,
    deployments.answer,
    causes.answer,
    stuck.answer,
    durations.answer,
    lateness.answer,
    waiting.answer,
    tasks.answer,
    pools.answer,
    tags.answer,
)


def answers(warehouse: Warehouse) -> Iterator[Answer]:
    """The answers, in the order in which people look for them."""
    return (answer(warehouse) for answer in _QUESTIONS)
