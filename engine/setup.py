"""The setup of a connection: what its form asks for, and what is tried before the first sync.

Both follow from streams.yaml: the form from its settings, the tests from its API and its streams. Each test answers
with None when all is well, or with what is wrong and what to do; nothing escapes as an exception.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from engine.failures import Failure, NotFound, Unauthorized
from engine.http.client import Client
from engine.http.decoding import Undeclared
from engine.log import Discreet, Log
from engine.requests import Request
from engine.spec.configuration import ConfigurationError, Setting
from engine.spec.load import Connection, connect
from engine.spec.model import Document, Retry, ServerVersion, Stream
from engine.spec.problems import SpecError
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


def form_fields(document: Document) -> Iterator[FormField]:
    """The fields of the form, one for each setting of the document."""
    for name, setting in document.configuration.items():
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

    def trying(attempt: Callable[[Connection, Client, Log], None]) -> Callable[[Mapping[str, Any]], str | None]:
        def run(configuration: Mapping[str, Any]) -> str | None:
            try:
                connection = _hasty(connect(path, configuration, name=path.name))
                told = Discreet(log, connection.settings.secrets.redact)
                with Client(connection, told) as client:
                    attempt(connection, client, told)
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


def _hasty(connection: Connection) -> Connection:
    api = replace(connection.document.api, retry=_RETRY)
    return replace(connection, document=replace(connection.document, api=api))


def _nothing(connection: Connection, client: Client, log: Log) -> None:
    for advice in connection.settings.advice:
        log.warning(advice)


def _server(connection: Connection, client: Client, log: Log) -> None:
    """Any answer in JSON will do, a refusal of the key too: that is the next test's matter."""
    document = connection.document
    try:
        if document.api.version is not None:
            log.info(f"the server is {document.title} {_version(client, document.api.version)}")
            return
    except NotFound:
        log.info("the server does not tell its version")
    except Unauthorized:
        return
    with contextlib.suppress(Unauthorized):
        _rows(connection, client, log)


def _rows(connection: Connection, client: Client, log: Log) -> None:
    """Some servers tell their version to anybody, so who asks is known to be accepted when there are rows."""
    for stream in _askable(connection):
        with contextlib.suppress(NotFound):
            _read(client, stream)
            return
    paths = ", ".join(stream.endpoint.path for stream in _askable(connection) if stream.endpoint)
    advice = " ".join(connection.settings.advice)
    behind = " and ".join(connection.settings_behind("api.base_url")) or "api.base_url"
    raise Failure(
        f"none of the endpoints exists at {connection.document.api.base_url}: {paths}. "
        f"Check {behind} in the configuration{f' ({advice})' if advice else ''}."
    )


def _askable(connection: Connection) -> Iterator[Stream]:
    """The streams that the connection reads, and that need no other stream's rows to be asked for."""
    return (stream for stream in connection.streams if stream.parent is None)


def _tables(connection: Connection, client: Client, log: Log) -> None:
    failures: list[str] = []
    for stream in _askable(connection):
        try:
            _read(client, stream)
        except NotFound as not_found:
            log.warning(f"{not_found.url} not found; {stream.destination_table} will stay empty")
        except Failure as failure:
            failures.append(str(failure))
    if failures:
        raise Failure("\n".join(failures))


def _read(client: Client, stream: Stream) -> None:
    """Ask for the first page of a stream, as small as its pagination allows."""
    pagination = (stream.pagination or ())[0]
    assert stream.endpoint is not None
    if any(option.name == "page_size" for option in fields(pagination)):
        pagination = replace(pagination, page_size=1)
    walk = pagination.walk(Request(stream.endpoint, stream.query or {}, stream.body), None)
    client.ask(stream.name, walk.request, lambda answer: records_of(walk, answer, stream.records or ()))


def _version(client: Client, declared: ServerVersion) -> str:
    def text(document: Any) -> str:
        version = declared.path.get(document)
        if isinstance(version, str) and version.isprintable() and len(version) <= 100:
            return version
        raise Undeclared(f"something that holds no version at {declared.path.text}")

    told: str = client.ask("version", Request(declared.endpoint), text).value
    return told
