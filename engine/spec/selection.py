"""Which streams a connection syncs: the value of a setting of type ``streams``.

The value is a comma-separated list of ``all``, ``default`` (the streams that streams.yaml enables) and stream names. A
minus in front of an item leaves its streams out. Items apply from left to right. An empty list, and one that starts
with a minus, start from the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.declare.problems import suggestion
from engine.spec.configuration import ConfigurationError
from engine.spec.dialect import Stream

WORDS: Final = ("all", "default")
"""Items that stand for several streams."""


def select(setting: str, text: str, streams: Mapping[str, Stream]) -> tuple[str, ...]:
    """Parse a selection.

    Args:
        setting: The setting's name, for messages.
        text: The setting's value.
        streams: All streams of the spec by name.

    Returns:
        The names of the selected streams, in the file's order.

    Raises:
        ConfigurationError: an item is not a stream, or no stream is left. The message repeats no item: it could be a
            misplaced secret.
    """
    default = {name for name, stream in streams.items() if stream.enabled}
    items = [item.strip() for item in text.split(",") if item.strip()]
    chosen = set(default) if not items or items[0].startswith("-") else set()
    problems = []
    for number, item in enumerate(items, start=1):
        name = item.removeprefix("-").strip()
        named = {"all": set(streams), "default": default}.get(name, {name})
        if not named <= streams.keys():
            hint = suggestion(name, [*WORDS, *streams])
            problems.append(f"{setting}: item {number} is not a stream; {hint}")
        elif item.startswith("-"):
            chosen -= named
        else:
            chosen |= named
    if not chosen and not problems:
        problems.append(f"{setting}: it leaves out every stream")
    if problems:
        raise ConfigurationError(problems)
    return tuple(name for name in streams if name in chosen)
