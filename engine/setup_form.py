"""The setup of a connection: what its form asks for, and what is tried before the first sync.

Both follow from streams.yaml: the form from its settings, the tests from its API and its streams. Each test answers
with None when all is well, or with what is wrong and what to do; nothing escapes as an exception.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from engine.declare.problems import SpecError
from engine.failures import Failure, NotFound, Unauthorized
from engine.http.client import Client
from engine.http.decoding import UnexpectedShape
from engine.log import Log, RedactingLog
from engine.pagination import with_page_size
from engine.requests import Request
from engine.spec.configuration import ConfigurationError, Setting
from engine.spec.dialect import Retry, ServerVersion, Spec, Stream
from engine.spec.load import ResolvedSpec, resolve
from engine.sync.pages import records_of

# Somebody waits in front of a form: a fault that passes is given one more chance, and no more.
_RETRY: Final = Retry(attempts=2, wait_initial=timedelta(milliseconds=500), retry_after_max=timedelta(seconds=5))


@dataclass(frozen=True)
class FormField:
    """One field of the form, a line of text; ``secret`` ones are typed unseen."""

    name: str
    label: str
    description: str
    required: bool
    secret: bool
    placeholder: str | None


@dataclass(frozen=True)
class SetupTest:
    """Something to try with a configuration. ``run`` answers with None, or with what is wrong and what to do."""

    name: str
    label: str
    run: Callable[[Mapping[str, Any]], str | None]


def form_fields(spec: Spec) -> Iterator[FormField]:
    """The fields of the form, one for each setting of the document."""
    for name, setting in spec.configuration.items():
        yield FormField(
            name,
            setting.label or name.replace("_", " ").capitalize(),
            _description(setting),
            setting.required,
            setting.secret,
            (setting.example or setting.default or "").strip("<>") or None,
        )


def _description(setting: Setting) -> str:
    if setting.default is None:
        return setting.description
    return f"{setting.description} When empty: {setting.default}."


def setup_tests(path: Path, log: Log) -> tuple[SetupTest, ...]:
    """The tests of a streams.yaml, in the order in which to run them: each supposes that those before it passed.

    Args:
        path: The streams.yaml.
        log: Takes what is found out, such as the server's version.
    """

    def trying(attempt: Callable[[ResolvedSpec, Client, Log], None]) -> Callable[[Mapping[str, Any]], str | None]:
        def run(configuration: Mapping[str, Any]) -> str | None:
            try:
                resolved = _with_fewer_retries(resolve(path, configuration, name=path.name))
                told = RedactingLog(log, resolved.settings.secrets.redact)
                with Client(resolved, told) as client:
                    attempt(resolved, client, told)
            except (ConfigurationError, SpecError, Failure) as error:
                return str(error)
            return None

        return run

    return (
        SetupTest("settings_are_valid", "The settings and streams.yaml are valid", trying(_nothing)),
        SetupTest("server_answers", "The server answers", trying(_server)),
        SetupTest("key_is_accepted", "The server accepts who asks", trying(_rows)),
        SetupTest("tables_are_readable", "Every table can be read", trying(_tables)),
    )


def _with_fewer_retries(resolved: ResolvedSpec) -> ResolvedSpec:
    api = replace(resolved.spec.api, retry=_RETRY)
    return replace(resolved, spec=replace(resolved.spec, api=api))


def _nothing(resolved: ResolvedSpec, client: Client, log: Log) -> None:
    for warning in resolved.settings.warnings:
        log.warning(warning)


def _server(resolved: ResolvedSpec, client: Client, log: Log) -> None:
    """Any answer in JSON will do, a refusal of the key too: that is the next test's matter."""
    spec = resolved.spec
    try:
        if spec.api.version is not None:
            log.info(f"the server is {spec.title} {_version(client, spec.api.version)}")
            return
    except NotFound:
        log.info("the server does not tell its version")
    except Unauthorized:
        return
    with contextlib.suppress(Unauthorized):
        _rows(resolved, client, log)


def _rows(resolved: ResolvedSpec, client: Client, log: Log) -> None:
    """Some servers tell their version to anybody, so who asks is known to be accepted when there are rows."""
    for stream in _askable(resolved):
        with contextlib.suppress(NotFound):
            _read(client, stream)
            return
    paths = ", ".join(stream.endpoint.path for stream in _askable(resolved) if stream.endpoint)
    warning = " ".join(resolved.settings.warnings)
    behind = " and ".join(resolved.settings_behind("api.base_url")) or "api.base_url"
    raise Failure(
        f"none of the endpoints exists at {resolved.spec.api.base_url}: {paths}. "
        f"Check {behind} in the configuration{f' ({warning})' if warning else ''}."
    )


def _askable(resolved: ResolvedSpec) -> Iterator[Stream]:
    """The streams that the connection reads, and that need no other stream's rows to be asked for."""
    return (stream for stream in resolved.streams if stream.parent is None)


def _tables(resolved: ResolvedSpec, client: Client, log: Log) -> None:
    failures: list[str] = []
    for stream in _askable(resolved):
        try:
            _read(client, stream)
        except NotFound as not_found:
            log.warning(f"{not_found.url} not found; {stream.destination_table} will stay empty")
        except Failure as failure:
            failures.append(str(failure))
    if failures:
        raise Failure("\n".join(failures))


def _read(client: Client, stream: Stream) -> None:
    """Request the first page of a stream, as small as its pagination allows."""
    assert stream.endpoint is not None
    style = with_page_size(stream.pagination[0], 1)
    request = style.paginate(Request(stream.endpoint, stream.query or {}, stream.body)).request
    assert request is not None  # every reading starts with a request
    client.send(
        stream.name, request, lambda document: records_of(document, stream.records, one_record=style.one_record)
    )


def _version(client: Client, declared: ServerVersion) -> str:
    def text(spec: Any) -> str:
        version = declared.path.get(spec)
        if isinstance(version, str) and version.isprintable() and len(version) <= 100:
            return version
        raise UnexpectedShape(f"something that holds no version at {declared.path.text}")

    told: str = client.send("version", Request(declared.endpoint), text).value
    return told
