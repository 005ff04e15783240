"""``check``: a streams.yaml against a live API."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from engine.failures import Failure
from engine.http.client import Client
from engine.nouns import counted, plural
from engine.setup_form import server_version
from engine.spec.load import ResolvedSpec
from tools.checking.against_openapi import check_stream
from tools.checking.against_records import check_samples
from tools.checking.findings import ASPECTS, Finding, StreamFindings, read_file
from tools.checking.unmapped import unmapped_properties, unread_lists
from tools.cli.findings import Report
from tools.cli.options import CONFIGURATION, FILE, FORMAT, OPENAPI, STREAMS, add_command, streams_file
from tools.cli.target import (
    CommandError,
    NoDocument,
    NoDocumentDeclared,
    StderrLog,
    chosen,
    first_partition,
    load_openapi,
    resolved_spec,
    spec_and_openapi,
)
from tools.cli.terminal import TerminalStyle
from tools.openapi.document import OpenApi

_EXAMPLES: Final = """\
examples:
  python -m engine check                               check this project's streams.yaml with configuration.json
  python -m engine check --stream flows                check one stream
  python -m engine check --unmapped                    also list what the API offers and no stream or column reads
  python -m engine check --openapi saved.json          with a saved OpenAPI document, or its URL
  python -m engine check --openapi saved.json --offline    the same, without a request to the server
  python -m engine check --format github               annotate the lines of a pull request

Requests the server's OpenAPI document, the first two rows of each stream and, where a response says which page is the
next, that page. Checked with the document:
  paths      every endpoint exists with its method: lists, counts, queries, lookups
  requests   the server accepts every key and value in bodies and queries: filters, sorts, limits
  records    responses have a list where streams.yaml expects it; JSONPaths of cursors and tokens lead to their types
  key, cursor, fields, types    every column has a property, whose values fit the type of the column
and with the rows:
  sample     records have their primary key, their cursor and the properties that columns map, and the first page leads
             to the next; without a document, also that the server accepts queries for changes, open rows and change
             feeds, and finds a row by its key

Where records contradict the document, the records count, since a sync reads only those. A request that the server
rejects is a note if the server accepts an alternative of it. A column without a property is a warning, since servers
differ by version. Exit code 0: no mistakes. 1: mistakes. 2: something could not be checked, such as an OpenAPI document
that cannot be read; where none is named, the rows are checked without it.
"""
_NO_DOCUMENT: Final = (
    "Without an OpenAPI document, check cannot tell which keys of bodies, filters and sorts the server accepts (it may "
    "silently ignore a key and return everything), which types the columns have, and what no stream reads. Only the "
    "first rows were checked, and that the server accepts queries for changes and finds a row by its key."
)


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    summary = "check a streams.yaml against a live API: paths, filters, fields, types"
    parser = add_command(commands, "check", summary, _EXAMPLES, FILE, CONFIGURATION, OPENAPI, STREAMS, FORMAT)
    parser.add_argument(
        "--offline", action="store_true", help="send no request; needs --openapi FILE, and no configuration"
    )
    parser.add_argument(
        "--unmapped",
        action="store_true",
        help="also note lists that no stream reads, which scaffold can add, and properties that no column maps",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check a file against an API and print what was found."""
    file = streams_file(options)
    api: OpenApi | None
    unchecked: list[str] = []
    if options.offline:
        if options.openapi is None or "://" in options.openapi:
            raise CommandError("--offline needs a saved document: --openapi FILE")
        resolved = None
        spec, api = spec_and_openapi(options, file)
        streams = chosen(spec, options.stream)
    else:
        resolved = resolved_spec(file, options.configuration)
        spec = resolved.spec
        streams = chosen(spec, options.stream)
        api = _openapi(resolved, options.openapi, unchecked, is_needed=options.unmapped)

    root = read_file(file)
    results = {
        stream.name: StreamFindings(stream.name, root) if api is None else check_stream(api, spec, stream, root)
        for stream in streams
    }
    if resolved is not None:
        unchecked += _sample(resolved, results, has_document=api is not None)
    findings = [finding for result in results.values() for finding in result.found]
    if options.unmapped and api is not None:
        findings += unmapped_properties(api, spec, streams, root)
        findings += unread_lists(api, spec, root) if not options.stream else []

    verdicts = {name: {str(aspect): result.verdict(aspect) for aspect in ASPECTS} for name, result in results.items()}
    server = _server(resolved, api)
    report = Report(str(file), findings, _summary(server, len(streams), findings), verdicts, {"api": server})
    print(report.render(options.format, TerminalStyle(sys.stdout)))
    for sentence in unchecked:
        print(f"not checked: {sentence}", file=sys.stderr)
    if any(finding.level == "error" for finding in findings):
        return 1
    return 2 if unchecked else 0


def _openapi(resolved: ResolvedSpec, source: str | None, unchecked: list[str], *, is_needed: bool) -> OpenApi | None:
    """The document; None if there is none. Without one that is named or needed, something is unchecked."""
    try:
        return load_openapi(resolved, source)
    except NoDocument as missing:
        sentences = f"{missing} {_NO_DOCUMENT}"
        if isinstance(missing, NoDocumentDeclared) and not is_needed:
            print(f"note: {sentences}", file=sys.stderr)
        else:
            unchecked.append(sentences)
    return None


def _sample(resolved: ResolvedSpec, results: Mapping[str, StreamFindings], *, has_document: bool) -> list[str]:
    log = StderrLog()
    resolved, _ = first_partition(resolved)
    with Client(resolved, log) as client:
        unchecked = check_samples(client, resolved.spec, results, log, has_document=has_document)
        for result in results.values():  # a body may hold a secret setting, and a message may quote the body
            result.found = [replace(finding, message=client.redact(finding.message)) for finding in result.found]
    return unchecked


def _server(resolved: ResolvedSpec | None, api: OpenApi | None) -> str | None:
    """What was checked against: the server by the version that it reports, or else by the title of its document."""
    declared = resolved.spec.api.version if resolved is not None and api is not None else None
    if resolved is not None and declared is not None:
        with suppress(Failure), Client(resolved, StderrLog()) as client:
            return f"{resolved.spec.title} {client.redact(server_version(client, declared))}"
    return api.title if api is not None else None


def _summary(server: str | None, streams: int, findings: Sequence[Finding]) -> str:
    counts = {level: sum(finding.level == level for finding in findings) for level in ("error", "warning")}
    words = [counted(count, plural(level)) for level, count in counts.items() if count]
    against = server or "the first rows only"
    return f"{counted(streams, 'streams')} checked against {against}: {' and '.join(words) or 'no mistakes'}"
