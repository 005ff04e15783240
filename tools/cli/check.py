"""``check``: a streams.yaml held against a live API."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml

from engine.declare.problems import Problem, describe
from engine.declare.yaml import compose, locate
from engine.failures import Failure, NotFound, ReadFailure, RequestRejected
from engine.http.client import Client
from engine.nouns import counted, plural
from engine.requests import Record
from engine.spec.dialect import Spec, Stream
from engine.spec.load import ResolvedSpec
from tools.checking.against_openapi import check_stream
from tools.checking.against_records import check_records
from tools.checking.findings import ASPECTS, LEVELS, Finding, Findings
from tools.cli.report import annotation
from tools.cli.target import (
    CannotDo,
    NoDocument,
    Stderr,
    add_connection_options,
    add_openapi_option,
    chosen,
    connection_of,
    document_and_openapi,
    openapi_of,
    shown,
)
from tools.cli.terminal import TerminalStyle, aligned
from tools.openapi.document import OpenApi
from tools.sample import first_rows

_EXAMPLES = """\
examples:
  python -m engine check                               check this project's streams.yaml with configuration.json
  python -m engine check --stream flows                one stream; give --stream again for more
  python -m engine check --openapi saved.json          with a document that you saved, or its URL
  python -m engine check --openapi saved.json --offline    the same, and nothing is asked of the server
  python -m engine check --format github               annotate the lines of a pull request

Asks the server for its OpenAPI document, and for the first two rows of each stream. Checked by the document:
  paths      every endpoint exists with its method: the list, count, queries, lookups
  requests   every key and value of every body and query is one that the server knows: filters, sorts, limits
  records    answers hold a list where streams.yaml says so; JSONPaths of cursors and tokens meet what they expect
  key, cursor, fields, types    every column has a property behind it, whose values fit the column's type
and by the rows:
  sample     records have their key, their cursor and what the columns map

A request of which another alternative is known to the server is fine. A column without a property is a warning, since
servers differ by version. Exit code 0: no mistake. 1: mistakes. 2: something could not be checked.
"""
_COLOURS: Final = {"error": "red", "warning": "yellow", "note": "dim"}
_SAMPLE_ROWS: Final = 2


def add_to(commands: Any, project: Path) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "check",
        help="hold a streams.yaml against a live API: paths, filters, fields, types",
        description="Hold a streams.yaml against a live API and name every mistake: what the API does not have, would "
        "ignore or refuse, and what does not fit.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="the file to check (default: this project's streams.yaml)"
    )
    add_connection_options(parser)
    add_openapi_option(parser)
    parser.add_argument("--stream", action="append", default=[], metavar="NAME", help="check this stream only")
    parser.add_argument(
        "--offline", action="store_true", help="ask nothing of a server; needs --openapi FILE, and no configuration"
    )
    parser.add_argument(
        "--format",
        choices=("github", "json", "text"),
        default="text",
        help="text for people, json for programs, github for workflow annotations (default: text)",
    )
    parser.set_defaults(run=lambda options: run(options, options.file or shown(project / "streams.yaml")))


def run(options: argparse.Namespace, file: Path) -> int:
    """Check a file against an API and print what is wrong with it."""
    unchecked: list[str] = []
    if options.offline:
        api: OpenApi | None
        if options.openapi is None or "://" in options.openapi:
            raise CannotDo("--offline needs a saved document: --openapi FILE")
        spec, api = document_and_openapi(options, file)
        results = [_by_document(api, spec, stream) for stream in chosen(spec, options.stream)]
    else:
        resolved = connection_of(file, options.configuration)
        spec = resolved.spec
        streams = chosen(spec, options.stream)
        try:
            api = openapi_of(resolved, options.openapi)
        except NoDocument as missing:
            api = None
            unchecked.append(
                f"{missing} Without an OpenAPI document nobody can tell which keys of bodies, filters and sorts the "
                "server knows (it may ignore a key in silence and return everything), whether queries, lookups and "
                "counts have their endpoints, and which types the columns hold. Only first rows were looked at."
            )
        results = [_by_document(api, spec, stream) for stream in streams]
        unchecked += _by_sample(resolved, streams, results, alone=api is None)
    _PRINTERS[options.format](file, api, results)
    for sentence in unchecked:
        print(f"not checked: {sentence}", file=sys.stderr)
    if any(finding.level == "error" for result in results for finding in result.found):
        return 1
    return 2 if unchecked else 0


def _by_document(api: OpenApi | None, spec: Spec, stream: Stream) -> Findings:
    return Findings(stream.name) if api is None else check_stream(api, spec, stream)


def _by_sample(
    resolved: ResolvedSpec, streams: Sequence[Stream], results: Sequence[Findings], *, alone: bool
) -> list[str]:
    """Look at the first rows of each stream; answers with what could not be looked at.

    ``alone`` says that there was no document: where a list fails as well, the server is not there, and the rest is not
    asked for.
    """
    unchecked: list[str] = []
    sampled: dict[str, Sequence[Record]] = {}
    with Client(resolved, Stderr()) as client:
        for stream, findings in zip(streams, results, strict=True):
            place = ("streams", stream.name, "endpoint")
            if findings.absent:
                continue
            try:
                parents = _parents(client, resolved.spec, stream, sampled)
                if stream.parent is not None and not parents:
                    findings.say("note", "sample", place, f"{stream.parent.stream} has no rows to ask with")
                    continue
                records = first_rows(client, resolved.spec, stream, _SAMPLE_ROWS, Stderr(), parents=parents)
                sampled[stream.name] = records
                check_records(findings, stream, records)
            except NotFound as failure:
                known = findings.verdict("paths") == "ok"
                hint = " The document has it: it may be switched off there. A sync skips the stream." if known else ""
                level = "warning" if known else "note" if stream.availability else "error"
                findings.say(level, "sample", place, f"{failure}{hint}")
            except ReadFailure as failure:
                findings.say("error", "sample", ("streams", stream.name, "primary_key"), str(failure))
            except RequestRejected as failure:
                findings.say("error", "sample", place, str(failure))
            except Failure as failure:
                unchecked.append(str(failure))
                if alone:
                    unchecked.append("the streams after it, since neither the document nor a list could be had")
                    break
            # A body may be filled in from a secret setting, and a sentence may quote the body.
            findings.found = [replace(one, message=client.redact(one.message)) for one in findings.found]
    return unchecked


def _parents(
    client: Client, spec: Spec, stream: Stream, sampled: dict[str, Sequence[Record]]
) -> Sequence[Record] | None:
    """One row of a child's parent, if that has any: asked for at most once. None for what is no child."""
    if stream.parent is None:
        return None
    parent = spec.streams[stream.parent.stream]
    if parent.name not in sampled:
        sampled[parent.name] = first_rows(client, spec, parent, _SAMPLE_ROWS, Stderr())
    return sampled[parent.name][:1]


def _located(file: Path, results: Sequence[Findings]) -> list[tuple[Problem, Finding]]:
    """Every finding after its place in the file, in the file's order."""
    node: yaml.Node = compose(file.read_bytes().decode("utf-8-sig"))[0]
    found = [finding for result in results for finding in result.found]
    pairs = []
    for finding in found:
        spot = locate(node, finding.place)
        pairs.append((Problem(spot.line, spot.column, spot.keypath, finding.message), finding))
    return sorted(pairs, key=lambda pair: (pair[0].line, pair[0].column, LEVELS.index(pair[1].level)))


def _summary(api: OpenApi | None, results: Sequence[Findings]) -> str:
    counts = {
        level: sum(f.level == level for result in results for f in result.found) for level in ("error", "warning")
    }
    said = [counted(count, plural(level)) for level, count in counts.items() if count]
    against = api.title if api else "the first rows alone"
    return f"{counted(len(results), 'streams')} checked against {against}: {' and '.join(said) or 'no mistakes'}"


def _text(file: Path, api: OpenApi | None, results: Sequence[Findings]) -> None:
    paint = TerminalStyle(sys.stdout)
    pairs = _located(file, results)
    for problem, finding in pairs:
        level = paint(_COLOURS[finding.level], finding.level)
        named = Problem(problem.line, problem.column, problem.keypath, f"{level}: {problem.message}")
        print(describe(str(file), named))
    if pairs:
        print()
    rows = [["stream", *ASPECTS], *([r.stream, *(r.verdict(aspect) for aspect in ASPECTS)] for r in results)]
    header, *lines = aligned(rows)
    print(paint("bold", "  ".join(header).rstrip()))
    for line in lines:
        print("  ".join([line[0], *(_painted(paint, cell) for cell in line[1:])]).rstrip())
    print(f"\n{_summary(api, results)}")


def _painted(paint: TerminalStyle, cell: str) -> str:
    for word, colour in (("error", "red"), ("warning", "yellow"), ("ok", "green")):
        if word in cell:
            return paint(colour, cell)
    return paint("dim", cell)


def _json(file: Path, api: OpenApi | None, results: Sequence[Findings]) -> None:
    findings = [
        {
            "file": str(file),
            "line": problem.line,
            "column": problem.column,
            "keypath": problem.keypath,
            "level": finding.level,
            "stream": finding.stream,
            "aspect": finding.aspect,
            "message": finding.message,
        }
        for problem, finding in _located(file, results)
    ]
    verdicts: Mapping[str, Any] = {r.stream: {aspect: r.verdict(aspect) for aspect in ASPECTS} for r in results}
    spec = {"api": api.title if api else None, "findings": findings, "streams": verdicts}
    print(json.dumps(spec, indent=2, ensure_ascii=False))


def _github(file: Path, api: OpenApi | None, results: Sequence[Findings]) -> None:
    for problem, finding in _located(file, results):
        print(annotation({"note": "notice"}.get(finding.level, finding.level), str(file), problem))
    print(_summary(api, results))


_PRINTERS: Final = {"text": _text, "json": _json, "github": _github}
