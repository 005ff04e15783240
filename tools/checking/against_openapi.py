"""Checks a stream against the API's OpenAPI document: every request, every path into a response, every column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.declare.node import Node
from engine.jsonpath import PARENT, JsonPath, compile_path
from engine.requests import Record
from engine.rows.types import TypeMismatch, converter
from engine.spec.dialect import Field, Spec, Stream
from tools.checking.findings import Aspect, Level, Place, Refuted, StreamFindings
from tools.openapi.accepts import Fault, faults, hint
from tools.openapi.columns import FROM_A_NUMBER, TAKES, type_mismatch
from tools.openapi.document import NoOperation, OpenApi, Operation
from tools.openapi.lists import follow, object_at, record_at, record_of
from tools.openapi.shape import Absent, Shape
from tools.request_forms import ExpectedPath, ExpectedType, RequestForm, SentValues, request_forms

_ORDER_IGNORED: Final = " (the list comes in the server's own order)"
_EXPECTED: Final[dict[ExpectedType, tuple[set[str], str]]] = {
    "boolean": ({"boolean", "string", "integer"}, "a boolean"),
    "instant": ({"date-time"}, "a date-time"),
    "integer": ({"integer", "number"}, "an integer"),
    "total": ({"integer", "number", "string"}, "a number"),
    "token": ({"string", "date-time", "date", "integer", "number"}, "a string or a number"),
    "string": ({"string", "date-time", "date"}, "a string"),
}


def check_stream(api: OpenApi, spec: Spec, stream: Stream, root: Node) -> StreamFindings:
    """Check every request, path and column of a stream against an OpenAPI document."""
    findings = StreamFindings(stream.name, root)
    requests = [CheckedRequest.of(api, stream, form) for form in request_forms(spec, stream)]
    record = record_of(api, spec, stream)
    above = spec.parent_of(stream)
    parent = record_of(api, spec, above) if above else None
    if not requests:
        _check_held(findings, stream, record, parent)
        return findings
    first = requests[0]
    if first.operation is None and (first.uncovered or stream.availability is not None):
        (fault,) = first.faults
        if first.uncovered:
            findings.add("note", "paths", fault.place, fault.message)
        else:
            findings.checked.add("paths")
            findings.absent = True
            findings.add("note", "paths", fault.place, f"{fault.message} (available only on: {stream.availability})")
        return findings
    for request in requests:
        request.report(findings, requests)
    if record is not None:
        _check_columns(findings, stream, record, parent)
    elif first.operation is not None and first.operation.response is not None:
        _report_no_record(findings, first.operation.response, first.form)
    return findings


@dataclass(frozen=True)
class RequestFault:
    """Something wrong with a request.

    ``ignored``: the server ignores the value rather than reject the request. ``refuted_by``: the records of the stream
    that show that there is nothing wrong.
    """

    aspect: Aspect
    place: Place
    message: str
    ignored: bool = False
    refuted_by: Refuted | None = None


@dataclass
class CheckedRequest:
    """A form of request, the operation that serves it, and what is wrong with the request.

    Attributes:
        form: The request.
        operation: The operation; None if the document has none.
        faults: What is wrong.
        uncovered: Whether the path is above the base URL and the document does not cover it.
    """

    form: RequestForm
    operation: Operation | None
    faults: list[RequestFault] = field(default_factory=list)
    uncovered: bool = False

    @classmethod
    def of(cls, api: OpenApi, stream: Stream, form: RequestForm) -> CheckedRequest:
        """Check a request."""
        found = api.find(form.endpoint)
        if isinstance(found, NoOperation):
            fault = RequestFault("paths", form.place, _no_operation(form, found), refuted_by=_any_response(form))
            return cls(form, None, [fault], found.outside)
        request = cls(form, found)
        if form.endpoint.method == "POST":
            request._check_body(found)
        request._check_query(found)
        request._check_expected(stream, found)
        return request

    def report(self, findings: StreamFindings, requests: Sequence[CheckedRequest]) -> None:
        """Add the faults: as errors, unless a sync continues without this request.

        A value that the server ignores is an error, because the sync would not notice, and read too much; unless it
        is only the order of a list that is read as a whole at each sync.
        """
        if self.uncovered:
            findings.add("note", "paths", self.form.place, self.faults[0].message)
            return
        findings.checked.add("paths")
        if self.operation is not None:
            findings.checked.add("requests")
            if self.operation.response is None:
                message = "the OpenAPI document does not describe the response, so it is not checked"
                findings.add("note", "records", self.form.place, message)
        accepted = self._accepted_alternative(requests)
        for fault in self.faults:
            level, comment = self._judged(fault, accepted)
            findings.add(level, fault.aspect, fault.place, fault.message + comment, fault.refuted_by)

    def _judged(self, fault: RequestFault, accepted: int | None) -> tuple[Level, str]:
        """The level of a fault, and what a sync does about it. ``accepted``: the number of another alternative."""
        if fault.ignored:
            return ("warning", _ORDER_IGNORED) if self._is_order(fault) else ("error", "")
        if accepted is not None:
            return "note", f" (a sync uses alternative {accepted} instead)"
        if self.form.optional:
            return "warning", " (a sync continues without this request)"
        listed = self.form.listed
        if listed is not None and self._is_listed(fault) and sum(map(self._is_listed, self.faults)) < listed.count:
            return "warning", " (a sync leaves it out)"
        return "error", ""

    def _is_listed(self, fault: RequestFault) -> bool:
        listed = self.form.listed
        return listed is not None and fault.place[: len(listed.place)] == listed.place

    def _is_order(self, fault: RequestFault) -> bool:
        """Whether the server ignores only the order of a list that a sync reads as a whole."""
        stream = self.form.place[1:2]
        return fault.place == ("streams", *stream, "body", "sort") and self.form.reads_whole_list

    def _accepted_alternative(self, requests: Sequence[CheckedRequest]) -> int | None:
        """The number of another alternative, if the server accepts all its requests."""
        if self.form.alternative is None:
            return None
        group, own = self.form.alternative
        rejected = {request.form.alternative for request in requests if request.faults}
        accepted = sorted({one.form.alternative for one in requests if one.form.alternative} - rejected)
        return next((number for place, number in accepted if place == group and number != own), None)

    def _check_body(self, operation: Operation) -> None:
        if operation.body is None:
            for sent in self.form.sent:
                for name in sent.values:
                    message = f'the server reads no body here and silently ignores "{name}"'
                    self._add(sent, Fault((name,), message, ignored=True))
            return
        names: set[str] = set()
        for sent in self.form.sent:
            names.update(sent.values)
            for fault in faults(operation.body, dict(sent.values)):
                self._add(sent, fault)
        for name in operation.body.required:
            if name not in names:
                message = f'the server requires "{name}" in the body'
                self.faults.append(RequestFault("requests", self.form.place, message))

    def _check_query(self, operation: Operation) -> None:
        for sent in self.form.query:
            for name, value in sent.values.items():
                if name not in operation.query:
                    near = hint(name, operation.query)
                    message = f'the server silently ignores the unknown parameter "{name}"; {near}'
                    self._add(sent, Fault((name,), message, ignored=True))
                    continue
                for fault in faults(operation.query[name][0], value, (name,)):
                    self._add(sent, fault)
        names = {name for sent in self.form.query for name in sent.values}
        for name, (_, required) in operation.query.items():
            if required and name not in names:
                message = f'the server requires the parameter "{name}"'
                self.faults.append(RequestFault("requests", self.form.place, message))

    def _add(self, sent: SentValues, fault: Fault) -> None:
        place, listed = (*sent.place, *fault.steps), self.form.listed
        if listed is not None and place[: len(listed.at)] == listed.at and len(place) > len(listed.at):
            place = (*listed.place, *place[len(listed.at) :])
        self.faults.append(RequestFault("requests", place, fault.message, fault.ignored))

    def _check_expected(self, stream: Stream, operation: Operation) -> None:
        form, response = self.form, operation.response
        if response is None:
            return
        at = object_at if form.one_record else record_at
        record = at(response, form.records) if form.records is not None else None
        if record is None and form.records is not None and form.records_place[:1] != ("api",):
            message = _not_found(form, response, "list")
            self.faults.append(RequestFault("records", form.records_place, message, refuted_by=_any_record(form)))
        for expected in form.expected:
            shape = record if expected.scope == "record" else response
            if shape is not None:
                self.faults.extend(_wrong(stream, form, shape, expected))


def _any_response(form: RequestForm) -> Refuted | None:
    """If the stream's own list can be read, it exists."""
    return (lambda records: True) if form.place[2:] == ("endpoint",) else None


def _any_record(form: RequestForm) -> Refuted | None:
    """If the stream's own list has records, they are where streams.yaml says."""
    return bool if form.place[2:] == ("endpoint",) else None


def _values_of(column: Field) -> Refuted:
    """Records have values for a column, and each fits its type."""
    convert = converter(column)

    def fit(records: Sequence[Record]) -> bool:
        found = [next((value for path in column.path if (value := path.get(one)) is not None), None) for one in records]
        values = [value for value in found if value is not None]
        try:
            return bool(values) and all(convert(value) is not None for value in values)
        except TypeMismatch:
            return False

    return fit


def _instant_at(stream: Stream, path: JsonPath) -> Field:
    """The column that says how the instants at a path are written."""
    columns = (column for column in stream.fields.values() if column.type == "UTC_DATETIME" and path in column.path)
    return next(columns, Field(path=(path,), type="UTC_DATETIME"))


def _wrong(stream: Stream, form: RequestForm, shape: Shape, expected: ExpectedPath) -> Iterator[RequestFault]:
    found, is_instant = follow(shape, expected.path), expected.type == "instant"
    column = _instant_at(stream, expected.path) if is_instant else Field(path=(expected.path,), type="JSON")
    is_own = _any_record(form) is not None and expected.scope == "record"
    refuted_by = _values_of(column) if is_own else None
    if isinstance(found, Absent):
        yield RequestFault("records", expected.place, _absent(expected.path, found), refuted_by=refuted_by)
    elif expected.type != "any":
        kinds, words = _EXPECTED[expected.type]
        if not found.kinds & {*(_cursor_kinds(column) if is_instant else kinds), "any"}:
            message = f"expected {words} at {expected.path.text}, found {found.words}"
            yield RequestFault("records", expected.place, message, refuted_by=refuted_by)


def _no_operation(form: RequestForm, found: NoOperation) -> str:
    path = form.endpoint.path
    if found.outside:
        return f"{path} is above the base URL; the OpenAPI document does not cover it, so it is not checked"
    if found.methods:
        return f"the server accepts only {', '.join(found.methods)} for {path}"
    near = f'; did you mean "{found.near}"?' if found.near else ""
    return f"the server has no {path}{near}"


def _not_found(form: RequestForm, response: Shape, several: str) -> str:
    """``expected a list at $.results; POST /flows/filter returns an object with rows, total``."""
    assert form.records is not None  # only of requests for records
    wanted = "an object" if form.one_record or form.records.map else f"a {several}"
    paths = " or ".join(path.text for path in form.records.paths)
    names = list(response.properties)
    having = f" with {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}" if names else ""
    return f"expected {wanted} at {paths}; {form.endpoint} returns {response.words}{having}"


def _report_no_record(findings: StreamFindings, response: Shape, form: RequestForm) -> None:
    """Report why the columns were not checked, unless a finding about the stream's own ``records`` does."""
    if not any(finding.aspect == "records" and finding.level == "error" for finding in findings.found):
        findings.add("error", "records", form.place, _not_found(form, response, "list of objects"), _any_record(form))


def _absent(path: JsonPath, absent: Absent) -> str:
    last = absent.steps[-1]
    if isinstance(last, int):
        return f"expected a list for {path.text}, found {absent.within.words}"
    return f'the response has no "{last}" for {path.text}; {hint(last, absent.within.properties)}'


def _check_held(findings: StreamFindings, stream: Stream, record: Shape | None, parent: Shape | None) -> None:
    """Check a stream whose rows are in its parent's records."""
    place: Place = ("streams", stream.name, "parent")
    if parent is None:
        message = "the OpenAPI document does not describe the parent's records, so columns are not checked"
        findings.add("note", "records", place, message)
    elif record is None:
        paths = " or ".join(path.text for path in stream.records.paths)
        message = f"the parent's records have no list of objects at {paths}"
        if stream.availability is None:
            findings.add("error", "records", place, message)
            return
        findings.absent = True
        findings.add("note", "records", place, f"{message} (available only on: {stream.availability})")
    else:
        _check_columns(findings, stream, record, parent)


def _check_columns(findings: StreamFindings, stream: Stream, record: Shape, parent: Shape | None) -> None:
    """Every column, above all key and cursor, has a property whose values fit the column's type."""
    findings.checked.update(("records", "key", "fields", "types"))
    if stream.cursor_field is not None:
        findings.checked.add("cursor")
    for name, column in stream.fields.items():
        if not column.path:
            continue
        place: Place = ("streams", stream.name, "fields", name)
        followed = [_follow(record, parent, path) for path in column.path]
        shapes = [found for found in followed if isinstance(found, Shape)]
        if not shapes:
            absent = [found for found in followed if isinstance(found, Absent)]
            why = ", and ".join(_absent(path, found) for path, found in zip(column.path, absent, strict=True))
            if name in stream.primary_key:
                message = f"this column is part of the primary key, but {why}"
                findings.add("error", "key", place, message, _values_of(column))
            elif name == stream.cursor_field:
                findings.add("error", "cursor", place, f"this column is the cursor, but {why}", _values_of(column))
            elif column.availability is not None:
                message = f"always NULL on this server (available only on: {column.availability})"
                findings.add("note", "fields", place, message)
            else:
                message = f"always NULL: {why} (is the server newer or older than streams.yaml?)"
                findings.add("warning", "fields", place, message, _values_of(column))
            continue
        for shape in shapes:
            wrong = type_mismatch(_sent_type(column), shape)
            if name == stream.cursor_field and stream.has_instants and not shape.kinds & _cursor_kinds(column):
                message = (
                    f"the cursor must be {'a number' if column.time_format else 'a date-time'}, found {shape.words}"
                )
                findings.add("error", "cursor", place, message, _values_of(column))
            elif wrong is not None:
                refuted_by = _values_of(column) if wrong[0] == "error" else None
                findings.add(wrong[0], "types", (*place, "type"), wrong[1], refuted_by)


def _sent_type(column: Field) -> str:
    """The type of column that what the server sends would fit as it is."""
    if column.format == "text":
        return "STRING"
    return FROM_A_NUMBER if column.time_format else column.type


def _cursor_kinds(column: Field) -> set[str]:
    """The kinds of values that can be a cursor. What the column declares about them, a document need not repeat."""
    if column.time_format is not None:
        return {*TAKES[FROM_A_NUMBER], "string", "any"}
    return {"date-time", "any", *(["string"] if column.timezone is not None else [])}


def _follow(record: Shape, parent: Shape | None, path: JsonPath) -> Shape | Absent:
    """What is at a path in a record, or in its parent's."""
    if not path.text.startswith(PARENT):
        return follow(record, path)
    return follow(parent or record.anything, compile_path(f"${path.text.removeprefix(PARENT)}"))
