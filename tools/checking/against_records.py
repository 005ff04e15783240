"""Whether a stream fits the records that an API really answers with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.declare.yaml import Place
from engine.failures import ReadFailure
from engine.jsonpath import JsonPath, leading_steps
from engine.requests import Record
from engine.rows.mapping import RowMapping
from engine.spec.dialect import Stream
from tools.checking.findings import Findings


def check_records(findings: Findings, stream: Stream, records: Sequence[Record]) -> None:
    """Map records as a sync does, and say what does not fit. Of values only types are told."""
    here: Place = ("streams", stream.name)
    if not records:
        findings.say("note", "sample", here, "the list is empty on this server, so no record could be looked at")
        return
    findings.look("sample")
    mapping = RowMapping(stream)
    try:
        keys = [mapping.key(record) for record in records]
    except ReadFailure as failure:
        findings.say("error", "sample", (*here, "primary_key"), str(failure))
        return
    if len(set(keys)) < len(keys):
        message = (
            f"two of the first {len(records)} records have the same key; more columns are needed to tell them apart"
        )
        findings.say("error", "sample", (*here, "primary_key"), message)
    for record in records:
        mapping.row(record)
    for warning in mapping.mismatch_warnings():
        findings.say("warning", "sample", here, warning)
    _check_cursor(findings, stream, mapping, records)
    known = {finding.place[:4] for finding in findings.found if finding.level != "note"}
    for name, column in stream.fields.items():
        place = (*here, "fields", name)
        if (
            column.availability is None
            and place not in known
            and all(_lacks(path, record) for path in column.path for record in records)
        ):
            paths = " or ".join(path.text for path in column.path)
            message = f"none of the first {len(records)} records has anything at {paths}"
            # What an object within a record has may depend on its kind; where there is a document, it knows the place.
            inner = any(len(leading_steps(path.text)[0]) > 1 for path in column.path)
            level = "note" if inner and "fields" in findings.looked_at else "warning"
            findings.say(level, "sample", place, message)


def _check_cursor(findings: Findings, stream: Stream, mapping: RowMapping, records: Sequence[Record]) -> None:
    if stream.cursor_field is None:
        return
    missing = sum(mapping.cursor(record) is None for record in records)
    if missing:
        place: Place = ("streams", stream.name, "cursor_field")
        message = f"{missing} of the first {len(records)} records have no instant for the cursor {stream.cursor_field}"
        findings.say("error" if missing == len(records) else "warning", "sample", place, message)


def _lacks(path: JsonPath, record: Record) -> bool:
    """Whether a record has no place for a value: a null is a place, and so is what an empty list or null hides."""
    steps, _ = leading_steps(path.text)
    value: Any = record
    for step in steps:
        if isinstance(value, dict):
            there = step in value
        else:
            there = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if not there:
            return not (value is None or isinstance(value, list))
        value = value[step]
    return False
