"""Which streams a connection reads: the value of a setting of type ``streams``.

Names with commas between, in order: ``all``; ``default`` (what streams.yaml enables); a stream's name; a name after a
minus leaves it out. A list that begins with a minus, and an empty one, begin with the default.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.declare.problems import suggestion
from engine.spec.configuration import ConfigurationError
from engine.spec.dialect import Stream


def select(setting: str, text: str, streams: Mapping[str, Stream]) -> tuple[str, ...]:
    """The names of the streams to read, in the document's order.

    Raises:
        ConfigurationError: an item is no stream, or none is left. No item is repeated: it could be a misplaced secret.
    """
    default = {name for name, stream in streams.items() if stream.enabled}
    items = [item.strip() for item in text.split(",") if item.strip()]
    chosen = set(default) if not items or items[0].startswith("-") else set()
    problems = []
    for number, item in enumerate(items, start=1):
        name = item.removeprefix("-").strip()
        named = {"all": set(streams), "default": default}.get(name, {name})
        if not named <= streams.keys():
            hint = suggestion(name, ["all", "default", *streams])
            problems.append(f"{setting}: item {number} is not a stream; {hint}")
        elif item.startswith("-"):
            chosen -= named
        else:
            chosen |= named
    if not chosen and not problems:
        problems.append(f"{setting}: no stream is left to read")
    if problems:
        raise ConfigurationError("\n".join(["the configuration cannot be used:", *(f"  {p}" for p in problems)]))
    return tuple(name for name in streams if name in chosen)
