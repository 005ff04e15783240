"""Variants of a streams.yaml, for tests of one that differs in a few values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from engine.spec.dialect import Spec
from engine.spec.load import load

SHIPPED = Path(__file__).parents[1] / "streams.yaml"


def parsed(text: str) -> Any:
    """The value of a YAML text, read as fast as the machine allows: PyYAML's wheels have a reader in C."""
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def dumped(value: Any) -> str:
    """A value as YAML."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


@cache
def shipped() -> Spec:
    """The project's own streams.yaml."""
    return load(SHIPPED)


@cache
def shipped_with(*names: str) -> str:
    """The project's own streams.yaml with these streams and their sources only, which is read much faster."""
    kept, streams = set(names), shipped().streams
    for name, stream in reversed([*streams.items()]):  # each comes after its source
        if name in kept and stream.source is not None:
            kept.add(stream.source.name)
    references = [
        f"streams.{name}.fields.{column}.references"
        for name in kept
        for column, field in streams[name].fields.items()
        if field.references is not None
    ]
    return edited(
        SHIPPED.read_text("utf-8"), remove=[*(f"streams.{name}" for name in streams.keys() - kept), *references]
    )


def edited(
    text: str, *, add: Mapping[str, Any] = {}, replace: Mapping[str, Any] = {}, remove: Collection[str] = ()
) -> str:
    """Edit a streams.yaml by path, such as ``api.retry.attempts`` or ``streams.runs.incremental.changes.0.fallback``.

    Values are removed first, so that a block can be replaced under another key. Comments and anchors are lost.

    An edit that would change nothing is an error, because the test would prove nothing.

    Raises:
        LookupError: a path to remove or replace, or the parent of a path to add, does not exist.
        AssertionError: a path to add exists, or a replacement is equal to the value that is there.
    """
    assert add or replace or remove
    spec = _unshared(_original(text))
    for path in remove:
        parent, key = _find(spec, path)
        del parent[key]
    for path, value in replace.items():
        parent, key = _find(spec, path)
        assert parent[key] != value, f"{path} is {value!r} already"
        parent[key] = value
    for path, value in add.items():
        parent, key = _find(spec, path)
        assert key not in parent, f"{path} exists"
        parent[key] = value
    return dumped(spec)


@cache
def _original(text: str) -> Any:
    """The value of a streams.yaml that many tests edit."""
    return parsed(text)


def reconciled_by_every_sync(text: str) -> str:
    """A streams.yaml in which every sync is due for each reconciliation that it declares."""
    streams = parsed(text)["streams"]
    reconciled = [name for name, stream in streams.items() if "reconcile" in stream.get("incremental", {})]
    return edited(text, replace={f"streams.{name}.incremental.reconcile.every": "0s" for name in reconciled})


def _unshared(value: Any) -> Any:
    """A copy in which values that aliases repeat are values of their own, so that an edit changes one place."""
    if isinstance(value, dict):
        return {name: _unshared(item) for name, item in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value


def _find(spec: Any, path: str) -> tuple[Any, Any]:
    """The mapping or list that holds the value at a path, and its key or index there."""
    *parents, last = path.split(".")
    parent = spec
    for name in parents:
        parent = parent[_key(parent, name)]
    return parent, _key(parent, last)


def _key(parent: Any, name: str) -> Any:
    return int(name) if isinstance(parent, list) else name
