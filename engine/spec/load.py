"""Reading a streams.yaml as a :class:`~engine.spec.dialect.Spec`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.authentication import style_in_use
from engine.declare.addresses import is_loopback
from engine.declare.blocks import keys_of, read_block
from engine.declare.node import INVALID, Context, Node
from engine.declare.problems import Problem, SpecError
from engine.declare.yaml import NotYaml, compose
from engine.spec.configuration import ConfigurationError, Setting, Settings, check_configuration, sample_settings
from engine.spec.dialect import Field, Partitions, Spec, Stream
from engine.spec.formats import JSON
from engine.spec.records import WHOLE, Records
from engine.spec.renamed import RENAMED
from engine.spec.rules import check
from engine.spec.selection import select


def load(path: Path, *, name: str | None = None) -> Spec:
    """Read and check a streams.yaml without a configuration. A sample value replaces each ``${name}``.

    Args:
        path: The file.
        name: The file's name in error messages; the path if not given.

    Raises:
        SpecError: the file has mistakes; the error has all of them.
        OSError: the file cannot be read.
    """
    return _file(path.read_bytes(), name or str(path)).with_samples


@dataclass(frozen=True)
class ResolvedSpec:
    """A spec with the values of a connection's settings in place of each ``${name}``.

    Attributes:
        spec: The spec.
        settings: The settings.
        selected: The names of the streams that the connection syncs.
        used: Where settings were filled in, as pairs of a keypath and the setting's name.
    """

    spec: Spec
    settings: Settings
    selected: tuple[str, ...]
    used: tuple[tuple[str, str], ...]

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that the connection syncs, in the file's order."""
        return tuple(self.spec.streams[name] for name in self.selected)

    @property
    def partitions(self) -> Partitions | None:
        """How the partitions of the connection are found; None if it has none."""
        declared = self.spec.api.partitions
        return declared if declared is not None and declared.are_in_use else None

    @property
    def tables(self) -> tuple[Stream, ...]:
        """The streams as the destination has them: with the columns of the connection's partitions, if it has any."""
        return tuple(map(self.table_of, self.streams))

    def table_of(self, stream: Stream) -> Stream:
        """A stream as the destination has it."""
        if self.partitions is None or not self.spec.is_in_partitions(stream):
            return stream
        return with_columns(stream, self.partitions.fields)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is unusual about the settings, for the log."""
        return (*self.settings.warnings, *self._unencrypted())

    def _unencrypted(self) -> Iterator[str]:
        """A warning if credentials cross a network that anyone on the way can read."""
        api = self.spec.api
        address, style = urlsplit(api.base_url), style_in_use(api.authentication)
        if address.scheme != "http" or is_loopback(address.hostname or ""):
            return
        parts = (
            []
            if style is None
            else [f"api.authentication[{style}]" if len(api.authentication) > 1 else "api.authentication"]
        )
        parts += ["api.extra_headers"] if api.extra_headers else []
        if parts:
            sent = " and ".join(name for part in parts for name in self.settings_behind(part) or (part,))
            where = " and ".join(self.settings_behind("api.base_url")) or "api.base_url"
            yield f"{where}: http:// sends {sent} unencrypted to {address.hostname}; use https://"

    def settings_behind(self, prefix: str) -> tuple[str, ...]:
        """The settings used at or below a keypath, such as ``api.authentication``, for error messages."""
        below = (name for path, name in self.used if path == prefix or path.startswith((f"{prefix}.", f"{prefix}[")))
        return tuple(dict.fromkeys(below))


def with_columns(stream: Stream, columns: Mapping[str, Field]) -> Stream:
    """A stream with more columns in front, which are the first part of the primary key."""
    own = {name: field for name, field in stream.fields.items() if name not in columns}
    key = (name for name in stream.primary_key if name not in columns)
    return replace(stream, fields={**columns, **own}, primary_key=(*columns, *key))


def resolve(path: Path, configuration: Mapping[str, Any], *, name: str | None = None) -> ResolvedSpec:
    """Read a streams.yaml for a connection: check its configuration, then fill in the values.

    Raises:
        SpecError: the file has mistakes.
        ConfigurationError: the configuration has mistakes. The message repeats no value.
        OSError: the file cannot be read.
    """
    file = _file(path.read_bytes(), name or str(path))
    settings = _checked(file.with_samples, configuration)
    filled, used = file.read(settings.values)
    return ResolvedSpec(filled, settings, selected(filled, settings.values), used)


def _checked(spec: Spec, configuration: Mapping[str, Any]) -> Settings:
    """The settings of a configuration, with every mistake in them at once: also those in the selection of streams."""
    problems: list[str] = []
    settings = Settings({})
    try:
        settings = check_configuration(spec.configuration, configuration)
    except ConfigurationError as error:
        problems += error.problems
    try:
        if _is_selection(spec, configuration):
            selected(spec, configuration)
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return settings


def _is_selection(spec: Spec, configuration: Mapping[str, Any]) -> bool:
    """Whether a configuration has a selection of streams that has the form of one."""
    return any(
        setting.type == "streams" and isinstance(value := configuration.get(name), str) and setting.accepts(value)
        for name, setting in spec.configuration.items()
    )


def selected(spec: Spec, configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the streams that a configuration selects. Its other settings can be missing or wrong.

    Raises:
        ConfigurationError: the selection is wrong.
    """
    setting = next((name for name, setting in spec.configuration.items() if setting.type == "streams"), "")
    return select(setting, str(configuration.get(setting) or ""), spec.streams)


class _File:
    """A parsed file, which can be read with several sets of settings.

    Raises:
        SpecError: the file is not YAML.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self._name = name
        try:
            self._node, self._problems = compose(content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            problem = Problem(1, 1, "", f"not UTF-8: {error.reason} at byte {error.start}")
        except NotYaml as error:
            problem = error.problem
        else:
            return
        raise SpecError(name, [problem])

    @cached_property
    def with_samples(self) -> Spec:
        """The spec with a sample in place of each setting.

        Raises:
            SpecError: the file has mistakes.
        """
        return self.read(None)[0]

    def read(self, settings: Mapping[str, Any] | None) -> tuple[Spec, tuple[tuple[str, str], ...]]:
        """The spec, and where settings were filled in. Without settings, samples replace them.

        Raises:
            SpecError: the file has mistakes.
        """
        context = Context(renamed=RENAMED, problems=[*self._problems])
        node = Node(context, self._node)
        declared = _settings(node)
        if settings is None:
            settings = INVALID if declared is INVALID else sample_settings(declared, context)
        context.settings = settings
        spec: Spec = replace(read_block(Spec, node, besides=("configuration",)), configuration=declared)
        check(spec, node)
        if context.problems:
            raise SpecError(self._name, context.problems)
        return _with_defaults(spec), tuple(context.used)


@lru_cache(maxsize=16)
def _file(content: bytes, name: str) -> _File:
    """A file, which is parsed once: a process reads it for the schema, and again for each sync and setup test."""
    return _File(content, name)


def _settings(node: Node) -> Mapping[str, Setting]:
    """The settings that the file declares. They are read first: the rest of the file refers to them."""
    block = node.get("configuration")
    (declared,) = (k.type for k in keys_of(Spec) if k.name == "configuration")
    settings: Mapping[str, Setting] = {} if block is None else declared.read(block)
    return settings


def _with_defaults(spec: Spec) -> Spec:
    """Give every stream its name and the api's defaults."""
    streams: dict[str, Stream] = {}
    for name, stream in spec.streams.items():
        streams[name] = replace(
            stream,
            name=name,
            pagination=stream.pagination or (spec.api.pagination,),
            records=stream.records if stream.records.paths else _records(spec, stream),
            form=stream.form or spec.api.form,
        )
    return replace(spec, streams=streams)


def _records(spec: Spec, stream: Stream) -> Records:
    """Where the records are if a stream does not say so: lines and CSV are lists, whatever the api's JSON is."""
    return WHOLE if stream.form not in (None, spec.api.form, JSON) else spec.api.records
