"""The rules of a streams.yaml that no single value can break: one function for each.

A rule takes an object of the spec and its node, and yields its violations. It can rely on the declared types: if it
uses a value that was already reported as wrong, it ends there, silently (:func:`~engine.declare.node.where_known`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from engine.authentication.login import Login
from engine.declare.node import INVALID, PLACEHOLDER, Context, Node, where_known
from engine.declare.problems import suggestion
from engine.jsonpath import KEY, PARENT, VALUE, JsonPath
from engine.pagination.keyset import Keyset
from engine.pagination.single import Single
from engine.spec.answers import Answer
from engine.spec.configuration import ConfigurationError, Setting
from engine.spec.dialect import Field, Spec, Stream
from engine.spec.partition_rules import PARTITION_RULES
from engine.spec.request_rules import API_RULES, REQUEST_RULES, names
from engine.spec.selection import WORDS, select
from engine.spec.types import CURSOR_TYPES, FROM_TEXT, INTEGERS, KEY_TYPES, TIME_FORMATS
from engine.spec.violations import Violation, Violations
from engine.variables import VariableError

_RESUMABLE: Final = "keyset, offset, or page_number without a total"

_CREDENTIALS: Final = (("token",), ("value",), ("client_secret",), ("refresh_token",), ("credentials", "body", "form"))
"""The keys of authentication styles in which a setting must be secret: one in each of these, if they have settings."""

_Value = TypeVar("_Value")


def check(spec: Spec, node: Node) -> None:
    """Report every violation of every rule."""
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
        try:
            for violation in violations:
                violation.node.problem(violation.message, at_key=violation.at_key)
        except VariableError:
            pass  # reported once, by the rule about variables


def _entries(mapping: Mapping[str, _Value]) -> list[tuple[str, _Value]]:
    """The entries of a mapping that could be read; none if the mapping itself could not."""
    if mapping is INVALID:
        return []
    return [(name, value) for name, value in mapping.items() if value is not INVALID]


def _numbered(values: Sequence[_Value]) -> list[tuple[int, _Value]]:
    """The items of a list that could be read, with their indexes."""
    if values is INVALID:
        return []
    return [(number, value) for number, value in enumerate(values) if value is not INVALID]


# --- settings --------------------------------------------------------------------------------------------------------


def pattern_and_expected_go_together(setting: Setting, at: Node) -> Violations:
    """The error message says ``expected`` instead of the pattern."""
    if (at.get("pattern") is None) != (at.get("expected") is None):
        yield Violation(at, 'give both "pattern" and "expected" (the pattern in words), or neither', at_key=True)


def required_has_no_default(setting: Setting, at: Node) -> Violations:
    """The default of a required setting would never be used."""
    if setting.required and setting.default is not None:
        yield Violation(at.at("default"), "a required setting has no default", at_key=True)


def default_has_the_declared_form(setting: Setting, at: Node) -> Violations:
    """A default must be a valid value of its setting."""
    if setting.default is not None and not setting.required and not setting.accepts(setting.default):
        yield Violation(at.at("default"), f"the default does not match: expected {setting.form}")


def default_uses_no_setting(setting: Setting, at: Node) -> Violations:
    """Settings are filled in below the configuration only."""
    if setting.default is not None and PLACEHOLDER.search(setting.default):
        yield Violation(at.at("default"), "a default cannot use another setting")


# --- authentication --------------------------------------------------------------------------------------------------


def login_has_one_body(spec: Spec, at: Node) -> Violations:
    """A request has one."""
    for index, style in enumerate(spec.api.authentication):
        if isinstance(style, Login) and style.body is not None and style.form is not None:
            place = at.at("api", "authentication", index, "form")
            yield Violation(place, "the login has a body, too; give one of them", at_key=True)


def credentials_are_secret(spec: Spec, at: Node) -> Violations:
    """Otherwise the setup form would show them, and so could a log."""
    for index in range(len(spec.api.authentication)):
        style = at.at("api", "authentication", index)
        for keys in _CREDENTIALS:
            places = [place for key in keys if (place := style.get(key)) is not None]
            settings = [name for place in places for name in _settings_in(place)]
            if settings and not any(spec.configuration[name].secret for name in settings):
                hidden = " or ".join(f"configuration.{name}" for name in settings)
                yield Violation(places[0], f"no setting in it is secret; give {hidden} secret: true")


def _settings_in(node: Node) -> Iterator[str]:
    """The settings in the strings of a value, at any depth."""
    yield from node.settings
    children = [child for _, child in node.entries] if node.type == "mapping" else []
    for child in node.items() if node.type == "list" else children:
        yield from _settings_in(child)


# --- fields ----------------------------------------------------------------------------------------------------------


def decimal_has_precision_and_scale(field: Field, at: Node) -> Violations:
    """The destination needs both to create the column."""
    if field.type == "DECIMAL":
        for name, value in (("precision", field.precision), ("scale", field.scale)):
            if value is None:
                yield Violation(at, f'DECIMAL needs the key "{name}"', at_key=True)


def scale_fits_precision(field: Field, at: Node) -> Violations:
    """The digits after the decimal point are part of all digits."""
    if field.type != "DECIMAL" or field.scale is None or field.precision is None:
        return
    if field.scale > field.precision:
        yield Violation(at.at("scale"), f"the scale exceeds the precision ({field.precision})")


def only_decimal_has_precision_and_scale(field: Field, at: Node) -> Violations:
    """The other types have a fixed size."""
    if field.type != "DECIMAL":
        for name in ("precision", "scale"):
            if at.get(name) is not None:
                yield Violation(at.at(name), "only DECIMAL has a precision and a scale", at_key=True)


def format_fits_the_type(field: Field, at: Node) -> Violations:
    """A NAIVE_DATETIME is not an instant, and a string not a number."""
    if field.time_format is not None and field.type != "UTC_DATETIME":
        yield Violation(at.at("format"), f"only UTC_DATETIME has the format {field.format}", at_key=True)
    if field.format == "text" and field.type not in FROM_TEXT:
        yield Violation(at.at("format"), f"{field.type} is no number, and no boolean, to read from text", at_key=True)


def only_instants_have_a_timezone(field: Field, at: Node) -> Violations:
    """A NAIVE_DATETIME is not an instant."""
    if field.type != "UTC_DATETIME" and at.get("timezone") is not None:
        yield Violation(at.at("timezone"), "only UTC_DATETIME has a timezone", at_key=True)


def a_number_has_no_timezone(field: Field, at: Node) -> Violations:
    """It counts from an instant."""
    if field.time_format in TIME_FORMATS and at.get("timezone") is not None:
        yield Violation(at.at("timezone"), f"{field.time_format} needs no timezone", at_key=True)


def a_column_has_one_source(field: Field, at: Node) -> Violations:
    """Its values come from the record, or are constant."""
    given = [name for name in ("path", "value", "present") if at.get(name) is not None]
    for name in given[1:]:
        yield Violation(at.at(name), f'a column has either "{given[0]}" or "{name}"', at_key=True)


def presence_is_boolean(field: Field, at: Node) -> Violations:
    """A record has the value or not."""
    if field.present is not None and field.type != "BOOLEAN":
        yield Violation(at.at("present"), "present is true or false: the column needs type: BOOLEAN", at_key=True)


def constant_fits_its_type(field: Field, at: Node) -> Violations:
    """Otherwise the column would be NULL in every row."""
    node = at.get("value")
    if node is None or field.value is INVALID:
        return
    accepted = _CONSTANTS.get(field.type)
    if accepted is None:
        yield Violation(node, f"{field.type} cannot be constant; types that can: {', '.join(_CONSTANTS)}")
    elif not isinstance(field.value, accepted) or isinstance(field.value, bool) != (field.type == "BOOLEAN"):
        yield Violation(node, f"expected a value of type {field.type}, found {node.describe()}")


_CONSTANTS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "STRING": str,
    "BOOLEAN": bool,
    "SHORT": int,
    "INT": int,
    "LONG": int,
    "DECIMAL": (int, float),
    "DOUBLE": (int, float),
}
"""The types of constant columns, with the Python types of their values."""


# --- streams ---------------------------------------------------------------------------------------------------------


def _column_exists(stream: Stream, name: str, at: Node) -> Violations:
    if name not in stream.fields:
        yield Violation(at, f'"{name}" is not a column; {suggestion(name, stream.fields)}')


def _type_of(stream: Stream, name: str) -> str | None:
    """A column's type; None if there is no such column."""
    return stream.fields[name].type if name in stream.fields else None


def primary_key_is_of_columns(stream: Stream, at: Node) -> Violations:
    """A row must contain its own key."""
    for name in stream.primary_key:
        yield from _column_exists(stream, name, at.at("primary_key"))


def primary_key_names_each_column_once(stream: Stream, at: Node) -> Violations:
    """The SDK rejects a table with a repeated key column."""
    for number, name in enumerate(stream.primary_key):
        if name in stream.primary_key[:number]:
            yield Violation(at.at("primary_key", number), f'"{name}" is listed twice')


def primary_key_can_identify(stream: Stream, at: Node) -> Violations:
    """Keys are compared and hashed, so their types must be exact."""
    for name in stream.primary_key:
        type_ = _type_of(stream, name)
        if type_ is not None and type_ not in KEY_TYPES:
            yield Violation(at.at("primary_key"), f'"{name}" is {type_}, which cannot identify a row')


def primary_key_varies(stream: Stream, at: Node) -> Violations:
    """With the same key, each row would replace the one before."""
    columns = [stream.fields[name] for name in stream.primary_key if name in stream.fields]
    if columns and all(column.value is not None for column in columns):
        yield Violation(
            at.at("primary_key"), "a constant is the same in every row; the primary key needs another column"
        )


def cursor_field_is_a_column(stream: Stream, at: Node) -> Violations:
    """A row must contain its own cursor."""
    if stream.cursor_field is not None:
        yield from _column_exists(stream, stream.cursor_field, at.at("cursor_field"))


def cursor_field_can_be_compared(stream: Stream, at: Node) -> Violations:
    """An instant is compared with the server's clock, anything else with itself."""
    type_ = _type_of(stream, stream.cursor_field) if stream.cursor_field is not None else None
    if type_ is not None and type_ not in CURSOR_TYPES:
        known = ", ".join(CURSOR_TYPES)
        message = f'the cursor field "{stream.cursor_field}" is {type_}; types that can be: {known}'
        yield Violation(at.at("cursor_field"), message)


def what_compares_with_the_clock_needs_instants(stream: Stream, at: Node) -> Violations:
    """Without a cursor that is an instant, nothing shows whether a row is older than a pass."""
    type_ = _type_of(stream, stream.cursor_field) if stream.cursor_field is not None else None
    if stream.sync_mode != "incremental" or type_ == "UTC_DATETIME":
        return
    needs = "needs a cursor_field of type UTC_DATETIME"
    if type_ in CURSOR_TYPES and (stream.incremental is None or not stream.incremental.changes):
        yield Violation(
            at.at("cursor_field"), f'a cursor of type {type_}, if it is no date, needs the key "changes" of incremental'
        )
    if stream.reconcile is not None:
        yield Violation(at.at("incremental", "reconcile"), needs, at_key=True)


def full_refresh_has_no_incremental(stream: Stream, at: Node) -> Violations:
    """A full refresh reads the whole list at each sync."""
    if stream.sync_mode == "full_refresh" and at.get("incremental") is not None:
        message = 'a full refresh reads the whole list; the key "incremental" is for sync_mode: incremental'
        yield Violation(at.at("incremental"), message, at_key=True)


def full_refresh_has_no_deleted(stream: Stream, at: Node) -> Violations:
    """A full refresh replaces the table."""
    if stream.sync_mode == "full_refresh" and at.get("deleted") is not None:
        yield Violation(at.at("deleted"), "a full refresh always soft-deletes rows that are gone", at_key=True)


def deleted_needs_incremental(stream: Stream, at: Node) -> Violations:
    """Without it, a stream sends the rows whose cursor moved and cannot detect deletions."""
    if stream.sync_mode == "incremental" and at.get("deleted") is not None and at.get("incremental") is None:
        yield Violation(at.at("deleted"), 'needs the key "incremental"', at_key=True)


def keyset_is_of_dates_and_times(stream: Stream, at: Node) -> Violations:
    """Its bounds are sent in ISO 8601, in UTC."""
    declared = [column for _, column in _entries(stream.fields) if column.time_format or column.timezone]
    paths = {path for column in declared for path in column.path}
    for style in stream.pagination:
        if isinstance(style, Keyset) and style.field in paths:
            message = f"style keyset needs dates and times in UTC; the column of {style.field.text} declares others"
            yield Violation(at.at("pagination"), message)


def count_is_in_one_place(stream: Stream, at: Node) -> Violations:
    """The body of the response has the number, or a header."""
    count = at.get("count")
    if count is not None and count.get("header") is not None and count.get("path") is not None:
        yield Violation(count.at("path"), 'the number is at a "path" or in a "header", not at both', at_key=True)


def no_endpoint_no_request(stream: Stream, at: Node) -> Violations:
    """A stream without an endpoint takes its records out of its parent's."""
    if at.get("endpoint") is not None or at.get("parent") is None:
        return
    requesting = {
        "": ("body", "query", "pagination", "count"),
        "parent": ("batch",),
        "incremental": ("changes", "open", "change_feed", "related", "lookup"),
    }
    for block, keys in requesting.items():
        node = at.get(block) if block else at
        for name in keys:
            if node is not None and node.get(name) is not None:
                message = f"a stream without an endpoint makes no requests; {name} has no effect"
                yield Violation(node.at(name), message, at_key=True)


def path_values_are_single(stream: Stream, at: Node) -> Violations:
    """A path takes one value; in a batch, each value is a list."""
    if stream.endpoint is None or stream.parent is None or stream.parent.batch is None:
        return
    endpoints = [(stream.endpoint, at)]
    for number, query in enumerate(stream.incremental.changes if stream.incremental is not None else ()):
        endpoints += [(query.endpoint, at.at("incremental", "changes", number))] if query.endpoint is not None else []
    for endpoint, place in endpoints:
        if names(endpoint.path, "parent"):
            message = "a value of the parent is a list: with batch, one request is for several parents"
            yield Violation(place.at("endpoint"), message)


def _paths(stream: Stream, at: Node) -> Iterator[tuple[JsonPath, Node]]:
    """Every path into a record that columns and conditions have, and its place."""
    for column, field in _entries(stream.fields):
        for path in field.path if field.path is not INVALID else ():
            yield path, at.at("fields", column, "path")
        if field.present is not None:
            yield field.present, at.at("fields", column, "present")
    for number, condition in _numbered(stream.where):
        yield condition.path, at.at("where", number, "path")


def parent_records_are_known(stream: Stream, at: Node) -> Violations:
    """``$parent`` would silently be NULL in a row that was not requested for a single parent."""
    for path, place in _paths(stream, at):
        if path is INVALID or not path.text.startswith(PARENT):
            continue
        if stream.parent is None:
            yield Violation(place, f'{PARENT} needs the key "parent" of the stream')
        elif stream.endpoint is not None and stream.parent.batch is not None:
            yield Violation(place, f"{PARENT} is unknown: with batch, one request is for several parents")
        elif stream.endpoint is not None and stream.incremental is not None:
            block, queries = at.at("incremental"), stream.incremental.changes
            is_known = all(stream.is_of_each_parent(query) for query in queries)
            for name in ("open", "change_feed") if is_known else ("changes", "open", "change_feed"):
                if block.get(name) is not None:
                    yield Violation(place, f"{PARENT} is unknown in the rows that {name} finds")


def a_parent_is_a_stream_or_values(stream: Stream, at: Node) -> Violations:
    """Values have no records of their own, in which a stream without an endpoint could find its own."""
    if stream.parent is None or stream.parent.list is None:
        return
    if at.at("parent").get("stream") is not None:
        yield Violation(at.at("parent", "list"), 'the parent is either a "stream" or a "list"', at_key=True)
    elif at.get("endpoint") is None:
        message = 'a list of values has no records in which the rows could be: give an "endpoint"'
        yield Violation(at.at("parent", "list"), message, at_key=True)


# --- how changes are found -------------------------------------------------------------------------------------------


def incremental_needs_changes(stream: Stream, at: Node) -> Violations:
    """Children are read for the parents that changed; every other stream needs queries."""
    block = at.get("incremental")
    if block is not None and block.type == "mapping" and block.get("changes") is None and at.get("parent") is None:
        message = 'the key "changes" is missing; only a stream with a parent can do without it'
        yield Violation(block, message, at_key=True)


def open_rows_and_change_feed_need_a_lookup(stream: Stream, at: Node) -> Violations:
    """Both yield keys, and the rows must then be requested by key."""
    for name in ("open", "change_feed"):
        block = at.at("incremental")
        if name == "change_feed" and block.at(name).get("record") is not None:
            continue
        if stream.incremental is not None and block.get(name) is not None and block.get("lookup") is None:
            message = 'needs the key "lookup": how rows are requested by their keys'
            yield Violation(block.at(name), message, at_key=True)


def a_feed_of_records_names_none(stream: Stream, at: Node) -> Violations:
    """A prefix is that of a key, and a record does not show whether its row still exists."""
    feed = at.at("incremental", "change_feed")
    if stream.incremental is None or feed.get("record") is None:
        return
    if feed.get("prefix") is not None:
        yield Violation(feed.at("prefix"), "only names has a prefix; where selects records", at_key=True)
    if stream.deleted == "soft_delete":
        message = "with soft_delete, a change feed needs names: a record can be that of a row that is gone"
        yield Violation(feed.at("record"), message, at_key=True)


def lookup_needs_a_plain_key(stream: Stream, at: Node) -> Violations:
    """A lookup sends one value for each row."""
    if stream.incremental is not None and stream.incremental.lookup is not None and not _has_plain_key(stream):
        message = "rows can be looked up only by a primary key of one column, a STRING or an integer"
        yield Violation(at.at("primary_key"), message)


def one_row_has_one_record(stream: Stream, at: Node) -> Violations:
    """A response with one row has its record at a path."""
    lookup = stream.incremental.lookup if stream.incremental is not None else None
    if lookup is not None and lookup.returns_one and (lookup.records.map or lookup.records.values):
        message = "$(key) in the path asks for one row: records is the path of its record"
        yield Violation(at.at("incremental", "lookup", "records"), message, at_key=True)


def _has_plain_key(stream: Stream) -> bool:
    return len(stream.primary_key) == 1 and _type_of(stream, stream.primary_key[0]) in ("STRING", *INTEGERS, None)


def optional_query_needs_reconcile(stream: Stream, at: Node) -> Violations:
    """On a server without the query, something else must find its changes."""
    if stream.incremental is None:
        return
    for number, query in enumerate(stream.incremental.changes):
        if query.optional and stream.incremental.reconcile is None:
            message = 'an optional query needs the key "reconcile", which finds what the query would have found'
            yield Violation(at.at("incremental", "changes", number, "optional"), message, at_key=True)


def reconcile_needs_a_count(stream: Stream, at: Node) -> Violations:
    """The number of rows due at each sync is a share of the count."""
    if stream.reconcile is not None and stream.parent is None and at.get("count") is None:
        message = 'needs the key "count" of the stream, to spread the work over time'
        yield Violation(at.at("incremental", "reconcile"), message, at_key=True)


def related_is_not_for_children(stream: Stream, at: Node) -> Violations:
    """Children are already read for the parents that changed."""
    if at.get("parent") is not None and at.at("incremental").get("related") is not None:
        message = "related is for streams without a parent; children follow their parent"
        yield Violation(at.at("incremental", "related"), message, at_key=True)


def queries_need_a_path_without_values(stream: Stream, at: Node) -> Violations:
    """These requests are not sent for a parent, so they have no values."""
    if stream.endpoint is None or stream.incremental is None or not names(stream.endpoint.path, "parent"):
        return
    for name in ("open", "change_feed", "related"):
        if at.at("incremental").get(name) is not None:
            message = f"{name} sends requests without a parent, but the endpoint's path needs its values"
            yield Violation(at.at("incremental", name), message, at_key=True)


def a_query_of_each_parent_is_alone(stream: Stream, at: Node) -> Violations:
    """It is sent for many rows at once, and what it finds of one says nothing of the others."""
    if stream.query_of_each_parent is None or stream.incremental is None:
        return
    if stream.cursor_field is not None and not stream.has_instants:
        message = "rows of several parents share no order of numbers or strings: the cursor must be a UTC_DATETIME"
        yield Violation(at.at("cursor_field"), message)
    for number, query in enumerate(stream.incremental.changes):
        if not stream.is_of_each_parent(query):
            continue
        place = at.at("incremental", "changes", number)
        if query is not stream.query_of_each_parent:
            yield Violation(place, "only one query of changes can be sent for each row of the parent")
        for name in ("fallback", "optional", "filters_by"):
            if place.get(name) is not None:
                yield Violation(place.at(name), f"a query that is sent for each row of the parent has no {name}", True)


# --- deletions without reconciliation --------------------------------------------------------------------------------


def _remembers(stream: Stream) -> bool:
    return stream.finds_deleted and stream.reconcile is None


def soft_delete_of_children_needs_reconcile(stream: Stream, at: Node) -> Violations:
    """A child has no count of its own to compare with."""
    if _remembers(stream) and stream.parent is not None:
        message = 'for a stream with a parent, soft_delete needs the key "reconcile" in incremental'
        yield Violation(at.at("deleted"), message)


def soft_delete_needs_a_count(stream: Stream, at: Node) -> Violations:
    """Only the count shows that rows are gone."""
    if _remembers(stream) and stream.parent is None and at.get("count") is None:
        message = 'soft_delete needs the key "count", which shows that rows are gone, or "reconcile" in incremental'
        yield Violation(at.at("deleted"), message)


def soft_delete_of_some_records_needs_reconcile(stream: Stream, at: Node) -> Violations:
    """The count is of all records, and says nothing of those that are rows."""
    if _remembers(stream) and at.get("where") is not None:
        yield Violation(at.at("deleted"), 'with "where", soft_delete needs the key "reconcile" in incremental')


# --- the whole file --------------------------------------------------------------------------------------------------


def one_setting_selects_streams(spec: Spec, at: Node) -> Violations:
    """Two selections could contradict each other."""
    selecting = [name for name, setting in _entries(spec.configuration) if setting.type == "streams"]
    if len(selecting) > 1:
        message = f"more than one setting of type streams: {', '.join(selecting)}"
        yield Violation(at.at("configuration"), message, at_key=True)


def default_selection_is_of_streams(spec: Spec, at: Node) -> Violations:
    """Otherwise a configuration that leaves the setting empty would be rejected for a value it does not have."""
    for name, setting in _entries(spec.configuration):
        if setting.type == "streams" and setting.default:
            try:
                select(name, setting.default, spec.streams)
            except ConfigurationError:
                place = at.at("configuration", name, "default")
                yield Violation(
                    place, f"the default selects no streams; known: all, default, {', '.join(spec.streams)}"
                )


def streams_are_not_called_like_a_selection(spec: Spec, at: Node) -> Violations:
    """A selection of streams reads these words as groups."""
    for name in WORDS:
        if name in spec.streams:
            yield Violation(at.at("streams", name), f'"{name}" cannot name a stream: it selects several', at_key=True)


def one_stream_fills_a_table(spec: Spec, at: Node) -> Violations:
    """Fivetran folds repeated underscores, so two names can be one table."""
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


def _answers(spec: Spec, at: Node) -> Iterator[tuple[Answer, Node]]:
    """The rules about responses, of the api and of the streams."""
    if spec.api is not INVALID:
        yield from ((one, at.at("api", "answers", number)) for number, one in _numbered(spec.api.answers))
    for name, stream in _entries(spec.streams):
        for number, answer in _numbered(stream.answers):
            yield answer, at.at("streams", name, "answers", number)


def answers_compare_one_value(spec: Spec, at: Node) -> Violations:
    """``is`` and ``not`` are about a header or a value in the body."""
    for _, node in _answers(spec, at):
        compares = [name for name in ("is", "not") if node.get(name) is not None]
        compared = [name for name in ("header", "path") if node.get(name) is not None]
        if compares and len(compared) != 1:
            has = "both" if compared else "neither"
            message = f'{compares[0]} compares either "header" or "path"; this rule has {has}'
            yield Violation(node.at(compares[0]), message, at_key=True)


def answers_have_what_their_meaning_uses(spec: Spec, at: Node) -> Violations:
    """Only a wait ends, and only a failure has a message."""
    for answer, node in _answers(spec, at):
        for name, meanings in (("until", ("wait",)), ("words", ("failure", "unauthorized"))):
            if node.get(name) is not None and answer.means is not INVALID and answer.means not in meanings:
                yield Violation(node.at(name), f"only means: {' or '.join(meanings)} has {name}", at_key=True)


def only_changes_expire(spec: Spec, at: Node) -> Violations:
    """A stream that reads its whole list asks for no changes, so the server cannot have forgotten them."""
    for name, stream in _entries(spec.streams):
        for number, answer in _numbered(stream.answers):
            if answer.means == "expired" and stream.incremental is None:
                node = at.at("streams", name, "answers", number, "means")
                yield Violation(node, "changes expire, and this stream reads its whole list at each sync")


def _requests_of_changes(stream: Node) -> Iterator[Node]:
    """The blocks of a stream that can have records of their own: its lookup, its queries and their fallbacks."""
    block = stream.get("incremental")
    if block is None:
        return
    pending = [found for name in ("lookup", "changes") if (found := block.get(name)) is not None]
    while pending:
        node = pending.pop(0)
        if node.type == "list":
            pending[:0] = node.items()
            continue
        yield node
        fallback = node.get("fallback")
        pending[:0] = [fallback] if fallback is not None else []


def records_are_in_one_place(spec: Spec, at: Node) -> Violations:
    """A response has one kind of records."""
    blocks = [at.at("api")]
    for stream in (at.at("streams", name) for name in spec.streams):
        blocks += [stream, *_requests_of_changes(stream)]
    for node in (block.get("records") for block in blocks):
        given = [name for name in ("list", "map", "values") if node is not None and node.get(name) is not None]
        if node is not None and len(given) > 1:
            yield Violation(node, f"give one of {' and '.join(given)}; each says where all records are", at_key=True)


# --- one stream among the others -------------------------------------------------------------------------------------


def parent_exists(spec: Spec, name: str, at: Node) -> Violations:
    """A stream that depends on another needs it in the same file."""
    source = spec.streams[name].source
    if source is not None and source.stream is not None and source.stream not in spec.streams:
        yield Violation(
            at, f'its parent "{source.stream}" is not a stream; {suggestion(source.stream, spec.streams)}', True
        )


def parents_form_no_cycle(spec: Spec, name: str, at: Node) -> Violations:
    """A stream that depended on itself could never be read."""
    line = [name]
    while (source := spec.streams[line[-1]].source) is not None and source.stream in spec.streams:
        line.append(source.name)
        if source.name in line[:-1]:
            yield Violation(at, f"its parents form a cycle: {', '.join(line)}", at_key=True)
            return


def incremental_needs_a_cursor_field(spec: Spec, name: str, at: Node) -> Violations:
    """Only the cursor shows that a row has changed, unless queries return nothing but changes."""
    stream = spec.streams[name]
    if stream.sync_mode == "incremental" and at.get("cursor_field") is None and not _queries_find_changes(spec, stream):
        message = 'incremental needs the key "cursor_field": the column that moves when a row changes'
        yield Violation(at.at("sync_mode"), message)


def _queries_find_changes(spec: Spec, stream: Stream) -> bool:
    """Whether a stream has queries for changes or, if it has none, follows a parent that has."""
    for _ in spec.streams:  # parents can form a cycle
        if stream.incremental is None:
            return False
        if stream.incremental.changes:
            return True
        parent = stream.parent.stream if stream.parent is not None else None
        if parent is None or parent not in spec.streams:
            return False
        stream = spec.streams[parent]
    return False


def entries_are_known(spec: Spec, name: str, at: Node) -> Violations:
    """``$key`` and ``$value`` would silently be NULL in a record that is an object of its own."""
    stream = spec.streams[name]
    records = stream.records if at.get("records") is not None else spec.api.records
    for path, place in _paths(stream, at):
        if path is not INVALID and path.text.startswith(KEY) and not records.map:
            yield Violation(place, f"{KEY} is the name of a property: it needs records: {{map: ...}}")
        elif path is not INVALID and path.text.startswith(VALUE) and not records.map and not records.values:
            yield Violation(place, f"{VALUE} needs records: {{map: ...}} or records: {{values: ...}}")


def conditions_on_parents_are_of_their_records(spec: Spec, name: str, at: Node) -> Violations:
    """What their records cannot have counts as null."""
    stream, parent = spec.streams[name], spec.parent_of(spec.streams[name])
    if stream.parent is None or parent is None:
        return
    for number, condition in _numbered(stream.parent.where):
        place = at.at("parent", "where", number, "path")
        if condition.path.text.startswith(PARENT) and parent.parent is None:
            yield Violation(place, f"{PARENT} is the parent of {stream.parent.name}, which has none")


def one_record_is_at_a_path(spec: Spec, name: str, at: Node) -> Violations:
    """The one record of a response is an object, whose properties are no records."""
    stream = spec.streams[name]
    one = any(isinstance(style, Single) and style.one_record for style in stream.pagination or (spec.api.pagination,))
    if one and (stream.records.map or stream.records.values):
        yield Violation(at.at("records"), "with one: true, records is the path of the one record", at_key=True)


def concurrency_is_within_that_of_the_api(spec: Spec, name: str, at: Node) -> Violations:
    """The api's is that of all streams together."""
    most, own = spec.api.concurrency, spec.streams[name].concurrency
    if own is not None and own > most:
        yield Violation(
            at.at("concurrency"), f"more than the concurrency of the api ({most}), which is for all streams"
        )


def lookback_needs_incremental(spec: Spec, name: str, at: Node) -> Violations:
    """A full refresh reads everything."""
    if at.get("lookback") is not None and spec.streams[name].sync_mode == "full_refresh":
        yield Violation(
            at.at("lookback"), "a full refresh reads the whole list, whenever its rows changed", at_key=True
        )


def skipped_children_are_not_deleted(spec: Spec, name: str, at: Node) -> Violations:
    """What was not read in one of many syncs would count as gone at the end of a round."""
    stream: Stream | None = spec.streams[name]
    if stream is None or stream.deleted != "soft_delete" or stream.reconcile is None:
        return
    children: list[Stream] = []  # the stream, its parent, and so on, as far as they have parents themselves
    while stream is not None and stream.parent is not None and stream not in children:
        children.append(stream)
        stream = spec.parent_of(stream)
    if any(answer.means == "skip" for one in children for answer in (*one.answers, *spec.api.answers)):
        message = "rows of children that answers skips stay, so soft_delete cannot tell which rows are gone"
        yield Violation(at.at("deleted"), message)


def reconcile_needs_a_resumable_pagination(spec: Spec, name: str, at: Node) -> Violations:
    """Each sync re-reads a slice; the next sync resumes behind it."""
    stream = spec.streams[name]
    if stream.reconcile is not None and stream.parent is None and not _can_resume(spec, stream):
        message = f"needs a pagination of the stream that can resume ({_RESUMABLE})"
        yield Violation(at.at("incremental", "reconcile"), message, at_key=True)


def _can_resume(spec: Spec, stream: Stream) -> bool:
    style = stream.pagination[0] if stream.pagination else spec.api.pagination
    return style.resumable or stream.windows is not None


def children_reconcile_with_their_parent(spec: Spec, name: str, at: Node) -> Violations:
    """Children are re-read parent by parent, over several syncs."""
    stream, parent = spec.streams[name], spec.parent_of(spec.streams[name])
    if stream.parent is None or stream.reconcile is None:
        return
    if stream.parent.list is not None:
        message = "the children of a list of values cannot be reconciled: there is no list of them to read in slices"
        yield Violation(at.at("incremental", "reconcile"), message, at_key=True)
    elif parent is not None and (not parent.has_instants or parent.count is None or not _can_resume(spec, parent)):
        message = (
            f"reconciliation re-reads {stream.parent.name}, which needs a cursor_field, a count and a pagination "
            f"that can resume ({_RESUMABLE})"
        )
        yield Violation(at.at("incremental", "reconcile"), message, at_key=True)


def references_lead_to_a_column_of_the_same_type(spec: Spec, name: str, at: Node) -> Violations:
    """A foreign key must be comparable with what it refers to."""
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
    default_uses_no_setting,
)
FIELD_RULES: Final = (
    decimal_has_precision_and_scale,
    scale_fits_precision,
    only_decimal_has_precision_and_scale,
    format_fits_the_type,
    only_instants_have_a_timezone,
    a_number_has_no_timezone,
    a_column_has_one_source,
    presence_is_boolean,
    constant_fits_its_type,
)
STREAM_RULES: Final = (
    primary_key_is_of_columns,
    primary_key_names_each_column_once,
    primary_key_can_identify,
    primary_key_varies,
    cursor_field_is_a_column,
    cursor_field_can_be_compared,
    what_compares_with_the_clock_needs_instants,
    full_refresh_has_no_incremental,
    full_refresh_has_no_deleted,
    deleted_needs_incremental,
    keyset_is_of_dates_and_times,
    count_is_in_one_place,
    no_endpoint_no_request,
    path_values_are_single,
    parent_records_are_known,
    a_parent_is_a_stream_or_values,
    incremental_needs_changes,
    open_rows_and_change_feed_need_a_lookup,
    a_feed_of_records_names_none,
    lookup_needs_a_plain_key,
    one_row_has_one_record,
    optional_query_needs_reconcile,
    reconcile_needs_a_count,
    related_is_not_for_children,
    queries_need_a_path_without_values,
    a_query_of_each_parent_is_alone,
    soft_delete_of_children_needs_reconcile,
    soft_delete_needs_a_count,
    soft_delete_of_some_records_needs_reconcile,
)
SPEC_RULES: Final = (
    *API_RULES,
    *PARTITION_RULES,
    login_has_one_body,
    credentials_are_secret,
    one_setting_selects_streams,
    default_selection_is_of_streams,
    streams_are_not_called_like_a_selection,
    one_stream_fills_a_table,
    answers_compare_one_value,
    answers_have_what_their_meaning_uses,
    only_changes_expire,
    records_are_in_one_place,
)
RELATION_RULES: Final = (
    *REQUEST_RULES,
    parent_exists,
    parents_form_no_cycle,
    incremental_needs_a_cursor_field,
    entries_are_known,
    conditions_on_parents_are_of_their_records,
    one_record_is_at_a_path,
    concurrency_is_within_that_of_the_api,
    lookback_needs_incremental,
    skipped_children_are_not_deleted,
    reconcile_needs_a_resumable_pagination,
    children_reconcile_with_their_parent,
    references_lead_to_a_column_of_the_same_type,
)
