"""What a rule finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engine.declare.node import Node


class Violation(NamedTuple):
    """A mistake and its place: the node or, with ``at_key``, the key in front of it."""

    node: Node
    message: str
    at_key: bool = False


Violations = Iterator[Violation]
