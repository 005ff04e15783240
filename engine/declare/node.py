"""YAML nodes with their places, and the context in which a file is read."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, Final, NoReturn

import yaml as pyyaml

from engine.declare.problems import Problem, suggestion
from engine.declare.yaml import scalar_type

PLACEHOLDER: Final = re.compile(r"\$\{([^}]*)\}")


class Unknown(Exception):
    """Code used a value that was reported as wrong. Nothing follows from such a value."""


class _Invalid:
    """Stands in for a value that was reported as wrong. Any use of it other than ``is`` raises :class:`Unknown`."""

    def _raise(self, *arguments: Any) -> NoReturn:
        raise Unknown

    __bool__ = __contains__ = __eq__ = __getattr__ = __getitem__ = __hash__ = __iter__ = __len__ = __lt__ = _raise
    __format__ = __str__ = _raise

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final[Any] = _Invalid()


@dataclass
class Context:
    """Shared by all nodes while a file is read.

    Attributes:
        settings: The value of each ``${name}``; None for a setting whose own declaration is wrong. INVALID if the
            declarations as a whole are wrong. None while the settings themselves are read: there, ``${name}`` is text.
        renamed: Former names of keys with the current ones, by the name of the block's class.
        problems: The mistakes found so far.
        used: Where settings were filled in, as pairs of a keypath and the setting's name.
    """

    settings: Mapping[str, Any] | None = field(default=None, repr=False)  # can contain secrets
    renamed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    used: list[tuple[str, str]] = field(default_factory=list)


class where_known:  # noqa: N801
    """Ends the block silently if it uses a value that was reported as wrong: nothing follows from such a value.

    (Not a generator: a file has thousands of these blocks, and a generator is four times as slow.)
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        # Functions in C raise a TypeError for INVALID.
        return kind is Unknown or (kind is TypeError and bool(self._context.problems))


@dataclass(frozen=True)
class Node:
    """A YAML node with its keypath and, if it is the value of a key, the node of the key."""

    context: Context
    yaml: pyyaml.Node
    path: str = ""
    key: pyyaml.Node | None = None
    written: str | None = None
    """The text in the file, if settings were filled in."""

    def problem(self, message: str, *, at_key: bool = False) -> Any:
        """Report a mistake at this node, or at its key; returns ``INVALID``."""
        mark = (self.key if at_key and self.key is not None else self.yaml).start_mark
        self.context.problems.append(Problem(mark.line + 1, mark.column + 1, self.path, message))
        return INVALID

    @property
    def type(self) -> str:
        """One of mapping, list, str, int, float, bool, null, timestamp."""
        return scalar_type(self.yaml)

    @cached_property
    def entries(self) -> Sequence[tuple[str, Node]]:
        """The keys and values of a mapping. Keys that are no strings were reported before, and are skipped."""
        above = f"{self.path}." if self.path else ""
        return [
            (key.value, Node(self.context, value, above + key.value, key))
            for key, value in self.yaml.value
            if isinstance(key, pyyaml.ScalarNode)
        ]

    def items(self) -> Iterator[Node]:
        """The items of a list."""
        for index, item in enumerate(self.yaml.value):
            yield Node(self.context, item, f"{self.path}[{index}]")

    def get(self, name: str) -> Node | None:
        """The value of a key, if this is a mapping that has it."""
        return self._values.get(name)

    @cached_property
    def _values(self) -> dict[str, Node]:
        return dict(self.entries) if isinstance(self.yaml, pyyaml.MappingNode) else {}

    def at(self, *steps: str | int) -> Node:
        """The node at a path, or the nearest node above it that the file has.

        A list of one can be written without brackets, and a block as its shorthand, so missing steps are skipped.
        """
        node = self
        for step in steps:
            found = None
            if isinstance(step, str):
                found = node.get(step)
            elif isinstance(node.yaml, pyyaml.SequenceNode):
                found = next(islice(node.items(), step, None), None)
            node = found or node
        return node

    def describe(self) -> str:
        """The value in words, for an error message.

        A value from a setting is not repeated, because it could be a secret. A long string is not repeated, either.
        """
        if self.written is not None:
            return f"something else in {self.written}"
        if self.type in ("mapping", "list"):
            return f"a {self.type}"
        if self.type == "null":
            return "nothing"
        if self.type == "timestamp":
            return f"the date {self.yaml.value} (in quotes it is a string)"
        if self.type == "str":
            text = self.yaml.value
            return f'"{text}"' if len(text) <= 60 else f"a string of {len(text)} characters"
        noun = {"int": "the number", "float": "the number", "bool": "the boolean"}[self.type]
        return f"{noun} {self.yaml.value}"

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that the string refers to, with their values."""
        known = self.context.settings
        if known is None or known is INVALID or not isinstance(self.yaml, pyyaml.ScalarNode):
            return {}
        return {name: known[name] for name in PLACEHOLDER.findall(self.yaml.value) if name in known}

    def filled(self) -> Node | None:
        """The same node with each ``${name}`` replaced.

        Returns None if a setting is unknown, which is reported here, or wrong, which was reported at its declaration.
        """
        node, settings = self.yaml, self.context.settings
        if settings is None or not isinstance(node, pyyaml.ScalarNode) or not PLACEHOLDER.search(node.value):
            return self
        if settings is INVALID:
            return None
        names = PLACEHOLDER.findall(node.value)
        for name in names:
            if name not in settings:
                self.problem(f"${{{name}}} is not declared under configuration; {suggestion(name, settings)}")
                return None
            if settings[name] is None:
                return None
            self.context.used.append((self.path, name))
        if PLACEHOLDER.fullmatch(node.value) and isinstance(settings[names[0]], int):
            tag, text = "tag:yaml.org,2002:int", str(settings[names[0]])
        else:
            tag, text = "tag:yaml.org,2002:str", PLACEHOLDER.sub(lambda m: str(settings[m[1]]), node.value)
        filled = pyyaml.ScalarNode(tag, text, node.start_mark, node.end_mark)
        return dataclasses.replace(self, yaml=filled, written=node.value)
