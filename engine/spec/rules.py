"""What must hold in a streams.yaml besides the form of its single values: one function for each fact.

A rule is given an object of the spec and its node, and yields a node and a message for each violation. It can rely on the
declared types: if it uses a value that was already reported as wrong, it ends there, silently
(:func:`~engine.declare.node.where_known`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple, TypeVar

from engine.declare.node import INVALID, Context, Node, where_known
from engine.declare.problems import suggestion
from engine.declare.types import PATH_VALUE
from engine.spec.configuration import Setting
from engine.spec.dialect import Field, Spec, Stream
from engine.spec.types import KEY_TYPES

_Value = TypeVar("_Value")


class Violation(NamedTuple):
    """A mistake: where, and what. ``at_key``: the place is the key in front of the node."""

    node: Node
    message: str
    at_key: bool = False


Violations = Iterator[Violation]


def check(spec: Spec, node: Node) -> None:
    """Report every violation of a rule, at its place."""
    report = partial(_report, node.context)
    for spec_rule in SPEC_RULES:
        report(spec_rule(spec, node))
    for name, setting in _entries(spec.configuration):
        for setting_rule in SETTING_RULES:
            report(setting_rule(setting, node.at("configuration", name)))
    for name, stream in _entries(spec.streams):
        at = node.at("streams", name)
        for stream_rule in STREAM_RULES:
            report(stream_rule(stream, at))
        for relation_rule in RELATION_RULES:
            report(relation_rule(spec, name, at))
        for column, field in _entries(stream.fields):
            for field_rule in FIELD_RULES:
                report(field_rule(field, at.at("fields", column)))


def _report(context: Context, violations: Violations) -> None:
    with where_known(context):
        for violation in violations:
            violation.node.problem(violation.message, at_key=violation.at_key)


def _entries(mapping: Mapping[str, _Value]) -> list[tuple[str, _Value]]:
    """The entries of a mapping that could be read; none if the mapping itself could not."""
    if mapping is INVALID:
        return []
    return [(name, value) for name, value in mapping.items() if value is not INVALID]


# --- settings --------------------------------------------------------------------------------------------------------


def pattern_and_expected_go_together(setting: Setting, at: Node) -> Violations:
    """A pattern needs words for its error message."""
    if (at.get("pattern") is None) != (at.get("expected") is None):
        yield Violation(at, "pattern and expected go together: the rule, and the rule in words", at_key=True)


def required_has_no_default(setting: Setting, at: Node) -> Violations:
    """A setting that must be given is never absent."""
    if setting.required and setting.default is not None:
        yield Violation(at.at("default"), "a required setting has no default", at_key=True)


def default_has_the_declared_form(setting: Setting, at: Node) -> Violations:
    """The default would be accepted as a value."""
    if setting.default is not None and not setting.required and not setting.accepts(setting.default):
        yield Violation(at.at("default"), f"the default is not {setting.form}")


# --- fields ----------------------------------------------------------------------------------------------------------


def decimal_has_precision_and_scale(field: Field, at: Node) -> Violations:
    """A DECIMAL column without them could not be created."""
    if field.type == "DECIMAL":
        for name, value in (("precision", field.precision), ("scale", field.scale)):
            if value is None:
                yield Violation(at, f'DECIMAL needs the key "{name}"', at_key=True)


def scale_fits_precision(field: Field, at: Node) -> Violations:
    """More digits after the point than digits in all make no number."""
    if field.type == "DECIMAL" and field.scale is not None and field.precision is not None:
        if field.scale > field.precision:
            yield Violation(at.at("scale"), f"the scale is larger than the precision, {field.precision}")


def only_decimal_has_precision_and_scale(field: Field, at: Node) -> Violations:
    """Other types have a size of their own."""
    if field.type != "DECIMAL":
        for name in ("precision", "scale"):
            if at.get(name) is not None:
                yield Violation(at.at(name), "only DECIMAL has a precision and a scale", at_key=True)


# --- streams ---------------------------------------------------------------------------------------------------------


def _column_exists(stream: Stream, name: str, at: Node) -> Violations:
    if name not in stream.fields:
        yield Violation(at, f'"{name}" is not a column of fields; {suggestion(name, stream.fields)}')


def _type_of(stream: Stream, name: str) -> str | None:
    """A column's type; None if there is no such column."""
    return stream.fields[name].type if name in stream.fields else None


def primary_key_is_of_columns(stream: Stream, at: Node) -> Violations:
    """The columns that identify a row exist."""
    for name in stream.primary_key:
        yield from _column_exists(stream, name, at.at("primary_key"))


def primary_key_can_identify(stream: Stream, at: Node) -> Violations:
    """A key compares and hashes exactly."""
    for name in stream.primary_key:
        type_ = _type_of(stream, name)
        if type_ is not None and type_ not in KEY_TYPES:
            yield Violation(at.at("primary_key"), f'a {type_} column such as "{name}" cannot identify a row')


def cursor_field_is_a_column(stream: Stream, at: Node) -> Violations:
    """The cursor is stored with the row."""
    if stream.cursor_field is not None:
        yield from _column_exists(stream, stream.cursor_field, at.at("cursor_field"))


def cursor_field_is_an_instant(stream: Stream, at: Node) -> Violations:
    """Cursors are compared as instants."""
    type_ = _type_of(stream, stream.cursor_field) if stream.cursor_field is not None else None
    if type_ is not None and type_ != "UTC_DATETIME":
        message = f'the cursor field "{stream.cursor_field}" must be a UTC_DATETIME column; it is {type_}'
        yield Violation(at.at("cursor_field"), message)


def incremental_needs_a_cursor_field(stream: Stream, at: Node) -> Violations:
    """Only the cursor shows that a row has changed."""
    if stream.sync_mode == "incremental" and at.get("cursor_field") is None:
        message = 'incremental needs the key "cursor_field": the column that moves with a change'
        yield Violation(at.at("sync_mode"), message)


def full_refresh_has_no_incremental(stream: Stream, at: Node) -> Violations:
    """A full refresh reads the whole list anyway."""
    if stream.sync_mode == "full_refresh" and at.get("incremental") is not None:
        message = 'a full refresh reads the whole list; the key "incremental" is for sync_mode: incremental'
        yield Violation(at.at("incremental"), message, at_key=True)


def full_refresh_has_no_deleted(stream: Stream, at: Node) -> Violations:
    """A full refresh has no choice."""
    if stream.sync_mode == "full_refresh" and at.get("deleted") is not None:
        yield Violation(at.at("deleted"), "a full refresh always soft-deletes rows that are gone", at_key=True)


def deleted_needs_incremental(stream: Stream, at: Node) -> Violations:
    """A stream that only ever reads its list by the cursor does not see deletions."""
    if stream.sync_mode == "incremental" and at.get("deleted") is not None and at.get("incremental") is None:
        yield Violation(at.at("deleted"), 'needs the key "incremental"', at_key=True)


def get_has_no_body(stream: Stream, at: Node) -> Violations:
    """A GET request carries its values in the query."""
    if stream.endpoint is not None and stream.endpoint.method == "GET" and at.get("body") is not None:
        yield Violation(at.at("body"), "a GET request has no body; use query", at_key=True)


def no_endpoint_no_request(stream: Stream, at: Node) -> Violations:
    """A stream that takes its records out of its parent's makes no request of its own."""
    if at.get("endpoint") is None:
        for name in ("body", "query", "pagination", "count"):
            if at.get(name) is not None:
                message = f"a stream without an endpoint makes no requests; {name} has no effect"
                yield Violation(at.at(name), message, at_key=True)


def path_values_come_from_the_parent(stream: Stream, at: Node) -> Violations:
    """Every {name} in the endpoint's path is a value of the parent."""
    if stream.endpoint is None:
        return
    known = stream.parent.values if stream.parent is not None else {}
    for name in PATH_VALUE.findall(stream.endpoint.path):
        if name not in known:
            hint = suggestion(name, known) if known else 'no parent gives values (the key "parent")'
            yield Violation(at.at("endpoint"), f"{{{name}}} is not a value of the parent; {hint}")


def path_values_are_single(stream: Stream, at: Node) -> Violations:
    """A path has room for one value, not for those of a batch."""
    if stream.endpoint is None or stream.parent is None or stream.parent.batch is None:
        return
    for name in PATH_VALUE.findall(stream.endpoint.path):
        if name in stream.parent.values:
            yield Violation(at.at("endpoint"), f"{{{name}}} is a list, since batch asks for several parents at once")


# --- how changes are found -------------------------------------------------------------------------------------------


def incremental_needs_changes(stream: Stream, at: Node) -> Violations:
    """Without queries, only the children of a parent know what can have changed."""
    if at.get("parent") is None and at.get("incremental") is not None and at.at("incremental").get("changes") is None:
        if at.at("incremental").type == "mapping":
            message = 'the key "changes" is missing; only streams with a parent can do without'
            yield Violation(at.at("incremental"), message, at_key=True)


def open_rows_and_change_feed_need_a_lookup(stream: Stream, at: Node) -> Violations:
    """Rows that are remembered or named by their key are looked up by it."""
    for name in ("open", "change_feed"):
        block = at.at("incremental")
        if stream.incremental is not None and block.get(name) is not None and block.get("lookup") is None:
            message = 'needs the key "lookup": where a request takes a list of keys'
            yield Violation(block.at(name), message, at_key=True)


def lookup_needs_a_plain_key(stream: Stream, at: Node) -> Violations:
    """Keys are sent as strings, one a row."""
    if stream.incremental is not None and stream.incremental.lookup is not None and not _has_plain_key(stream):
        yield Violation(at.at("primary_key"), "rows can be looked up only by a primary key of one STRING column")


def _has_plain_key(stream: Stream) -> bool:
    return len(stream.primary_key) == 1 and _type_of(stream, stream.primary_key[0]) in ("STRING", None)


def optional_query_needs_reconcile(stream: Stream, at: Node) -> Violations:
    """What the query would have found must be found otherwise."""
    if stream.incremental is None:
        return
    for number, query in enumerate(stream.incremental.changes):
        if query.optional and stream.incremental.reconcile is None:
            message = 'an optional query needs the key "reconcile", which finds what the query would have found'
            yield Violation(at.at("incremental", "changes", number, "optional"), message, at_key=True)


def reconcile_needs_a_count(stream: Stream, at: Node) -> Violations:
    """The work is shared out over time by the number of rows."""
    if stream.reconcile is not None and stream.parent is None and at.get("count") is None:
        message = 'needs the key "count" of the stream, to share the work out over time'
        yield Violation(at.at("incremental", "reconcile"), message, at_key=True)


def reconcile_needs_a_resumable_pagination(stream: Stream, at: Node) -> Violations:
    """Each sync re-reads a slice and the next one resumes there."""
    if stream.reconcile is not None and stream.parent is None:
        if not stream.pagination or not stream.pagination[0].resumable:
            message = "needs a pagination of the stream that can resume: keyset"
            yield Violation(at.at("incremental", "reconcile"), message, at_key=True)


def related_is_not_for_children(stream: Stream, at: Node) -> Violations:
    """Children follow their parent already."""
    if at.get("parent") is not None and at.at("incremental").get("related") is not None:
        message = "related is for streams without a parent; children follow their parent"
        yield Violation(at.at("incremental", "related"), message, at_key=True)


def queries_need_a_path_without_values(stream: Stream, at: Node) -> Violations:
    """Queries are sent once, not once for each parent."""
    if stream.endpoint is None or stream.incremental is None or not PATH_VALUE.search(stream.endpoint.path):
        return
    for name in ("changes", "open", "change_feed", "related"):
        if at.at("incremental").get(name) is not None:
            message = f"{name} sends requests to the endpoint itself, but its path needs a parent's value"
            yield Violation(at.at("incremental", name), message, at_key=True)


# --- deletions without reconciliation --------------------------------------------------------------------------------


def _remembers(stream: Stream) -> bool:
    return stream.incremental is not None and stream.remembers_all


def soft_delete_of_children_needs_reconcile(stream: Stream, at: Node) -> Violations:
    """The count of a child is that of its parents."""
    if _remembers(stream) and stream.parent is not None:
        message = 'for a stream with a parent, soft_delete needs the key "reconcile" in incremental'
        yield Violation(at.at("deleted"), message)


def soft_delete_needs_a_count(stream: Stream, at: Node) -> Violations:
    """The count shows that rows are gone."""
    if _remembers(stream) and stream.parent is None and at.get("count") is None:
        message = 'soft_delete needs the key "count", which shows that rows are gone, or "reconcile" in incremental'
        yield Violation(at.at("deleted"), message)


def soft_delete_and_open_rows_need_reconcile(stream: Stream, at: Node) -> Violations:
    """The state remembers either all keys or those of open rows."""
    if _remembers(stream) and stream.parent is None and at.at("incremental").get("open") is not None:
        yield Violation(at.at("deleted"), 'with open rows, soft_delete needs the key "reconcile" in incremental')


def soft_delete_needs_a_plain_key(stream: Stream, at: Node) -> Violations:
    """The state remembers keys as strings."""
    if _remembers(stream) and stream.parent is None and not _has_plain_key(stream):
        yield Violation(at.at("primary_key"), "rows can be remembered only by a primary key of one STRING column")


# --- the whole file --------------------------------------------------------------------------------------------------


def one_setting_selects_streams(spec: Spec, at: Node) -> Violations:
    """Two selections would contradict each other."""
    selecting = [name for name, setting in _entries(spec.configuration) if setting.type == "streams"]
    if len(selecting) > 1:
        message = f"more than one setting of type streams: {', '.join(selecting)}"
        yield Violation(at.at("configuration"), message, at_key=True)


def one_stream_fills_a_table(spec: Spec, at: Node) -> Violations:
    """Fivetran folds repeated underscores, so names that differ only in them are one table."""
    tables: dict[str, str] = {}
    for name, stream in spec.streams.items():
        table = _table_of(name, stream)
        folded = re.sub(r"_+", "_", table)
        if folded in tables:
            message = f'the table "{table}" is already filled by the stream "{tables[folded]}"'
            yield Violation(at.at("streams", name), message, at_key=True)
        tables.setdefault(folded, name)


def _table_of(name: str, stream: Stream) -> str:
    return name if stream is INVALID or stream.table is INVALID else stream.table or name


# --- one stream among the others -------------------------------------------------------------------------------------


def parent_exists(spec: Spec, name: str, at: Node) -> Violations:
    """Rows come from a stream of this file."""
    source = spec.streams[name].source
    if source is not None and source.stream not in spec.streams:
        yield Violation(
            at, f'its parent "{source.stream}" is not a stream; {suggestion(source.stream, spec.streams)}', True
        )


def parents_form_no_circle(spec: Spec, name: str, at: Node) -> Violations:
    """No stream is fed by itself."""
    line = [name]
    while (source := spec.streams[line[-1]].source) is not None and source.stream in spec.streams:
        line.append(source.stream)
        if source.stream in line[:-1]:
            yield Violation(at, f"its parents form a circle: {', '.join(line)}", at_key=True)
            return


def children_reconcile_with_their_parent(spec: Spec, name: str, at: Node) -> Violations:
    """The list of a child is re-read parent by parent, which its parent must make possible."""
    stream = spec.streams[name]
    if stream.parent is None or stream.reconcile is None or stream.parent.stream not in spec.streams:
        return
    parent = spec.streams[stream.parent.stream]
    resumable = parent.pagination and parent.pagination[0].resumable
    if parent.cursor_field is None or parent.count is None or not resumable:
        message = (
            f"reconciliation goes through {stream.parent.stream}, which needs a cursor_field, a count and a pagination "
            "that can resume: keyset"
        )
        yield Violation(at.at("incremental", "reconcile"), message, at_key=True)


def references_lead_to_a_column_of_the_same_type(spec: Spec, name: str, at: Node) -> Violations:
    """A foreign key refers to a table that a stream fills."""
    streams = {_table_of(other, stream): stream for other, stream in spec.streams.items()}
    tables = [table for table, stream in streams.items() if stream is not INVALID]
    for column, field in _entries(spec.streams[name].fields):
        if field.references is INVALID or field.references is None:
            continue
        place = at.at("fields", column, "references")
        table, counterpart = field.references.table, field.references.column
        if table not in streams:
            yield Violation(place, f'no stream fills a table "{table}"; {suggestion(table, tables)}')
            continue
        if streams[table] is INVALID or streams[table].fields is INVALID:
            continue
        fields = streams[table].fields
        if counterpart not in fields:
            yield Violation(place, f'"{counterpart}" is not a column of {table}; {suggestion(counterpart, fields)}')
        elif all(one is not INVALID and one.type is not INVALID for one in (field, fields[counterpart])):
            other = fields[counterpart]
            if other.type != field.type:
                yield Violation(place, f"{field.references} is {other.type}, but this column is {field.type}")


SETTING_RULES: Final = (
    pattern_and_expected_go_together,
    required_has_no_default,
    default_has_the_declared_form,
)
FIELD_RULES: Final = (
    decimal_has_precision_and_scale,
    scale_fits_precision,
    only_decimal_has_precision_and_scale,
)
STREAM_RULES: Final = (
    primary_key_is_of_columns,
    primary_key_can_identify,
    cursor_field_is_a_column,
    cursor_field_is_an_instant,
    incremental_needs_a_cursor_field,
    full_refresh_has_no_incremental,
    full_refresh_has_no_deleted,
    deleted_needs_incremental,
    get_has_no_body,
    no_endpoint_no_request,
    path_values_come_from_the_parent,
    path_values_are_single,
    incremental_needs_changes,
    open_rows_and_change_feed_need_a_lookup,
    lookup_needs_a_plain_key,
    optional_query_needs_reconcile,
    reconcile_needs_a_count,
    reconcile_needs_a_resumable_pagination,
    related_is_not_for_children,
    queries_need_a_path_without_values,
    soft_delete_of_children_needs_reconcile,
    soft_delete_needs_a_count,
    soft_delete_and_open_rows_need_reconcile,
    soft_delete_needs_a_plain_key,
)
SPEC_RULES: Final = (one_setting_selects_streams, one_stream_fills_a_table)
RELATION_RULES: Final = (
    parent_exists,
    parents_form_no_circle,
    children_reconcile_with_their_parent,
    references_lead_to_a_column_of_the_same_type,
)
