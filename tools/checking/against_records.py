"""Checks streams against the first records that the API returns."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

from engine.failures import Failure, MissingKey, NotFound, ReadFailure, RequestRejected, SkippedList
from engine.http.client import Client
from engine.jsonpath import JsonPath, leading_steps
from engine.log import Log
from engine.pagination.link import Link
from engine.pagination.token import Token
from engine.requests import Record
from engine.rows.mapping import RowMapping
from engine.spec.dialect import Spec, Stream
from tools.checking.against_changes import check_changes
from tools.checking.findings import Level, Place, StreamFindings
from tools.sample import Sample, sample, why_empty

_ROWS: Final = 2
_USUAL_SIZE: Final = 10  # records on a page, or a multiple of it, if the server decides


def check_samples(
    client: Client, spec: Spec, results: Mapping[str, StreamFindings], log: Log, *, has_document: bool
) -> list[str]:
    """Read the first rows of each stream, and check them.

    Args:
        client: Sends the requests.
        spec: The streams.
        results: The findings of the streams to sample, by name.
        log: Receives what is retried or repaired.
        has_document: Whether the API's OpenAPI document was found. If it was not and the first list fails, too, the
            server is down: the other streams are not tried.

    Returns:
        What could not be checked, one sentence each.
    """
    unchecked: list[str] = []
    sampled: dict[str, Sequence[Record]] = {}
    for name, findings in results.items():
        if findings.absent:
            continue
        stream = spec.streams[name]
        place: Place = ("streams", name, "endpoint")
        try:
            parents = _parents(client, spec, stream, log, sampled)
            if stream.parent is not None and not parents:
                missing = "none of its first rows is asked (where)" if stream.parent.where else "it has no rows"
                message = f"not sampled: its parent is {stream.parent.name}, and {missing} on this server"
                findings.add("note", "sample", place, message)
                continue
            names_next = isinstance(stream.pagination[0], (Link, Token))
            found = sample(client, spec, stream, _ROWS, log, parents=parents, second_page=names_next)
            sampled[name] = found.rows
            findings.refute(found.rows)
            check_records(findings, stream, found.rows)
            _check_end(findings, stream, found)
            if not has_document:
                check_changes(findings, client, spec, stream, found.rows, log)
        except NotFound as failure:
            documented = findings.verdict("paths") == "ok"
            level: Level = "warning" if documented else "note" if stream.availability else "error"
            hint = " It is in the OpenAPI document, so it may be disabled on this server; a sync skips the stream."
            findings.add(level, "sample", place, f"{failure}{hint if documented else ''}")
        except SkippedList as skipped:
            findings.add("note", "sample", place, f"not sampled, as answers declares: {skipped}")
        except ReadFailure as failure:
            key: Place = ("primary_key",) if isinstance(failure, MissingKey) else ()
            findings.add("error", "sample", ("streams", name, *key), str(failure))
        except RequestRejected as failure:
            findings.add("error", "sample", place, str(failure))
        except Failure as failure:
            unchecked.append(str(failure))
            if not has_document:
                unchecked.append("the streams after it: neither the OpenAPI document nor a list could be read")
                break
    return unchecked


def _parents(
    client: Client, spec: Spec, stream: Stream, log: Log, sampled: dict[str, Sequence[Record]]
) -> Sequence[Record] | None:
    """At most one row of a child's parent, which is read once; None if the stream is not a child."""
    if stream.parent is None:
        return None
    parent = spec.parent_of(stream)
    if parent is None:
        return stream.parent.records[:1]
    if parent.name not in sampled:
        sampled[parent.name] = sample(client, spec, parent, _ROWS, log).rows
    conditions = stream.parent.where
    return [row for row in sampled[parent.name] if all(condition.holds(row) for condition in conditions)][:1]


def check_records(findings: StreamFindings, stream: Stream, records: Sequence[Record]) -> None:
    """Map records as a sync does, and report what does not fit. Messages name the types of values, not the values."""
    here: Place = ("streams", stream.name)
    if not records:
        findings.add("note", "sample", here, f"not sampled: {why_empty(stream)} on this server")
        return
    findings.checked.add("sample")
    mapping = RowMapping(stream)
    try:
        keys = [mapping.key(record) for record in records]
    except ReadFailure as failure:
        findings.add("error", "sample", (*here, "primary_key"), str(failure))
        return
    first: dict[Hashable, Record] = {}
    if any(record != first.setdefault(key, record) for key, record in zip(keys, records, strict=True)):
        message = f"two of the first {len(records)} records have the same primary key; it needs more columns"
        findings.add("error", "sample", (*here, "primary_key"), message)
    for record in records:
        mapping.row(record)
    for warning in mapping.mismatch_warnings():
        findings.add("warning", "sample", here, warning)
    _check_cursor(findings, stream, mapping, records)
    _check_presence(findings, stream, records)


def _check_end(findings: StreamFindings, stream: Stream, found: Sample) -> None:
    """Note a first page that may be full, if nothing in it names the next page: a sync would not notice either."""
    style, records = stream.pagination[0], found.only_page or 0
    if not isinstance(style, (Link, Token)) or style.more or style.end:
        return
    if records < _USUAL_SIZE or records % _USUAL_SIZE:
        return
    place = style.token if isinstance(style, Token) else style.link
    where = place.where if place is not None else "in the Link header"
    findings.add(
        "note",
        "sample",
        ("streams", stream.name, "pagination"),
        f"the list has {records} records, and the server does not return fewer at a time, so it is not confirmed that "
        f"it ends there: if it has more, it does not name the next page {where}",
    )


def _check_cursor(findings: StreamFindings, stream: Stream, mapping: RowMapping, records: Sequence[Record]) -> None:
    if stream.cursor_field is None or not stream.has_instants:
        return
    without = [record for record in records if mapping.cursor(record) is None]
    if without:
        place: Place = ("streams", stream.name, "cursor_field")
        message = (
            f"{len(without)} of the first {len(records)} records have no date-time for the cursor {stream.cursor_field}"
        )
        paths = stream.fields[stream.cursor_field].path
        all_null = all(path.get(record) is None and not _lacks(path, record) for path in paths for record in without)
        level: Level = "warning" if all_null or len(without) < len(records) else "error"
        findings.add(level, "sample", place, message)


def _check_presence(findings: StreamFindings, stream: Stream, records: Sequence[Record]) -> None:
    """Report columns whose property none of the records has, unless a finding about the column says so already."""
    reported = [finding.keypath for finding in findings.found if finding.level != "note"]
    for name, column in stream.fields.items():
        keypath = f"streams.{stream.name}.fields.{name}"
        if (
            column.availability is not None
            or not column.path
            or any(f"{one}.".startswith(f"{keypath}.") for one in reported)
        ):
            continue
        if column.path and all(_lacks(path, record) for path in column.path for record in records):
            paths = " or ".join(path.text for path in column.path)
            message = f"none of the first {len(records)} records has {paths}"
            # The properties of an object within a record may depend on its kind. A document, if any, declares them all.
            nested = any(len(leading_steps(path.text)[0]) > 1 for path in column.path)
            level: Level = "note" if nested and "fields" in findings.checked else "warning"
            findings.add(level, "sample", ("streams", stream.name, "fields", name), message)


def _lacks(path: JsonPath, record: Record) -> bool:
    """Whether a record has no place for a value. A null is a place; an empty list or a null may hide one."""
    steps, _ = leading_steps(path.text)
    value: Any = record
    for step in steps:
        if isinstance(value, dict):
            there = step in value
        else:
            there = isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value)
        if not there:
            return not (value is None or isinstance(value, list))
        value = value[step]
    return False
