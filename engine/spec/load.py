"""From a streams.yaml file to a :class:`~engine.spec.model.Document`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.spec.configuration import Settings, check_configuration, sample_settings
from engine.spec.kinds import Reader, Record, Schema, Spot, block_schema, keys_of
from engine.spec.model import Document, Stream
from engine.spec.problems import Problem, SpecError
from engine.spec.selection import select
from engine.spec.yaml import NotYaml, compose


def load(path: Path, *, name: str | None = None) -> Document:
    """Read and check a streams.yaml without a configuration; each ``${name}`` stands for a sample value.

    Args:
        path: The file.
        name: What to call the file in errors; the path itself when not given.

    Raises:
        SpecError: with every mistake in the file.
        OSError: the file cannot be read.
    """
    return _File(path, name or str(path)).read(None)[0]


@dataclass(frozen=True)
class Connection:
    """A document whose ``${name}`` are filled in for one connection.

    ``settings_behind`` says which settings' values went into a part of the document, by keypath prefix, so that an
    error can name the setting to look at. ``selected`` names the streams that are read.
    """

    document: Document
    settings: Settings
    selected: tuple[str, ...]
    used: tuple[tuple[str, str], ...]

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that the connection reads, in the file's order."""
        return tuple(self.document.streams[name] for name in self.selected)

    def settings_behind(self, prefix: str) -> tuple[str, ...]:
        """The names of the settings used at or below a keypath, such as ``api.authentication``."""
        below = (name for path, name in self.used if path == prefix or path.startswith((f"{prefix}.", f"{prefix}[")))
        return tuple(dict.fromkeys(below))


def connect(path: Path, configuration: Mapping[str, Any], *, name: str | None = None) -> Connection:
    """Read a streams.yaml for one connection: check the configuration, then fill in its values.

    Raises:
        SpecError: the file is wrong.
        ConfigurationError: the configuration is wrong; no value is repeated.
        OSError: the file cannot be read.
    """
    file = _File(path, name or str(path))
    document, _ = file.read(None)
    settings = check_configuration(document.configuration, configuration)
    filled, used = file.read(settings.values)
    return Connection(filled, settings, selected(filled, settings.values), used)


def selected(document: Document, configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the streams that a configuration selects; all else in it may still be missing or wrong.

    Raises:
        ConfigurationError: the selection itself is wrong.
    """
    setting = next((name for name, setting in document.configuration.items() if setting.type == "streams"), "")
    return select(setting, str(configuration.get(setting) or ""), document.streams)


class _File:
    """A file that was parsed, to be read as a document with these settings or others.

    Raises:
        SpecError: it is not YAML.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        try:
            self._node, self._problems = compose(path.read_bytes().decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            problem = Problem(1, 1, "", f"not UTF-8: {error.reason} at byte {error.start}")
        except NotYaml as error:
            problem = error.problem
        else:
            return
        raise SpecError(name, [problem])

    def read(self, settings: Mapping[str, Any] | None) -> tuple[Document, tuple[tuple[str, str], ...]]:
        """The document, and which settings' values went where; without settings samples stand for them.

        Raises:
            SpecError: with every mistake in the file.
        """
        reader = Reader(problems=[*self._problems])
        spot = Spot(reader, self._node)
        reader.settings = _declared(spot) if settings is None else settings
        document = Record(Document).read(spot)
        if reader.problems:
            raise SpecError(self._name, reader.problems)
        return _with_defaults(document), tuple(reader.used)


def _declared(spot: Spot) -> Mapping[str, Any] | None:
    """Samples of the settings that the file declares. Its mistakes are reported when the whole is read."""
    aside = Reader()
    for name, child in spot.entries():
        if name == "configuration":
            (kind,) = (k.kind for k in keys_of(Document) if k.name == name)
            declared = kind.read(replace(child, reader=aside))
            return sample_settings(declared) if isinstance(declared, dict) else None
    return {}


def _with_defaults(document: Document) -> Document:
    """Give every stream its name, and what it leaves to the api."""
    streams: dict[str, Stream] = {}
    for name, stream in document.streams.items():
        streams[name] = replace(
            stream,
            name=name,
            pagination=stream.pagination or (document.api.pagination,),
            records=stream.records or document.api.records,
        )
    return replace(document, streams=streams)


def streams_schema() -> Schema:
    """The JSON Schema (draft 2020-12) of streams.yaml, for editors and other tools."""
    definitions: dict[str, Schema] = {}
    schema = block_schema(Document, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "streams.yaml",
        **schema,
        "$defs": dict(sorted(definitions.items())),
    }
