"""YAML text as a tree of nodes with their lines and columns.

The tree is composed but never constructed: no tag can create a Python object, and every later check can name a place.
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
_KNOWN_TAGS = {f"{_PLAIN_TAG}{name}" for name in (*_SCALARS, "map", "seq", "merge", "value")}
_MERGE_TAG = f"{_PLAIN_TAG}merge"  # of a plain <<; in quotes it is a key like any other
_CONSTRUCTOR = yaml.constructor.SafeConstructor()
_MAX_DEPTH = 100  # so that recursion over the tree stays far below Python's limit
_MAX_SIZE = 200_000  # nested aliases can repeat a few lines billions of times
_TOO_DEEP = f"the file is nested more than {_MAX_DEPTH} levels deep"


class NotYaml(Exception):
    """The text is not one YAML mapping; ``problem`` has the place and the reason."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def compose(text: str) -> tuple[yaml.MappingNode, list[Problem]]:
    """Parse a YAML document.

    Merge keys (``<<``) are resolved: a mapping then holds the merged keys, each with its place in the anchor's text.

    Returns:
        The top-level mapping, and the mistakes that no longer show in it: keys given twice, tags, wrong merges.

    Raises:
        NotYaml: a syntax error, an empty file, a second document, an alias that contains itself, too deep or too large.
    """
    try:
        try:
            node = yaml.compose(text, Loader=_FAST_LOADER)
        except yaml.YAMLError:
            node = _compose_slowly(text)
    except RecursionError:
        raise NotYaml(Problem(1, 1, "", _TOO_DEEP)) from None
    if not isinstance(node, yaml.MappingNode):
        raise NotYaml(Problem(1, 1, "", "expected a mapping of keys at the top of the file"))
    structure = _Structure()
    structure.resolve(node, "")
    return node, structure.problems


def _compose_slowly(text: str) -> yaml.Node | None:
    """Parse again in pure Python, whose messages do not depend on the C library that PyYAML was built with."""
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


class _Structure:
    """Resolves merge keys, and collects the mistakes in a document that are YAML's own."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._parents: list[yaml.Node] = []
        self._size = 0

    def resolve(self, node: yaml.Node, path: str) -> None:
        """Visit a node and all nodes below it, as often as aliases repeat them."""
        self._size += 1
        if node in self._parents:
            raise NotYaml(_problem(node, path, "this is an alias that contains itself"))
        if len(self._parents) == _MAX_DEPTH:
            raise NotYaml(_problem(node, "", _TOO_DEEP))
        if self._size > _MAX_SIZE:
            raise NotYaml(
                _problem(node, "", f"with what its aliases repeat, the file has more than {_MAX_SIZE:,} values")
            )
        self._parents.append(node)
        if isinstance(node, yaml.MappingNode):
            self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.resolve(item, f"{path}[{index}]")
        elif isinstance(node, yaml.ScalarNode):
            self._scalar(node, path)
        if node.tag not in _KNOWN_TAGS:
            self._report(node, path, f"the tag {node.tag} is not used here; remove it")
        self._parents.pop()

    def _report(self, node: yaml.Node, path: str, message: str) -> None:
        self.problems.append(_problem(node, path, message))

    def _mapping(self, node: yaml.MappingNode, path: str) -> None:
        own: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._report(key, path, "a key must be a string")
                continue
            here = f"{path}.{key.value}" if path else key.value
            if key.value in own:
                self._report(key, here, f"duplicate key; the first is on line {own[key.value]}")
            own.setdefault(key.value, key.start_mark.line + 1)
            if value.start_mark.index == value.end_mark.index and value.start_mark.line > key.end_mark.line:
                value.start_mark = value.end_mark = key.end_mark  # nothing is at its key, not where the file goes on
            self.resolve(value, path if key.tag == _MERGE_TAG else here)
        if any(key.tag == _MERGE_TAG for key, _ in node.value):
            node.value = list(self._merged(node, path))

    def _merged(self, node: yaml.MappingNode, path: str) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """The entries of a mapping, with those of merged mappings in the place of ``<<``. Its own keys win."""
        taken = {key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE_TAG}
        for key, value in node.value:
            if key.tag != _MERGE_TAG:
                yield key, value
                continue
            for mapping in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(mapping, yaml.MappingNode):
                    self._report(mapping, f"{path}.<<" if path else "<<", "<< takes a mapping or a list of mappings")
                    continue
                entries = [entry for entry in mapping.value if isinstance(entry[0], yaml.ScalarNode)]
                yield from (entry for entry in entries if entry[0].value not in taken)
                taken |= {name.value for name, _ in entries}

    def _scalar(self, node: yaml.ScalarNode, path: str) -> None:
        """Report what has the form or the tag of a number but no value: ``0x_``, ``!!int x``. It becomes a string."""
        noun = {"int": "an integer", "float": "a number", "bool": "true or false"}.get(scalar_type(node))
        if noun is not None:
            try:
                scalar_value(node)
            except (IndexError, KeyError, ValueError):
                self._report(node, path, f"YAML reads this as {noun}, which it is not; put it in quotes")
                node.tag = f"{_PLAIN_TAG}str"


def _problem(node: yaml.Node, path: str, message: str) -> Problem:
    return Problem(node.start_mark.line + 1, node.start_mark.column + 1, path, message)


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
        KeyError: a boolean by its tag that is none.
        ValueError: a number or date by its form or tag that is none, such as ``2024-02-31``.
    """
    if scalar_type(node) == "str":
        return node.value
    return _CONSTRUCTOR.construct_object(node)
