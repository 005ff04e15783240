"""The setup of a connection: its form, and the tests that run before the first sync.

Both are derived from streams.yaml: the form from its settings, the tests from its API and its streams. A test returns
None, or what is wrong and what to do. It raises nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from engine.declare.problems import SpecError
from engine.failures import DeclaredAnswer, Failure, NotFound, RequestRejected, Unauthorized
from engine.http.client import Client
from engine.http.decoding import UnexpectedShape
from engine.log import Log, RedactingLog
from engine.nouns import counted
from engine.pagination import Pagination, with_page_size
from engine.reading.pages import PageReader, records_of
from engine.reading.partitions import find_partitions, in_partition, selected_partitions
from engine.requests import Request, leaves_its_place
from engine.spec.configuration import ConfigurationError, Setting
from engine.spec.dialect import Retry, ServerVersion, Spec, Stream
from engine.spec.formats import JSON
from engine.spec.load import ResolvedSpec, resolve

_PARTITIONS_TESTED: Final = 20
# A person waits at the form, so a transient failure is retried only once.
_RETRY: Final = Retry(
    attempts=2,
    wait_initial=timedelta(milliseconds=500),
    retry_after_max=timedelta(seconds=5),
    throttled_max=timedelta(seconds=10),
)


@dataclass(frozen=True)
class FormField:
    """One text field of the form. The input of a ``secret`` field is hidden."""

    name: str
    label: str
    description: str
    required: bool
    secret: bool
    placeholder: str | None


@dataclass(frozen=True)
class SetupTest:
    """A test of a configuration. ``run`` returns None, or what is wrong and what to do."""

    name: str
    label: str
    run: Callable[[Mapping[str, Any]], str | None]


def form_fields(spec: Spec) -> Iterator[FormField]:
    """The fields of the form, one for each setting of the spec."""
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
    """The tests of a streams.yaml, in the order in which to run them: each assumes that those before it passed.

    Args:
        path: The streams.yaml.
        log: Receives what the tests find out, such as the server's version.
    """

    def test(attempt: Callable[[ResolvedSpec, Client, Log], None]) -> Callable[[Mapping[str, Any]], str | None]:
        def run(configuration: Mapping[str, Any]) -> str | None:
            try:
                resolved = _with_fewer_retries(resolve(path, configuration, name=path.name))
                redacting = RedactingLog(log, resolved.settings.secrets.redact)
                with Client(resolved, redacting) as client:
                    attempt(resolved, client, redacting)
            except (ConfigurationError, SpecError, Failure) as error:
                return str(error)
            return None

        return run

    return (
        SetupTest("settings_are_valid", "Settings and streams.yaml are valid", test(_log_warnings)),
        SetupTest("server_responds", "Server responds", test(_reach_server)),
        SetupTest("key_is_accepted", "API key is accepted", test(_read_any_table)),
        SetupTest("tables_are_readable", "All tables are readable", test(_read_every_table)),
    )


def _with_fewer_retries(resolved: ResolvedSpec) -> ResolvedSpec:
    api = replace(resolved.spec.api, retry=_RETRY)
    return replace(resolved, spec=replace(resolved.spec, api=api))


def _log_warnings(resolved: ResolvedSpec, client: Client, log: Log) -> None:
    for warning in resolved.warnings:
        log.warning(warning)


def _reach_server(resolved: ResolvedSpec, client: Client, log: Log) -> None:
    """Any JSON response will do, even if it rejects the key: that is the next test."""
    spec = resolved.spec
    try:
        if spec.api.version is not None:
            log.info(f"the server is {spec.title} {server_version(client, spec.api.version)}")
            return
    except NotFound:
        log.info("the server does not report its version")
    except Unauthorized:
        return
    with contextlib.suppress(Unauthorized):
        _read_any_table(resolved, client, log)


def _read_any_table(resolved: ResolvedSpec, client: Client, log: Log) -> None:
    """A key is known to be accepted once a table is read: some servers report their version to anyone."""
    if not [*_top_level(resolved)]:
        return
    for stream in _top_level(resolved):
        with contextlib.suppress(NotFound):
            _read(client, stream)
            return
    paths = ", ".join(stream.endpoint.path for stream in _top_level(resolved) if stream.endpoint)
    warning = " ".join(resolved.settings.warnings)
    behind = " and ".join(resolved.settings_behind("api.base_url")) or "api.base_url"
    raise Failure(
        f"none of the endpoints exists at {resolved.spec.api.base_url}: {paths}. "
        f"Check {behind} in the configuration{f' ({warning})' if warning else ''}."
    )


def _top_level(resolved: ResolvedSpec) -> Iterator[Stream]:
    """The streams of the connection that need no parent's rows to be read."""
    return (stream for stream in resolved.streams if stream.parent is None or stream.parent.records)


def _read_every_table(resolved: ResolvedSpec, client: Client, log: Log) -> None:
    """Read a page of each table; of many partitions, of those of the first, and of any table of the next ones."""
    declared = resolved.partitions
    if declared is None:
        _read_tables(resolved, client, log)
        return
    with PageReader(client, resolved.spec.api.concurrency) as pages:
        found = find_partitions(resolved, declared, pages, log)
    chosen = selected_partitions(resolved, declared, found)
    log.info(f"{len(chosen):,} of {counted(len(found), declared.noun)} selected")
    for number, partition in enumerate(chosen[:_PARTITIONS_TESTED]):
        read = _read_any_table if number else _read_tables
        own = in_partition(resolved, partition)
        with Client(own, log) as inside:
            try:
                read(own, inside, log)
            except Failure as failure:
                raise Failure(f"{partition.name}: {failure}") from None


def _read_tables(resolved: ResolvedSpec, client: Client, log: Log) -> None:
    failures: list[str] = []
    for stream in _top_level(resolved):
        try:
            _read(client, stream)
        except NotFound as not_found:
            log.warning(f"{not_found.url} not found; {stream.destination_table} will stay empty")
        except DeclaredAnswer as declared:
            log.warning(f"{declared} {stream.destination_table} will stay empty, as answers declares")
        except Failure as failure:
            failures.append(str(failure))
    if failures:
        raise Failure("\n".join(failures))


def _read(client: Client, stream: Stream) -> None:
    """Request the first page of a stream: as small as its pagination allows or, if that is rejected, as a sync does."""
    for style in [with_page_size(style, 1) for style in stream.pagination] + [*stream.pagination[:-1]]:
        with contextlib.suppress(RequestRejected):
            _read_page(client, stream, style)
            return
    _read_page(client, stream, stream.pagination[-1])


def _read_page(client: Client, stream: Stream, style: Pagination) -> None:
    paginator = style.paginate(_request(stream, client.now))
    assert paginator.request is not None  # every paginator starts with one
    one_record = paginator.one_record
    client.send(
        stream.name,
        paginator.request,
        lambda document: records_of(document, stream.records, one_record=one_record),
        form=stream.form or JSON,
    )


def _request(stream: Stream, now: datetime) -> Request:
    """The request for a stream's list; of several lists, for the first."""
    assert stream.endpoint is not None
    start_and_end = {"from": stream.begins(now), "now": now}
    request = Request(stream.endpoint, stream.query or {}, stream.body, start_and_end)
    if stream.parent is None:
        return request
    first, *_ = stream.parent.records
    values = {"parent": [first] if stream.parent.batch else first}
    if leaves_its_place(stream.endpoint.path, values):
        raise Failure(f"{stream.name}: the first of parent.list cannot be part of the path {stream.endpoint.path}.")
    return request.bind(values)


def server_version(client: Client, declared: ServerVersion) -> str:
    """The version that the server reports.

    Raises:
        Failure: it reports none.
    """

    def version_in(document: Any) -> str:
        version = declared.path.get(document)
        if isinstance(version, str) and version.isprintable() and len(version) <= 100:
            return version
        raise UnexpectedShape(f"something without a version at {declared.path.text}")

    version: str = client.send("version", Request(declared.endpoint), version_in).value
    return version
