"""What the commands that ask a live API share: which file, which connection, which OpenAPI document."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from engine.declare.problems import suggestion
from engine.declare.types import Endpoint
from engine.failures import Failure
from engine.http.client import Client
from engine.http.decoding import NotJson, UnexpectedShape, decode
from engine.requests import Request
from engine.spec.dialect import Api, Retry, Spec, Stream
from engine.spec.load import ResolvedSpec, load, resolve
from tools.openapi.document import NotOpenApi, OpenApi

CONFIGURATION: Final = Path("configuration.json")
_FEWER_RETRIES: Final = Retry(attempts=2, wait_initial=timedelta(seconds=1), retry_after_max=timedelta(seconds=30))


class CannotDo(Exception):
    """A command cannot be carried out; the message says why and what to do."""


class NoDocument(CannotDo):
    """There is no OpenAPI document to be had."""


class Stderr:
    """A log for commands, whose results go to stdout: warnings only."""

    def info(self, message: str) -> None:
        """Nothing: progress is for syncs."""

    def warning(self, message: str) -> None:
        """Print the message."""
        print(message, file=sys.stderr)


def add_connection_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which API is meant."""
    parser.add_argument(
        "--configuration",
        type=Path,
        default=CONFIGURATION,
        metavar="FILE",
        help="the connection's settings, as for fivetran debug (default: configuration.json in this folder)",
    )


def add_openapi_option(parser: argparse.ArgumentParser) -> None:
    """Add what says where the OpenAPI document is."""
    parser.add_argument(
        "--openapi",
        metavar="FILE|URL",
        help="a saved OpenAPI document, or its address; without it the one that api.openapi names is asked for. "
        "The key is sent only to the host of the API",
    )


def shown(path: Path) -> Path:
    """The path relative to the current folder where it lies below it, as editors and GitHub want it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def connection_of(file: Path, configuration: Path) -> ResolvedSpec:
    """A streams.yaml with the settings of a configuration.json, and less patience than a sync has.

    Raises:
        CannotDo: there is no configuration, or it is not a JSON object.
        SpecError, ConfigurationError: what :func:`engine.spec.load.resolve` finds.
    """
    try:
        settings = json.loads(configuration.read_bytes())
    except FileNotFoundError:
        raise CannotDo(
            f"there is no {configuration}: copy configuration.json.example there and fill it in, "
            "or name another file with --configuration"
        ) from None
    except ValueError:
        raise CannotDo(f"{configuration} is not JSON") from None
    if not isinstance(settings, dict):
        raise CannotDo(f"{configuration} is not a JSON object of settings")
    resolved = resolve(file, settings)
    return _with_api(resolved, replace(resolved.spec.api, retry=_FEWER_RETRIES))


def document_and_openapi(options: argparse.Namespace, file: Path) -> tuple[Spec, OpenApi]:
    """A streams.yaml and the OpenAPI document of its API; with a saved document no configuration is needed.

    Raises:
        CannotDo: either cannot be had.
    """
    if options.openapi is not None and "://" not in options.openapi:
        spec = load(file)  # each ${name} stands for a sample: which server it is does not matter
        return spec, saved_openapi(Path(options.openapi), spec.api.base_url)
    resolved = connection_of(file, options.configuration)
    return resolved.spec, openapi_of(resolved, options.openapi)


def chosen(spec: Spec, names: Sequence[str]) -> list[Stream]:
    """The streams of these names; all when none is given.

    Raises:
        CannotDo: a name is no stream's.
    """
    for name in names:
        if name not in spec.streams:
            raise CannotDo(f'there is no stream "{name}"; {suggestion(name, spec.streams)}')
    return [stream for name, stream in spec.streams.items() if not names or name in names]


def openapi_of(resolved: ResolvedSpec, given: str | None) -> OpenApi:
    """The OpenAPI document: the one that an option names, or the one that the api serves.

    Raises:
        NoDocument: there is none, or it cannot be read.
    """
    api = resolved.spec.api
    if given is not None and "://" not in given:
        return saved_openapi(Path(given), api.base_url)
    if given is None and api.openapi is None:
        raise NoDocument(
            "streams.yaml does not say where the API describes itself: set openapi under api, such as /openapi.json, "
            "or give a document with --openapi FILE|URL"
        )
    request = Request(Endpoint("GET", api.openapi or "/"))
    if given is not None:
        resolved, request = _elsewhere(resolved, given)
    try:
        with Client(resolved, Stderr()) as client:
            spec: OpenApi = client.send("openapi", request, lambda value: _read(value, api.base_url)).value
    except Failure as failure:
        raise NoDocument(str(failure)) from None
    return spec


def saved_openapi(path: Path, base_url: str) -> OpenApi:
    """An OpenAPI document in a file.

    Raises:
        NoDocument: the file holds none.
        OSError: it cannot be read.
    """
    try:
        return OpenApi(decode(path.read_bytes())[0], base_url)
    except NotJson:
        raise NoDocument(f"{path} is not JSON") from None
    except NotOpenApi as error:
        raise NoDocument(f"{path}: {error}") from None


def _read(value: Any, base_url: str) -> OpenApi:
    try:
        return OpenApi(value, base_url)
    except NotOpenApi as error:
        raise UnexpectedShape(str(error)) from None


def _elsewhere(resolved: ResolvedSpec, url: str) -> tuple[ResolvedSpec, Request]:
    """A connection to the server of a URL, and the request for it. Another host is not told who asks."""
    api = resolved.spec.api
    try:
        address, own = urlsplit(url), urlsplit(api.base_url)
        same = (address.scheme, address.hostname, address.port) == (own.scheme, own.hostname, own.port)
    except ValueError:
        raise NoDocument(f"--openapi: {url} is not a URL") from None
    if address.username is not None:
        raise NoDocument("--openapi: put no user or password into the URL; they would be shown in messages")
    request = Request(Endpoint("GET", address.path or "/"), dict(parse_qsl(address.query)))
    root = f"{address.scheme}://{address.netloc}"
    if same:
        return _with_api(resolved, replace(api, base_url=root)), request
    # Made anew: whatever else says who asks, now or later, must not slip through.
    unauthenticated = Api(base_url=root, pagination=api.pagination, timeout=api.timeout, retry=api.retry)
    return _with_api(resolved, unauthenticated), request


def _with_api(resolved: ResolvedSpec, api: Api) -> ResolvedSpec:
    return replace(resolved, spec=replace(resolved.spec, api=api))
