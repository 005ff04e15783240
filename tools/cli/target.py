"""What a command works on: a streams.yaml with its settings, some of its streams, and the API's OpenAPI document."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from engine.declare.problems import suggestion
from engine.declare.types import Endpoint
from engine.failures import Failure
from engine.http.client import Client
from engine.http.decoding import Undecodable, UnexpectedShape
from engine.reading.pages import PageReader
from engine.reading.partitions import find_partitions, in_partition, selected_partitions
from engine.requests import Request
from engine.spec.dialect import Api, Retry, Spec, Stream
from engine.spec.formats import Undecoded
from engine.spec.load import ResolvedSpec, load, resolve
from engine.spec.partitions import Partition
from tools.cli.terminal import clean
from tools.openapi.document import NotOpenApi, OpenApi
from tools.openapi.text import NotReadable, read_document

_FEWER_RETRIES: Final = Retry(
    attempts=2,
    wait_initial=timedelta(seconds=1),
    retry_after_max=timedelta(seconds=30),
    throttled_max=timedelta(minutes=1),
)


class CommandError(Exception):
    """A command cannot run; the message says why and what to do."""


class NoDocument(CommandError):
    """The OpenAPI document is missing or cannot be read."""


class NoDocumentDeclared(NoDocument):
    """Neither streams.yaml nor the command line names an OpenAPI document."""


class StderrLog:
    """A log for commands, which print their results to stdout: only warnings, to stderr."""

    def info(self, message: str) -> None:
        """Drop the message: progress matters in a sync only."""

    def warning(self, message: str) -> None:
        """Print the message."""
        print(message, file=sys.stderr)


def resolved_spec(file: Path, configuration: Path) -> ResolvedSpec:
    """A streams.yaml with the settings of a configuration.json, and fewer retries than a sync has.

    Raises:
        CommandError: there is no configuration, or it is not a JSON object.
        SpecError, ConfigurationError: raised by :func:`engine.spec.load.resolve`.
    """
    try:
        settings = json.loads(configuration.read_bytes())
    except FileNotFoundError:
        raise CommandError(
            f"{configuration} does not exist: copy configuration.json.example to it and fill it in, "
            "or name another file with --configuration"
        ) from None
    except ValueError:
        raise CommandError(f"{configuration} is not JSON") from None
    if not isinstance(settings, dict):
        raise CommandError(f"{configuration} is not a JSON object of settings")
    resolved = resolve(file, settings)
    return _with_api(resolved, replace(resolved.spec.api, retry=_FEWER_RETRIES))


def first_partition(resolved: ResolvedSpec) -> tuple[ResolvedSpec, Partition | None]:
    """The spec of the first partition that a connection selects; the spec as it is if the connection has none.

    Raises:
        Failure: the partitions could not be read, or one that is selected does not exist.
    """
    declared = resolved.partitions
    if declared is None:
        return resolved, None
    with Client(resolved, StderrLog()) as client, PageReader(client, 1) as pages:
        found = selected_partitions(resolved, declared, find_partitions(resolved, declared, pages, StderrLog()))
    if not found:
        raise Failure(f"there are no {declared.noun}.")
    print(f"note: {declared.noun}: what follows is read from {clean(found[0].name)}", file=sys.stderr)
    return in_partition(resolved, found[0]), found[0]


def spec_and_openapi(options: argparse.Namespace, file: Path) -> tuple[Spec, OpenApi]:
    """A streams.yaml and the OpenAPI document of its API; a saved document needs no configuration.

    Raises:
        CommandError: either is missing or cannot be read.
    """
    if options.openapi is not None and "://" not in options.openapi:
        spec = load(file)  # with sample settings: the server does not matter
        return spec, saved_openapi(Path(options.openapi), spec.api.base_url)
    resolved = resolved_spec(file, options.configuration)
    return resolved.spec, load_openapi(resolved, options.openapi)


def chosen(spec: Spec, names: Sequence[str]) -> list[Stream]:
    """The streams of these names, or all streams if there are no names.

    Raises:
        CommandError: no stream has one of the names.
    """
    for name in names:
        if name not in spec.streams:
            raise CommandError(f'there is no stream "{name}"; {suggestion(name, spec.streams)}')
    return [stream for name, stream in spec.streams.items() if not names or name in names]


def load_openapi(resolved: ResolvedSpec, source: str | None) -> OpenApi:
    """The OpenAPI document at a path or URL, or else the one that the API serves.

    Raises:
        NoDocument: it is missing or cannot be read.
    """
    api = resolved.spec.api
    if source is not None and "://" not in source:
        return saved_openapi(Path(source), api.base_url)
    if source is None and api.openapi is None:
        raise NoDocumentDeclared(
            "streams.yaml does not name the API's OpenAPI document: set openapi under api, such as /openapi.json, "
            "or pass a document with --openapi FILE|URL."
        )
    request = Request(Endpoint("GET", api.openapi or "/"))
    if source is not None:
        resolved, request = _elsewhere(resolved, source)
    try:
        with Client(resolved, StderrLog()) as client:
            read = partial(_read, base_url=api.base_url)
            document: OpenApi = client.send("openapi", request, read, form=Undecoded()).value
    except Failure as failure:
        raise NoDocument(str(failure)) from None
    return document


def saved_openapi(path: Path, base_url: str) -> OpenApi:
    """The OpenAPI document in a file.

    Raises:
        NoDocument: the file holds something else.
        OSError: it cannot be read.
    """
    try:
        return OpenApi(read_document(path.read_bytes()), base_url)
    except NotReadable as error:
        raise NoDocument(f"{path} is {error}.") from None
    except NotOpenApi as error:
        raise NoDocument(f"{path}: {error}.") from None


def _read(content: bytes, base_url: str) -> OpenApi:
    try:
        return OpenApi(read_document(content), base_url)
    except NotReadable as error:
        raise Undecodable(f"that is {error}") from None
    except NotOpenApi as error:
        raise UnexpectedShape(str(error)) from None


def _elsewhere(resolved: ResolvedSpec, url: str) -> tuple[ResolvedSpec, Request]:
    """The request for a URL, and the spec to send it with, which has credentials only for the API's own host."""
    api = resolved.spec.api
    try:
        address, own = urlsplit(url), urlsplit(api.base_url)
        same = (address.scheme, address.hostname, address.port) == (own.scheme, own.hostname, own.port)
    except ValueError:
        raise NoDocument(f"--openapi: {url} is not a URL.") from None
    if address.username is not None:
        raise NoDocument("--openapi: remove the user and password from the URL; messages would show them.")
    path, query = address.path or "/", dict(parse_qsl(address.query))
    if same:  # up from the base URL, below which the endpoints of CSRF and access tokens are
        ups = "../" * sum(map(bool, own.path.split("/")))
        return resolved, Request(Endpoint("GET", ups + path.lstrip("/") if ups else path), query)
    # Built from scratch, not copied: no credential that the dialect has now or later must slip through.
    root = f"{address.scheme}://{address.netloc}"
    unauthenticated = Api(base_url=root, pagination=api.pagination, timeout=api.timeout, retry=api.retry)
    return _with_api(resolved, unauthenticated), Request(Endpoint("GET", path), query)


def _with_api(resolved: ResolvedSpec, api: Api) -> ResolvedSpec:
    return replace(resolved, spec=replace(resolved.spec, api=api))
