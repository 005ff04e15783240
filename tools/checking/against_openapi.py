"""Whether a stream fits an API, as far as the API's OpenAPI document tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.declare.yaml import Place
from engine.jsonpath import PARENT, JsonPath
from engine.spec.dialect import Spec, Stream
from tools.checking.findings import Findings
from tools.openapi.accepts import Fault, faults, hint
from tools.openapi.columns import type_mismatch
from tools.openapi.document import NoOperation, OpenApi, Operation
from tools.openapi.lists import follow, object_at, record_at, record_of
from tools.openapi.shape import Absent, Shape
from tools.request_forms import ExpectedPath, RequestForm, SentValues, request_forms

_KINDS: Final = {
    "instant": ({"date-time"}, "an instant (date-time)"),
    "number": ({"integer"}, "a whole number"),
    "text": ({"string", "date-time", "date"}, "a text"),
}
_FIELD_HINT: Final = "is the server newer or older than streams.yaml?"


def check_stream(api: OpenApi, spec: Spec, stream: Stream) -> Findings:
    """Hold every request, path and column of a stream against an OpenAPI document."""
    findings = Findings(stream.name)
    asked = [_Asked.of(api, template) for template in request_forms(spec, stream)]
    if asked and asked[0].outside:
        findings.say("note", "paths", asked[0].template.place, asked[0].said[0].message)
        return findings
    if asked and asked[0].operation is None and stream.availability is not None:
        findings.look("paths")
        message = f"{asked[0].said[0].message}; by streams.yaml only some have it: {stream.availability}"
        findings.say("note", "paths", asked[0].template.place, message)
        findings.absent = True
        return findings
    for one in asked:
        one.tell(findings, asked)
    record = record_of(api, spec, stream)
    if record is not None:
        _check_columns(findings, stream, record)
    elif asked and asked[0].operation is not None:
        _tell_no_record(findings, asked[0].operation, asked[0].template, stream)
    elif not asked:
        place: Place = ("streams", stream.name, "parent")
        findings.say("error", "records", place, "the parent's records hold no list of objects at the declared path")
    return findings


@dataclass(frozen=True)
class _Said:
    """Something wrong with a request. ``ignored``: the server would pass over it in silence."""

    aspect: str
    place: Place
    message: str
    ignored: bool = False


@dataclass
class _Asked:
    """A template, the operation that answers it, and what is wrong with it."""

    template: RequestForm
    operation: Operation | None
    said: list[_Said] = field(default_factory=list)
    outside: bool = False
    """Whether it lies above the base URL, and the document does not tell of it."""

    @classmethod
    def of(cls, api: OpenApi, template: RequestForm) -> _Asked:
        found = api.find(template.endpoint)
        if isinstance(found, NoOperation):
            said = _Said("paths", template.place, _no_operation(template, found))
            return cls(template, None, [said], found.outside)
        asked = cls(template, found)
        if template.endpoint.method == "POST":
            asked._check_body(found)
            asked._check_query(found, template.query)
        else:
            asked._check_query(found, (*template.sent, *template.query))
        asked._check_expected(found)
        return asked

    def tell(self, findings: Findings, asked: Sequence[_Asked]) -> None:
        """Say what is wrong, as gravely as it is: what a sync goes on without is no mistake."""
        if self.outside:
            findings.say("note", "paths", self.template.place, self.said[0].message)
            return
        findings.look("paths")
        if self.operation is not None:
            findings.look("requests")
        instead = self._instead(asked)
        for said in self.said:
            level, comment = "error", ""
            if instead is not None and not said.ignored:
                level, comment = "note", f" (alternative {instead} is used instead)"
            elif self.template.optional and not said.ignored:
                level, comment = "warning", " (a sync goes on without this request)"
            findings.say(level, said.aspect, said.place, said.message + comment)

    def _instead(self, asked: Sequence[_Asked]) -> int | None:
        """The number of an alternative to this request that the server accepts in all its forms."""
        if self.template.alternative is None:
            return None
        group, own = self.template.alternative
        bad = {one.template.alternative for one in asked if one.said}
        others = sorted({one.template.alternative for one in asked if one.template.alternative} - bad)
        return next((number for place, number in others if place == group and number != own), None)

    def _check_body(self, operation: Operation) -> None:
        if operation.body is None:
            for sent in self.template.sent:
                for name in sent.values:
                    self._fault(sent, Fault((name,), f'the server takes no body, so it ignores "{name}"', True))
            return
        names: set[str] = set()
        for sent in self.template.sent:
            names.update(sent.values)
            for fault in faults(operation.body, dict(sent.values)):
                self._fault(sent, fault)
        for name in operation.body.required:
            if name not in names:
                self.said.append(_Said("requests", self.template.place, f'the server requires "{name}" in the body'))

    def _check_query(self, operation: Operation, given: Sequence[SentValues]) -> None:
        for sent in given:
            for name, value in sent.values.items():
                if name not in operation.query:
                    near = hint(name, operation.query)
                    message = f'the server has no parameter "{name}" here and ignores it; {near}'
                    self._fault(sent, Fault((name,), message, True))
                    continue
                for fault in faults(operation.query[name][0], value, (name,)):
                    self._fault(sent, fault)
        names = {name for sent in given for name in sent.values}
        for name, (_, required) in operation.query.items():
            if required and name not in names:
                self.said.append(_Said("requests", self.template.place, f'the server requires the parameter "{name}"'))

    def _fault(self, sent: SentValues, fault: Fault) -> None:
        place = (*sent.place, *fault.steps) if sent.literal else sent.place
        where = "" if sent.literal or len(fault.steps) < 2 else f"at {'.'.join(map(str, fault.steps[:-1]))}: "
        self.said.append(_Said("requests", place, where + fault.message, fault.ignored))

    def _check_expected(self, operation: Operation) -> None:
        template = self.template
        at = object_at if template.one_record else record_at
        record = at(operation.answer, template.records) if operation.answer else None
        if record is None and template.records_place[:1] != ("api",) and template.records and operation.answer:
            wanted = _wanted(template, "list")
            message = f"{template.endpoint} answers with {_named(operation.answer)}, and no {wanted}"
            self.said.append(_Said("records", template.records_place, message))
        for expected in template.expected:
            shape = record if expected.scope == "record" else operation.answer
            if shape is not None:
                self.said.extend(_wrong(shape, expected))


def _wrong(shape: Shape, expected: ExpectedPath) -> Iterator[_Said]:
    found = follow(shape, expected.path)
    if isinstance(found, Absent):
        yield _Said("records", expected.place, _absent(expected.path, found))
    elif expected.type in _KINDS:
        kinds, words = _KINDS[expected.type]
        if not found.kinds & {*kinds, "any"}:
            yield _Said("records", expected.place, f"expected {words} at {expected.path.text}, {_declared(found)}")


def _no_operation(template: RequestForm, found: NoOperation) -> str:
    if found.outside:
        return (
            f"{template.endpoint.path} lies above the base URL; the document does not tell of it, so it is not checked"
        )
    if found.methods:
        return f"the server has {template.endpoint.path} for {', '.join(found.methods)} only"
    near = f'; did you mean "{found.near}"?' if found.near else ""
    return f"the server has no {template.endpoint.path}{near}"


def _wanted(template: RequestForm, several: str) -> str:
    """What is looked for, and where: ``list at $.results``."""
    return f"{'object' if template.one_record else several} at {' or '.join(path.text for path in template.records)}"


def _tell_no_record(findings: Findings, operation: Operation, whole: RequestForm, stream: Stream) -> None:
    """Say why nothing can be said of the columns. (Where the stream has a records path of its own, it was said.)"""
    place = ("streams", stream.name, "endpoint")
    if operation.answer is None:
        findings.say("note", "records", place, "the document does not say what this answers; columns are not checked")
    elif not any(f.aspect == "records" and f.level == "error" for f in findings.found):
        wanted = _wanted(whole, "list of objects")
        message = f"{stream.endpoint} answers with {_named(operation.answer)}, and no {wanted}"
        findings.say("error", "records", place, message)


def _named(shape: Shape) -> str:
    kinds = ", ".join(sorted(shape.kinds))
    names = list(shape.properties)
    return f"{kinds} with {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}" if names else kinds


def _absent(path: JsonPath, absent: Absent) -> str:
    last = absent.steps[-1]
    if isinstance(last, int):
        return f"there is no {path.text}: {_declared(absent.within)}, and no list there"
    return f'the server declares no "{last}" for {path.text}; {hint(last, absent.within.properties)}'


def _declared(shape: Shape) -> str:
    return f"where the server declares {', '.join(sorted(shape.kinds))}"


def _check_columns(findings: Findings, stream: Stream, record: Shape) -> None:
    """Every column has a property behind it, of values that fit its type; the key and the cursor above all."""
    for aspect in ("records", "key", "fields", "types"):
        findings.look(aspect)
    if stream.cursor_field is not None:
        findings.look("cursor")
    for name, column in stream.fields.items():
        place: Place = ("streams", stream.name, "fields", name)
        of_parent = any(path.text.startswith(PARENT) for path in column.path)
        followed = [] if of_parent else [follow(record, path) for path in column.path]
        shapes = [found for found in followed if isinstance(found, Shape)]
        absent = [found for found in followed if isinstance(found, Absent)]
        if not followed:
            continue
        if not shapes:
            why = ", and ".join(_absent(path, found) for path, found in zip(column.path, absent, strict=True))
            if name in stream.primary_key:
                findings.say("error", "key", place, f"this column is of the primary key, but {why}")
            elif name == stream.cursor_field:
                findings.say("error", "cursor", place, f"this column is the cursor, but {why}")
            elif column.availability is not None:
                findings.say(
                    "note", "fields", place, f"always NULL here; by streams.yaml only on: {column.availability}"
                )
            else:
                findings.say("warning", "fields", place, f"always NULL: {why} ({_FIELD_HINT})")
            continue
        for shape in shapes:
            wrong = type_mismatch(column.type, shape)
            if name == stream.cursor_field and not shape.kinds & {"date-time", "any"}:
                message = f"the cursor must be an instant (date-time), {_declared(shape)}"
                findings.say("error", "cursor", place, message)
            elif wrong is not None:
                findings.say(wrong[0], "types", (*place, "type"), wrong[1])
