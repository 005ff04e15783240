"""streams.yaml as an immutable, typed model: what the rest of the engine reads.

Nothing here is about Prefect, and nothing here does I/O. Pagination and authentication styles are components of their
own rooms; they register in PAGINATION and AUTHENTICATION.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import unquote

from engine.spec.configuration import Setting
from engine.spec.headers import HEADER_NAME, parse_headers
from engine.spec.jsonpath import JsonPath, compile_path
from engine.spec.kinds import (
    Boolean,
    Duration,
    Integer,
    JsonObject,
    Number,
    OneOrMore,
    Record,
    Size,
    Spot,
    Styles,
    Table,
    Text,
    Word,
    key,
)
from engine.spec.problems import suggestion

PAGINATION = Styles("pagination style")
AUTHENTICATION = Styles("authentication style")
READING = Styles("read strategy")

COLUMN_TYPES: Mapping[str, str] = {
    "STRING": "text; other JSON values become their JSON text",
    "JSON": "any JSON value",
    "BOOLEAN": "true or false",
    "SHORT": "a whole number of 16 bits",
    "INT": "a whole number of 32 bits",
    "LONG": "a whole number of 64 bits",
    "DECIMAL": "a decimal number; needs precision and scale",
    "FLOAT": "a number of 32 bits",
    "DOUBLE": "a number of 64 bits",
    "NAIVE_DATE": "a date, such as 2024-05-01",
    "NAIVE_DATETIME": "a date and time without an offset",
    "UTC_DATETIME": "an instant: a date and time with its offset, stored in UTC",
    "BINARY": "bytes, as base64 text",
    "XML": "XML text",
}
"""The column types of the Fivetran Connector SDK, and what each takes from a JSON answer."""

KEY_TYPES = frozenset({"STRING", "SHORT", "INT", "LONG", "NAIVE_DATE", "NAIVE_DATETIME", "UTC_DATETIME"})
"""The column types that compare and hash exactly, as a primary key must."""

JSON_PATH = Text(r"\$.*", "a JSONPath, which starts with $", convert=compile_path)
NAME_PATTERN = r"[a-z][a-z0-9_]*"
NAME_EXPECTED = "lower-case letters, digits and _, starting with a letter (Fivetran would rename anything else)"
NAME = Text(NAME_PATTERN, NAME_EXPECTED)
PATH_VALUE = re.compile(r"\{([^{}]*)\}")
"""In an endpoint's path: the name of a value of the parent's rows."""
HEADER = Text(HEADER_NAME, "an HTTP header's name")


_UP = re.compile(r"(\.\.(/\.\.)*(?=/|$))?")


@dataclass(frozen=True)
class Endpoint:
    """A method and a path that follows the base URL, or that goes up from there first: ``../filter``."""

    method: str
    path: str

    @property
    def up(self) -> int:
        """How many segments of the base URL the ``..`` at the path's beginning take away."""
        return self._split()[0].count("..")

    @property
    def rest(self) -> str:
        """What follows those: ``/filter`` of ``../filter``, nothing of ``../..``, the path itself where it has none."""
        return self._split()[1]

    def _split(self) -> tuple[str, str]:
        end = len(_UP.match(self.path)[0])  # type: ignore[index]  # it matches every text
        return self.path[:end], self.path[end:]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _endpoint(text: str) -> Endpoint:
    method, path = text.split(" ")
    endpoint = Endpoint(method, path)
    if "//" in path:
        raise ValueError(f'the path "{path}" has an empty segment (//)')
    if {".", ".."} & set(unquote(endpoint.rest).split("/")):
        raise ValueError(f'the path "{path}" may go up (..) at its beginning only, as ../filter does')
    return endpoint


ENDPOINT = Text(
    r"(GET|POST) (/|\.\.(/|$))[^\s?#]*",
    "a method (GET or POST) and a path, such as POST /flows/filter",
    convert=_endpoint,
)


@dataclass(frozen=True)
class Reference:
    """A column of another table (or of the same), whose values a column holds."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


def _reference(text: str) -> Reference:
    table, column = text.split(".")
    return Reference(table, column)


REFERENCE = Text(rf"{NAME_PATTERN}\.{NAME_PATTERN}", "a table and its column, such as flows.id", convert=_reference)


@dataclass(frozen=True, kw_only=True)
class Field:
    """One column: where its value stands in a record, and the type it has in the destination."""

    path: tuple[JsonPath, ...] = key(
        OneOrMore(JSON_PATH), "Where the value stands. Of several paths, the first with a value that is not null."
    )
    type: str = key(
        Word("a column type", tuple(COLUMN_TYPES), COLUMN_TYPES),
        "The column's type. A value that does not fit becomes NULL and is counted.",
        default="STRING",
    )
    description: str | None = key(Text(), "What the column means.", default=None)
    availability: str | None = key(
        Text(), "Which servers have the value, where not all do: `Prefect 3`. On others it is NULL.", default=None
    )
    references: Reference | None = key(
        REFERENCE,
        "The table and column in which the value is found again: a foreign key, for the pages and tests that are "
        "generated. No row is left out for want of its counterpart.",
        default=None,
    )
    volatile: bool = key(
        Boolean(),
        "Whether the server computes the value anew at each answer. It is stored as it was when the row was sent, and "
        "is no reason to send the row again.",
        default=False,
    )
    precision: int | None = key(Integer(1, 38), "For DECIMAL: the number of digits.", default=None)
    scale: int | None = key(Integer(0, 37), "For DECIMAL: the digits after the point.", default=None)

    @staticmethod
    def check(values: dict[str, Any], spots: dict[str, Spot]) -> None:
        """DECIMAL, and only DECIMAL, has a precision and a scale."""
        sized = [name for name in ("precision", "scale") if name in spots]
        if values.get("type") == "DECIMAL":
            for name in ("precision", "scale"):
                if name not in spots:
                    spots[""].problem(f'DECIMAL needs the key "{name}"', at_key=True)
            if {"precision", "scale"} <= values.keys() and values["scale"] > values["precision"]:
                spots["scale"].problem(f"the scale is larger than the precision, {values['precision']}")
        elif "type" in values or "type" not in spots:
            for name in sized:
                spots[name].problem("only DECIMAL has a precision and a scale", at_key=True)

    @property
    def sdk_type(self) -> str | dict[str, Any]:
        """The type in the form in which the SDK's schema() wants it."""
        if self.type == "DECIMAL":
            return {"type": "DECIMAL", "precision": self.precision, "scale": self.scale}
        return self.type


@dataclass(frozen=True, kw_only=True)
class Timeout:
    """How long a request may take before it counts as failed (and is tried again)."""

    connect: timedelta = key(Duration(), "Until the server accepts the connection.", default=timedelta(seconds=10))
    read: timedelta = key(Duration(), "Until the next bytes of the answer.", default=timedelta(seconds=60))
    whole: timedelta = key(Duration(), "Until the answer has come whole.", default=timedelta(minutes=10))


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How often and how long a request that failed for a passing reason is tried again."""

    attempts: int = key(Integer(1, 20), "How often a request is sent at most.", default=6)
    wait_initial: timedelta = key(
        Duration(), "The wait after the first failure; it doubles with each further one.", default=timedelta(seconds=1)
    )
    wait_max: timedelta = key(Duration(), "The longest such wait.", default=timedelta(seconds=60))
    retry_after_max: timedelta = key(
        Duration(),
        "The longest wait that a server may ask for (Retry-After). One that asks for more ends the sync.",
        default=timedelta(minutes=10),
    )


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """How many requests the API takes in a time. They are sent evenly, whatever the number of workers."""

    requests: int = key(Integer(1), "How many requests.")
    per: timedelta = key(Duration(), "In what time.", default=timedelta(minutes=1))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one sync may spend. One that reaches a limit ends with an error; its state stays at the last checkpoint."""

    requests: int | None = key(Integer(1), "How many requests it sends at most.", default=None)
    retries: int = key(
        Integer(1),
        "How many retries it may have spent. Ten requests that succeed win one back, so that a long sync survives many "
        "short faults, and a server that is down for good does not hold one up for hours.",
        default=100,
    )
    duration: timedelta | None = key(Duration(), "How long it may last.", default=None)
    body: int = key(Size(), "The largest answer that is read, decompressed.", default=64 * 1024**2, default_text="64MB")


@dataclass(frozen=True, kw_only=True)
class Csrf:
    """Protection against forged requests: where a server refuses a request for want of a token (403), one is fetched.

    A server that answers the endpoint with an error has no such protection, and is asked without a token.
    """

    endpoint: Endpoint = key(ENDPOINT, "Answers with a token.")
    client_parameter: str = key(Text(), "The endpoint's URL parameter that names the client; any name will do.")
    token: JsonPath = key(JSON_PATH, "Where the token stands in the answer.")
    token_header: str = key(HEADER, "The header in which requests carry the token.")
    client_header: str = key(HEADER, "The header in which requests name the client.")


@dataclass(frozen=True, kw_only=True)
class ServerVersion:
    """Where the server tells its version."""

    endpoint: Endpoint = key(ENDPOINT, "Answers with the version.")
    path: JsonPath = key(JSON_PATH, "Where it stands in the answer.", default=compile_path("$"), default_text="$")


RECORDS = OneOrMore(JSON_PATH)
RECORDS_DESCRIPTION = (
    "Where the list of records stands in an answer. Of several declared shapes, the first that is a list; "
    "an answer of any other shape is a failure, never an empty page. With the pagination style `object`: where the one "
    "record stands."
)


@dataclass(frozen=True, kw_only=True)
class Api:
    """What holds for all requests: where the API is, who asks, and how patiently."""

    base_url: str = key(
        Text(r"https?://[^\s/?#@]+(/[^\s?#]*)?", "an http:// or https:// URL"),
        "What every endpoint's path follows. A path that begins with `..` goes up first: below https://host/api/a/b, "
        "`../filter` is /api/a/filter, and `../..` is /api. It stays on the same server; one that would leave it is "
        "taken as not found.",
    )
    openapi: str | None = key(
        Text(r"/[^\s?#]*", "a path, such as /openapi.json"),
        "Where the API describes itself by OpenAPI 3.0 or 3.1, below the base URL. `check`, `drift` and `scaffold` "
        "read it; a sync does not.",
        default=None,
    )
    authentication: tuple[Any, ...] = key(
        OneOrMore(AUTHENTICATION),
        "How a request says who asks. Of several styles, the first whose values are not empty.",
        default=(),
    )
    csrf: Csrf | None = key(Record(Csrf), "How a token against forged requests is fetched and sent.", default=None)
    headers: Mapping[str, str] = key(
        Table("header", Text(r"[ -~]*", "printable ASCII"), HEADER_NAME, "an HTTP header's name", may_be_empty=True),
        "Sent with every request.",
        default={},
        secret=True,
    )
    extra_headers: Mapping[str, str] = key(
        Text(convert=parse_headers),
        "More headers in one text, for a setting: Name: value; Name: value, or a JSON object.",
        default={},
        secret=True,
    )
    ca_certificate: str = key(
        Text(), "Certificates (PEM) of authorities that are trusted besides the public ones.", default=""
    )
    proxy: str = key(
        Text(r"(https?://[^\s/?#]+/?)?", "an http:// or https:// URL without a path"),
        "The proxy through which requests go. When empty: what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say.",
        default="",
        secret=True,
    )
    version: ServerVersion | None = key(
        Record(ServerVersion, shorthand="endpoint"),
        "Where the server tells its version, for the setup test.",
        default=None,
    )
    pagination: Any = key(PAGINATION, "How long answers are read in pages; a stream may say otherwise.")
    records: tuple[JsonPath, ...] = key(RECORDS, RECORDS_DESCRIPTION, default=(compile_path("$"),), default_text="$")
    overlap: timedelta = key(
        Duration(),
        "How far before the start of the last complete pass an incremental stream looks for changes, "
        "for rows that become visible late.",
        default=timedelta(minutes=5),
    )
    connections: int = key(
        Integer(1, 16),
        "How many requests may be under way at once. A first sync of a long list has two, so that the server makes one "
        "answer while the other is worked through, and more where the way to the server takes longer than its answers.",
        default=4,
    )
    timeout: Timeout = key(Record(Timeout), "How long a request may take.", default=Timeout())
    retry: Retry = key(Record(Retry), "How failures that may pass are retried.", default=Retry())
    rate_limit: RateLimit | None = key(
        Record(RateLimit), "How fast requests may follow each other. A 429 slows them down without it.", default=None
    )
    limits: Limits = key(Record(Limits), "What one sync may spend.", default=Limits())


SYNC_MODES: Mapping[str, str] = {
    "incremental": "send the rows whose cursor field has moved since the last complete pass",
    "full_refresh": "send all rows each time; rows that are gone are soft-deleted",
}

DELETED: Mapping[str, str] = {
    "keep": "rows that are gone from the server stay, except for those that were open when they went",
    "soft_delete": "rows that are gone are soft-deleted. With a sweep, when its period is over: the whole list is sent "
    "again then. Without one, at the next sync: the keys of all rows are remembered, and where the server counts other "
    "rows than these, the list is looked through; that is for lists of some thousands at most",
}


@dataclass(frozen=True, kw_only=True)
class Parent:
    """Another stream, whose rows say what is asked for: once for each of them, or for several at a time.

    Without an endpoint of its own the stream takes its records out of the parent's. Fields then, and wherever one
    request is made for one parent, reach the parent's record as `$parent`: `$parent.id`.
    """

    stream: str = key(NAME, "The stream whose rows they are.")
    values: Mapping[str, JsonPath] = key(
        Table("value", JSON_PATH, NAME_PATTERN, NAME_EXPECTED, may_be_empty=True),
        "Names, and where their values stand in a parent's record. `{name}` in the endpoint's path and `$name` in "
        "texts of the body and the query stand for them.",
        default={},
    )
    batch: int | None = key(
        Integer(1, 1000),
        "For so many parents at a time one request is made, in which each value is a list.",
        default=None,
    )


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One endpoint that is copied into one table."""

    either: ClassVar = ("endpoint", "parent")

    description: str = key(Text(), "What a row of the table is.")
    endpoint: Endpoint | None = key(
        ENDPOINT,
        "What is asked for the records: POST /flows/filter. `POST ../filter` asks above the base URL.",
        default=None,
    )
    parent: Parent | None = key(
        Record(Parent, shorthand="stream"), "The stream whose rows say what to ask for.", default=None
    )
    enabled: bool = key(
        Boolean(),
        "Whether it is read where the configuration does not say so (a setting of type streams).",
        default=True,
    )
    availability: str | None = key(
        Text(),
        "Which servers have the endpoint, where not all do: `Prefect 2`. Its absence is no mistake to `check` then.",
        default=None,
    )
    table: str | None = key(NAME, "The table's name, where it is not the stream's.", default=None)
    primary_key: tuple[str, ...] = key(OneOrMore(NAME), "The column, or columns, that identify a row.")
    cursor_field: str | None = key(
        NAME, "The UTC_DATETIME column that moves whenever a row changes. Incremental streams need it.", default=None
    )
    sync_mode: str = key(Word("a sync mode", tuple(SYNC_MODES), SYNC_MODES), "What is sent at each sync.")
    deleted: str = key(
        Word("a rule for deleted rows", tuple(DELETED), DELETED),
        "What an incremental stream does about rows that are gone from the server. A full refresh soft-deletes them.",
        default="keep",
    )
    body: Mapping[str, Any] | None = key(
        JsonObject(), "What a POST request carries besides its page, such as a stable sort.", default=None
    )
    query: Mapping[str, Any] | None = key(JsonObject(), "Parameters of the request's URL.", default=None)
    pagination: tuple[Any, ...] | None = key(
        OneOrMore(PAGINATION),
        "How long answers are read in pages, where it is not as the api says. Of several, the first that the server "
        "knows.",
        default=None,
    )
    read: Any = key(
        READING,
        "How the changes of an incremental stream are found; without it the whole list is read each time.",
        default=None,
    )
    records: tuple[JsonPath, ...] | None = key(RECORDS, RECORDS_DESCRIPTION, default=None)
    count: Endpoint | None = key(
        ENDPOINT, "Answers with the number of records, for the progress that is logged.", default=None
    )
    fields: Mapping[str, Field] = key(
        Table("column", Record(Field, shorthand="path"), NAME_PATTERN, NAME_EXPECTED),
        "The columns: a name and a JSONPath, or a name and path, type and description.",
    )
    name: str = field(default="", init=True)

    @staticmethod
    def check(values: dict[str, Any], spots: dict[str, Spot]) -> None:
        """The key and the cursor are columns of the right type; the mode, the method and the rest agree."""
        fields = values.get("fields")
        for name in values.get("primary_key", ()):
            column = _check_column(name, "primary_key", fields, spots)
            if isinstance(column, Field) and column.type not in KEY_TYPES:
                spots["primary_key"].problem(f'a {column.type} column such as "{name}" cannot identify a row')
        cursor = values.get("cursor_field")
        if cursor is not None:
            column = _check_column(cursor, "cursor_field", fields, spots)
            if isinstance(column, Field) and column.type != "UTC_DATETIME":
                message = f'the cursor field "{cursor}" must be a UTC_DATETIME column; it is {column.type}'
                spots["cursor_field"].problem(message)
        if values.get("sync_mode") == "incremental" and "cursor_field" not in spots:
            spots["sync_mode"].problem('incremental needs the key "cursor_field": the column that moves with a change')
        if values.get("sync_mode") == "full_refresh" and "read" in spots:
            spots["read"].problem("a full refresh reads the whole list; read is for incremental streams", at_key=True)
        _check_read(values, spots)
        _check_parent(values, spots)
        endpoint = values.get("endpoint")
        if endpoint is not None and endpoint.method == "GET" and "body" in spots:
            spots["body"].problem("a GET request has no body; use query", at_key=True)

    @property
    def source(self) -> Parent | None:
        """The other stream whose rows say what is asked for: for all rows, or for those that can have changed."""
        related: Parent | None = getattr(self.read, "related", None)
        return self.parent or related

    @property
    def remembers_all(self) -> bool:
        """Whether the keys of all rows are remembered, so that rows which are gone are noticed."""
        return self.deleted == "soft_delete" and getattr(self.read, "sweep", None) is None

    @property
    def destination_table(self) -> str:
        """The name of the table that the stream fills."""
        return self.table or self.name

    @property
    def noun(self) -> str:
        """The stream's name as people say it: ``flow runs``."""
        return self.name.replace("_", " ")


def _check_read(values: dict[str, Any], spots: dict[str, Spot]) -> None:
    """What the options of a read strategy need from the rest of the stream."""
    read = values.get("read")
    if getattr(read, "lookup", None) is not None and "primary_key" in values and "fields" in values:
        column = values["fields"].get(values["primary_key"][0])
        if len(values["primary_key"]) > 1 or (isinstance(column, Field) and column.type != "STRING"):
            spots["primary_key"].problem("rows are looked up by a primary key of one STRING column only")
    if getattr(read, "sweep", None) is not None and "parent" not in spots:
        if "count" not in spots:
            spots["read"].problem('the sweep needs the key "count", to share its work out over time', at_key=True)
        if "pagination" not in spots or ("pagination" in values and not values["pagination"][0].resumable):
            spots["read"].problem(
                "the sweep needs a pagination of the stream that can go on later: keyset", at_key=True
            )
    if values.get("deleted") == "soft_delete" and read is not None and getattr(read, "sweep", None) is None:
        _check_remembered(values, spots)
    if "deleted" in spots and values.get("sync_mode") == "full_refresh":
        spots["deleted"].problem("a full refresh always soft-deletes rows that are gone", at_key=True)
    if "deleted" in spots and "read" not in spots and values.get("sync_mode") == "incremental":
        spots["deleted"].problem('needs the key "read"', at_key=True)


def _check_remembered(values: dict[str, Any], spots: dict[str, Spot]) -> None:
    """What soft_delete needs of a stream without a sweep."""
    if "parent" in spots:
        spots["deleted"].problem('for the children of a parent soft_delete needs the key "sweep" in read')
        return
    if "count" not in spots:
        message = 'soft_delete needs the key "count", which tells that rows are gone, or "sweep" in read'
        spots["deleted"].problem(message)
    if getattr(values["read"], "open", None) is not None:
        spots["deleted"].problem('with rows that are open soft_delete needs the key "sweep" in read')
    column = values.get("fields", {}).get(values.get("primary_key", ("",))[0])
    if isinstance(column, Field) and (column.type != "STRING" or len(values["primary_key"]) > 1):
        spots["primary_key"].problem("rows are remembered by a primary key of one STRING column only")


def _check_sweeps_of_children(streams: Mapping[str, Any], places: Mapping[str, Spot]) -> None:
    """A child's sweep looks through its parents, which must have what a sweep of their own would need."""
    for name, stream in streams.items():
        if not isinstance(stream, Stream) or stream.parent is None or getattr(stream.read, "sweep", None) is None:
            continue
        parent, read = streams.get(stream.parent.stream), places[name].at("read")
        if not isinstance(parent, Stream) or read is None:
            continue
        resumable = parent.pagination is not None and parent.pagination[0].resumable
        if parent.cursor_field is None or parent.count is None or not resumable:
            read.problem(
                f"the sweep looks through {stream.parent.stream}, which needs a cursor_field, a count and a pagination "
                "that can go on later: keyset",
                at_key=True,
            )


def _check_parent(values: dict[str, Any], spots: dict[str, Spot]) -> None:
    """What is asked comes from an endpoint or from a parent, and the path's {names} are values of the parent."""
    parent, endpoint = values.get("parent"), values.get("endpoint")
    if endpoint is not None and ("parent" not in spots or parent is not None):
        known = parent.values if parent else {}
        for name in PATH_VALUE.findall(endpoint.path):
            if name not in known:
                hint = suggestion(name, known) if known else 'no parent gives values (the key "parent")'
                spots["endpoint"].problem(f"{{{name}}} is not a value of the parent; {hint}")
            elif parent is not None and parent.batch is not None:
                spots["endpoint"].problem(f"{{{name}}} is a list, as batch makes requests for several parents")
    if "endpoint" not in spots:
        for name in ("body", "query", "pagination", "count"):
            if name in spots:
                spots[name].problem("without an endpoint nothing is asked, and nothing can be said here", at_key=True)
    style = spots["read"].at("style") if "read" in spots and "parent" not in spots else None
    if style is not None and style.node.value in READING.blocks and spots["read"].at("queries") is None:
        spots["read"].problem('the key "queries" is missing; only the children of a parent do without', at_key=True)
    if "parent" in spots and getattr(values.get("read"), "related", None) is not None:
        spots["read"].problem("related is for streams without a parent; children follow their parent", at_key=True)
    needing = [name for name in ("queries", "open", "named_by", "related") if getattr(values.get("read"), name, None)]
    if endpoint is not None and needing and PATH_VALUE.search(endpoint.path):
        spots["read"].problem(f"{needing[0]} asks the endpoint itself, whose path needs a parent's value", at_key=True)


def _check_column(name: str, of: str, fields: Any, spots: dict[str, Spot]) -> Any:
    """The column that ``of`` names. None after reporting that there is none, or when no column is known."""
    if fields is None:
        return None
    if name not in fields:
        spots[of].problem(f'"{name}" is not a column of fields; {suggestion(name, fields)}')
    return fields.get(name)


def _check_line(name: str, streams: Mapping[str, Any], place: Spot) -> None:
    """The streams that a stream is fed by exist, and none is itself."""
    line = [name]
    while isinstance(stream := streams[line[-1]], Stream) and stream.source is not None:
        parent = stream.source.stream
        if parent not in streams:
            if len(line) == 1:
                place.problem(f'its parent "{parent}" is not a stream; {suggestion(parent, streams)}', at_key=True)
            return
        if parent in line:
            place.problem(f"its parents go round in a circle: {', '.join([*line, parent])}", at_key=True)
            return
        line.append(parent)


def _check_references(streams: Mapping[str, Any], places: Mapping[str, Spot]) -> None:
    """What a column references is a column of a table that a stream fills, and of its type."""
    read = {name: stream for name, stream in streams.items() if isinstance(stream, Stream)}
    tables = {stream.table or name: stream.fields for name, stream in read.items()}
    for name, stream in read.items():
        columns = places[name].at("fields")
        for column, declared in stream.fields.items():
            reference = declared.references if isinstance(declared, Field) else None
            place = columns.at(column) if columns and reference else None
            if place is None or (spot := place.at("references")) is None or reference is None:
                continue
            if reference.table not in tables:
                if len(read) == len(streams):  # else it could be the table of a stream that is wrong, and has said so
                    spot.problem(f'no stream fills a table "{reference.table}"; {suggestion(reference.table, tables)}')
            elif reference.column not in tables[reference.table]:
                hint = suggestion(reference.column, tables[reference.table])
                spot.problem(f'"{reference.column}" is not a column of {reference.table}; {hint}')
            else:
                counterpart = tables[reference.table][reference.column]
                if isinstance(counterpart, Field) and counterpart.type != declared.type:
                    spot.problem(f"{reference} is {counterpart.type}, and this column {declared.type}")


@dataclass(frozen=True, kw_only=True)
class Document:
    """A whole streams.yaml."""

    version: int = key(Number(1), "The version of this dialect: 1.")
    title: str = key(Text(), "What the API is called, in logs: Prefect.", name="name")
    configuration: Mapping[str, Setting] = key(
        Table("setting", Record(Setting), NAME_PATTERN, NAME_EXPECTED, may_be_empty=True),
        "The settings that each connection gives; ${name} stands for a setting's value in texts below.",
        default={},
    )
    api: Api = key(Record(Api), "What holds for all requests.")
    streams: Mapping[str, Stream] = key(
        Table("stream", Record(Stream), NAME_PATTERN, NAME_EXPECTED), "What is read: one stream, one table."
    )

    @staticmethod
    def check(values: dict[str, Any], spots: dict[str, Spot]) -> None:
        """One table a stream, as Fivetran names them; parents that exist; one choice of streams."""
        tables: dict[str, str] = {}
        settings = values.get("configuration") or {}
        choosing = [name for name, setting in settings.items() if getattr(setting, "type", None) == "streams"]
        if len(choosing) > 1:
            spots["configuration"].problem(f"more than one setting of type streams: {', '.join(choosing)}", at_key=True)
        if not isinstance(values.get("streams"), dict):
            return
        places = dict(spots["streams"].entries())
        _check_references(values["streams"], places)
        _check_sweeps_of_children(values["streams"], places)
        for name, stream in values["streams"].items():
            table = stream.table if isinstance(stream, Stream) and stream.table else name
            folded = re.sub(r"_+", "_", table)
            if folded in tables:
                message = f'the table "{table}" is the one that the stream "{tables[folded]}" fills'
                places[name].problem(message, at_key=True)
            tables.setdefault(folded, name)
            if isinstance(stream, Stream) and stream.source is not None:
                _check_line(name, values["streams"], places[name])
