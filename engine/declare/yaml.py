"""YAML text -> a tree of nodes that still know their line and column.

The tree is composed, never constructed: no tag can make Python build an object, and every later check can name the
place that it is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import yaml

from engine.declare.problems import Problem

if TYPE_CHECKING:
    # Fivetran's CLI finds an imported package on disk only under a module name that the package itself declares.
    # PyYAML declares this one; without it every `fivetran debug` asks the package registry, and waits when offline.
    import _yaml  # type: ignore[import-untyped]  # noqa: F401

_FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_TAG = "tag:yaml.org,2002:"
_SCALARS = ("str", "int", "float", "bool", "null", "timestamp")
_CONSTRUCTOR = yaml.constructor.SafeConstructor()


class NotYaml(Exception):
    """The text cannot be read as one YAML mapping at all; ``problem`` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def compose(text: str) -> tuple[yaml.MappingNode, list[Problem]]:
    """The top-level mapping of a YAML document as nodes with their marks, and the keys given twice or tagged in it.

    Raises:
        NotYaml: a syntax error, an empty file, a second document, an alias that contains itself.
    """
    try:
        node = yaml.compose(text, Loader=_FAST_LOADER)
    except yaml.YAMLError:
        node = _compose_slowly(text)
    if not isinstance(node, yaml.MappingNode):
        raise NotYaml(Problem(1, 1, "", "expected a mapping of keys at the top of the file"))
    return node, list(_structure_problems(node, "", ()))


def _compose_slowly(text: str) -> yaml.Node | None:
    """Parse again in pure Python: its messages are the same whatever C library PyYAML was built with."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        raise NotYaml(Problem(line, column, "", f"not YAML: {reason}")) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        character = error.character if isinstance(error.character, int) else ord(error.character)
        message = f"not YAML: the character U+{character:04X} is not allowed"
        raise NotYaml(Problem(line, column, "", message)) from None


def _structure_problems(node: yaml.Node, path: str, parents: tuple[int, ...]) -> Iterator[Problem]:
    mark = node.start_mark
    if id(node) in parents:
        raise NotYaml(Problem(mark.line + 1, mark.column + 1, path, "this is an alias that contains itself"))
    parents = (*parents, id(node))
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            at = key.start_mark
            if not isinstance(key, yaml.ScalarNode):
                yield Problem(at.line + 1, at.column + 1, path, "a key must be a plain word")
                continue
            here = f"{path}.{key.value}" if path else key.value
            if key.value in first:
                message = f"this key is here twice; the first is on line {first[key.value]}"
                yield Problem(at.line + 1, at.column + 1, here, message)
            first.setdefault(key.value, at.line + 1)
            yield from _structure_problems(value, here, parents)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _structure_problems(item, f"{path}[{index}]", parents)
    if node.tag.removeprefix(_PLAIN_TAG) not in (*_SCALARS, "map", "seq", "merge", "value"):
        yield Problem(mark.line + 1, mark.column + 1, path, f"the tag {node.tag} is not used here; remove it")


Place = tuple[str | int, ...]
"""The names and indexes that lead to a value of the file: ``("streams", "flows", "body", "sort")``."""


def locate(node: yaml.Node, place: Place) -> Problem:
    """A problem without words at a place of a composed file, or at the nearest place above it that the file has.

    A list of one may be written without its brackets and a block as its one value, so steps that the file does not
    spell out are passed over.
    """
    mark, path = node.start_mark, ""
    for step in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            mark, path = node.start_mark, f"{path}[{step}]"
        elif isinstance(node, yaml.MappingNode) and isinstance(step, str):
            found = next((pair for pair in node.value if pair[0].value == step), None)
            if found is None:
                break
            key, node = found
            mark, path = key.start_mark, f"{path}.{step}" if path else step
        elif isinstance(step, str) and isinstance(node, yaml.SequenceNode):
            break
    return Problem(mark.line + 1, mark.column + 1, path, "")


def scalar_type(node: yaml.Node) -> str:
    """One of str, int, float, bool, null, timestamp for a scalar; mapping or list otherwise."""
    if isinstance(node, yaml.MappingNode):
        return "mapping"
    if isinstance(node, yaml.SequenceNode):
        return "list"
    name = node.tag.removeprefix(_PLAIN_TAG)
    return name if name in _SCALARS else "str"


def scalar_value(node: yaml.ScalarNode) -> Any:
    """The Python value of a scalar node (str, int, float, bool, None, date or datetime).

    Raises:
        ValueError: the text has the form of a number or date but is none, such as ``2024-02-31``.
    """
    if scalar_type(node) == "str":
        return node.value
    return _CONSTRUCTOR.construct_object(node)
