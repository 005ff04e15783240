"""The dialect of streams.yaml: every block and its keys, read as the immutable objects that the engine uses.

This module holds declarations only. Rules that involve several keys are in :mod:`engine.spec.rules`. Pagination and
authentication styles declare their own keys, each in its own file. Nothing here is about Prefect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Final, get_args

from engine.authentication import AUTHENTICATION, Authentication
from engine.declare.addresses import plain_url
from engine.declare.blocks import Object, key
from engine.declare.headers import HEADER_NAME, parse_headers
from engine.declare.types import (
    BASE_PATH,
    COLUMN,
    ENDPOINT,
    ENDPOINT_WITH_VALUES,
    HEADER,
    HEADER_EXPECTED,
    JSON_PATH,
    NAME,
    NAME_EXPECTED,
    NAME_PATTERN,
    PARAMETER,
    STREAM,
    Endpoint,
)
from engine.declare.values import (
    Boolean,
    Choice,
    Constant,
    Duration,
    Integer,
    JsonObject,
    JsonValue,
    MapOf,
    OneOrMore,
    Scalar,
    Size,
    Text,
)
from engine.instants import formatted, shifted
from engine.jsonpath import JsonPath, compile_path
from engine.pagination import PAGINATION, Pagination
from engine.pagination.windows import Windows
from engine.spec.answers import Answer
from engine.spec.configuration import Setting, separated
from engine.spec.formats import FORMAT, JSON, Format
from engine.spec.partitions import Selection, parse_selection
from engine.spec.records import WHOLE, Condition, Records
from engine.spec.types import (
    COLUMN_TYPES,
    DELETED,
    GONE,
    OFFSET,
    PARTITION_TYPES,
    PATTERN,
    REFERENCE,
    SINCE,
    START,
    SYNC_MODES,
    TIME_FORMAT,
    VALUE_FORMATS,
    ColumnType,
    Deleted,
    PartitionColumnType,
    Reference,
    Start,
    SyncMode,
)
from engine.variables import Variable, variables_in


def _url(text: str) -> str:
    if plain_url(text) is None:
        raise ValueError("the host or the port of this URL is wrong")
    return text


# --- api -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Timeout:
    """How long a request may take before it counts as failed and is retried."""

    connect: timedelta = key(
        Duration(positive=True), "Until the server accepts the connection.", default=timedelta(seconds=10)
    )
    read: timedelta = key(Duration(positive=True), "Between two pieces of the response.", default=timedelta(seconds=60))
    total: timedelta = key(Duration(positive=True), "Until the response is complete.", default=timedelta(minutes=10))


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How often a request that failed for a transient reason is retried, and how long the connector waits before."""

    attempts: int = key(Integer(1, 20), "Maximum number of attempts.", default=6)
    wait_initial: timedelta = key(
        Duration(), "The wait after the first failure; it doubles after each further one.", default=timedelta(seconds=1)
    )
    wait_max: timedelta = key(Duration(), "The longest such wait.", default=timedelta(seconds=60))
    retry_after_max: timedelta = key(
        Duration(),
        "The longest `Retry-After` that the connector waits for. If the server sends a longer one, the sync ends.",
        default=timedelta(minutes=10),
    )
    throttled_max: timedelta = key(
        Duration(),
        "How long a rate limit may hold up one request altogether. A request that the server throttles (429, or 503 "
        "with `Retry-After`) is sent again until it is accepted; that counts neither as an attempt nor as a retry.",
        default=timedelta(hours=1),
    )


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """How many requests the API accepts in a given time. They are spread evenly, however many threads send them."""

    requests: int = key(Integer(1), "Number of requests.")
    per: timedelta = key(
        Duration(positive=True), "The time in which that many are accepted.", default=timedelta(minutes=1)
    )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one sync may spend. A sync that reaches a limit fails; its state stays at the last checkpoint."""

    requests: int | None = key(Integer(1), "Maximum number of requests.", default=None)
    retries: int = key(
        Integer(1),
        "Maximum number of retries. Every ten successful requests restore one, so a long sync survives many brief "
        "failures, and a server that is down for good cannot hold it up for hours.",
        default=100,
    )
    duration: timedelta | None = key(Duration(positive=True), "Maximum duration.", default=None)
    body: int = key(Size(), "The largest response, decompressed.", default=64 * 1024**2, default_text="64MB")


@dataclass(frozen=True, kw_only=True)
class Csrf:
    """A CSRF token: fetched when the server rejects a request for lack of one (403), then sent with every request.

    A server that has no such endpoint does not use CSRF protection; requests then carry no token.
    """

    endpoint: Endpoint = key(ENDPOINT, "Returns a token.")
    client_parameter: str = key(PARAMETER, "The endpoint's query parameter that names the client; any name will do.")
    token: JsonPath = key(JSON_PATH, "The token in the response.")
    token_header: str = key(HEADER, "The header in which requests carry the token.")
    client_header: str = key(HEADER, "The header in which requests name the client.")


@dataclass(frozen=True, kw_only=True)
class ServerVersion:
    """Where the server reports its version."""

    endpoint: Endpoint = key(ENDPOINT, "Returns the version.")
    path: JsonPath = key(JSON_PATH, "The version in the response.", default=compile_path("$"), default_text="$")


HEADERS: Final = MapOf("header", Text(r"[ -~]*", "printable ASCII"), HEADER_NAME, HEADER_EXPECTED, may_be_empty=True)


@dataclass(frozen=True, kw_only=True)
class Instants:
    """How requests have the instants that stand for variables: `$since`, `$from`, `$to` and `$now`."""

    format: str = key(TIME_FORMAT, "The format. What it cannot say is cut: `%Y-%m-%d` has the day.")
    timezone: timezone | None = key(OFFSET, "For a pattern: the offset of its times, if not UTC.", default=None)

    def spell(self, instant: datetime) -> str | int:
        """An instant in this format."""
        return formatted(instant, self.format, self.timezone)


INSTANTS: Final = Object(Instants, shorthand="format")

RECORDS: Final = Object(Records, shorthand="list")


@dataclass(frozen=True, kw_only=True)
class PartitionColumn:
    """A column that tells the rows of one partition from those of another."""

    path: JsonPath = key(JSON_PATH, "JSONPath of the value in the record of the partition.")
    type: PartitionColumnType = key(
        Choice("a column type", get_args(PartitionColumnType), {one: COLUMN_TYPES[one] for one in PARTITION_TYPES}),
        "The column's type.",
        default="STRING",
    )
    description: str | None = key(Text(), "What the column means.", default=None)

    @property
    def field(self) -> Field:
        """The column as one of a table."""
        return Field(path=(self.path,), type=self.type, description=self.description)


@dataclass(frozen=True, kw_only=True)
class Partitions:
    """Parts of the API, such as workspaces, that one connection reads: each has the same streams, below its own URL.

    The rows of all of them are in the same tables. The columns that are declared here are the first columns of each
    table, and the first part of its primary key; a column of a stream with the same name gives way. A stream whose path
    goes up (`..`) beyond the partition's own part of the URL is the same in each of them: it is read once, and has none
    of these columns. So is a stream that is made of the rows of such a stream alone.

    The partitions are the records of a list of the API or, in place of an endpoint, a list of values, usually from a
    setting. Each is `$partition`.

    A partition that is new is read from the start; if one fails, the others are read. A connection that was synced
    without partitions cannot get them, nor lose them again: the primary keys of its tables would change.
    """

    required_one_of: ClassVar = ("endpoint", "list")

    noun: str = key(Text(), "What they are, in the plural: `workspaces`.")
    selected: Selection | None = key(
        Text(convert=parse_selection, noun="names with commas between"),
        "Which of them are read: names or keys with commas between, or `all`. A minus in front of one leaves it out; a "
        "list that starts with a minus starts from all. If empty, the connection has no partitions and reads what is "
        "below the base URL of the api.",
        default=None,
        default_text="all",
    )
    endpoint: Endpoint | None = key(ENDPOINT, "Returns the list of partitions: `POST ../filter`.", default=None)
    list: tuple[tuple[str, ...], ...] | None = key(
        OneOrMore(Text(convert=separated, noun="values with commas between")),
        "Values in place of a list of the API: `${projects}`, a setting of type `list`. Each is `$partition.value`. "
        "If there are none, the connection has no partitions.",
        default=None,
    )
    body: Mapping[str, JsonValue] | None = key(
        JsonObject(has_variables=True), "Body of a POST request, apart from the pagination.", default=None
    )
    query: Mapping[str, JsonValue] = key(JsonObject(has_variables=True), "Query parameters.", default={})
    records: Records | None = key(
        RECORDS, "Where the records are in a response, if not where the api says.", default=None
    )
    pagination: Pagination | None = key(
        PAGINATION, "How the list is read in pages, if not as the api says.", default=None
    )
    base_url: Endpoint = key(
        BASE_PATH, "The URL of a partition, from that of the api: `../$(partition.id)`, `/projects/$(partition.value)`."
    )
    names: tuple[JsonPath, ...] = key(
        OneOrMore(JSON_PATH),
        "JSONPaths of names by which it can be selected, apart from its key. The first is the one in the log.",
        default=(),
    )
    columns: Mapping[str, PartitionColumn] = key(
        MapOf("column", Object(PartitionColumn, shorthand="path"), NAME_PATTERN, NAME_EXPECTED),
        "The columns that tell the rows of one from those of another: `workspace_id: $.id`. They are its key.",
    )
    gone: Deleted = key(
        Choice("a rule for partitions that are gone", get_args(Deleted), GONE),
        "What happens to the rows of a partition that the list no longer has.",
        default="keep",
    )

    @property
    def fields(self) -> Mapping[str, Field]:
        """Its columns as those of tables."""
        return {name: column.field for name, column in self.columns.items()}

    @property
    def are_in_use(self) -> bool:
        """Whether the connection has partitions."""
        return self.selected != () and (self.list is None or any(self.list))

    @property
    def depth(self) -> int:
        """The number of segments at the end of a partition's URL that are its own."""
        segments = self.base_url.path.split("/")
        return len(segments) - next(
            (number for number, segment in enumerate(segments) if "$" in segment), len(segments)
        )


@dataclass(frozen=True, kw_only=True)
class Api:
    """What applies to all requests: where the API is, how to authenticate, and how to deal with failures."""

    base_url: str = key(
        Text(r"https?://[^\s/?#@]+(/[^\s?#]*)?", "an http:// or https:// URL", _url),
        "The URL that endpoint paths are appended to. A path that starts with `..` goes up first: with the base URL "
        "https://host/api/a/b, `../filter` is /api/a/filter, and `../..` is /api. A path that would leave the server "
        "counts as not found.",
    )
    openapi: str | None = key(
        Text(r"/[^\s?#]*", "a path, such as /openapi.json", noun="a path"),
        "Path of the API's OpenAPI document (3.0 or 3.1), below the base URL. `check` and `scaffold` read it; "
        "a sync does not.",
        default=None,
    )
    authentication: tuple[Authentication, ...] = key(
        OneOrMore(AUTHENTICATION),
        "How requests authenticate. Of several styles, the first whose values are not empty is used. A value in which "
        "a setting is empty is empty.",
        default=(),
    )
    csrf: Csrf | None = key(Object(Csrf), "How to obtain and send a CSRF token.", default=None)
    headers: Mapping[str, str] = key(HEADERS, "Sent with every request.", default={}, secret=True)
    extra_headers: Mapping[str, str] = key(
        Text(convert=parse_headers, noun="headers in one string"),
        "More headers in one string, for a setting: `Name: value; Name: value`, or a JSON object.",
        default={},
        secret=True,
    )
    ca_certificate: str = key(
        Text(noun="certificates (PEM)"),
        "Certificates of authorities to trust in addition to the public ones.",
        default="",
    )
    proxy: str = key(
        Text(r"(https?://([^\r\n]*@)?[^\s/?#@]+/?)?", "an http:// or https:// URL without a path"),
        "URL of an HTTP proxy. If empty, the environment variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY apply.",
        default="",
        secret=True,
    )
    version: ServerVersion | None = key(
        Object(ServerVersion, shorthand="endpoint"),
        "Where the server reports its version, for the setup test.",
        default=None,
    )
    pagination: Pagination = key(PAGINATION, "How lists are read in pages. A stream can override it.")
    instants: Instants | None = key(
        INSTANTS, "How requests have instants: `epoch_seconds`, `%Y-%m-%d`. A stream can override it.", default=None
    )
    records: Records = key(
        RECORDS,
        "Where the records are in a response.",
        default=WHOLE,
        default_text="$",
    )
    form: Format = key(
        FORMAT, "The format of responses with records.", default=JSON, default_text="json", name="format"
    )
    lookback: timedelta = key(
        Duration(),
        "How far before the start of the last complete pass an incremental stream looks for changes, to catch rows "
        "that become visible late.",
        default=timedelta(minutes=5),
    )
    concurrency: int = key(
        Integer(1, 16),
        "Maximum number of requests in flight. A first sync of a long list uses two, so the server prepares one page "
        "while another is processed, and more if the network takes longer than the server.",
        default=4,
    )
    timeout: Timeout = key(Object(Timeout), "How long a request may take.", default=Timeout())
    retry: Retry = key(Object(Retry), "How transient failures are retried.", default=Retry())
    answers: tuple[Answer, ...] = key(
        OneOrMore(Object(Answer)), "What responses mean, if their status does not say it.", default=()
    )
    rate_limit: RateLimit | None = key(
        Object(RateLimit),
        "How fast requests may follow each other. Servers that throttle requests (429) need no such limit: the "
        "connector learns the rate that they accept.",
        default=None,
    )
    limits: Limits = key(Object(Limits), "What one sync may spend.", default=Limits())
    partitions: Partitions | None = key(
        Object(Partitions), "Parts of the API that one connection reads, such as workspaces.", default=None
    )


# --- streams ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Field:
    """One column: where its value is in a record, and its type in the destination."""

    required_one_of: ClassVar = ("path", "value", "present")

    path: tuple[JsonPath, ...] = key(
        OneOrMore(JSON_PATH),
        "JSONPath of the value. Of several paths, the first non-null value wins. A path with a condition, such as "
        "`$.custom[?(@.name == 'Priority')].value`, leads to the value of the item that fulfills it; in a JSON column, "
        "to a list, as `$.tags[*].label` does.",
        default=(),
    )
    value: Any = key(Scalar(), "A constant, the same in every row, in place of a path.", default=None)
    present: JsonPath | None = key(
        JSON_PATH,
        "For BOOLEAN, in place of a path: true if the record has a value other than null at this JSONPath.",
        default=None,
    )
    type: ColumnType = key(
        Choice("a column type", get_args(ColumnType), COLUMN_TYPES),
        "The column's type. A value that does not fit becomes NULL and is counted in the log.",
        default="STRING",
    )
    description: str | None = key(Text(), "What the column means.", default=None)
    availability: str | None = key(
        Text(),
        "Which servers have the value, if not all do: `Prefect 3`. Elsewhere the column is NULL.",
        default=None,
    )
    references: Reference | None = key(
        REFERENCE,
        "The table and column that the value refers to: a foreign key, for the generated pages and dbt tests. A row is "
        "sent whether or not its counterpart exists.",
        default=None,
    )
    volatile: bool = key(
        Boolean(),
        "Whether the server recomputes the value on each response. The column keeps the value it had when the row was "
        "sent; a change of this column alone does not re-send the row.",
        default=False,
    )
    precision: int | None = key(Integer(1, 38), "For DECIMAL: total number of digits.", default=None)
    scale: int | None = key(Integer(0, 37), "For DECIMAL: digits after the decimal point.", default=None)
    format: str | None = key(
        Choice("a format", tuple(VALUE_FORMATS), VALUE_FORMATS, other=PATTERN),
        "How the server writes a date and time (UTC_DATETIME), if not in ISO 8601 or RFC 1123, or that it writes a "
        "number or boolean as text. The format of the `cursor_field` is that of `$since`, too, unless `instants` says "
        "otherwise.",
        default=None,
    )
    timezone: timezone | None = key(
        OFFSET, "For UTC_DATETIME: the offset of times that the server sends without one.", default=None
    )

    @property
    def time_format(self) -> str | None:
        """What the server sends in place of a date and time."""
        return None if self.format == "text" else self.format

    @property
    def sdk_type(self) -> str | Mapping[str, str | int | None]:
        """The type in the form that the SDK's schema() expects."""
        if self.type == "DECIMAL":
            return {"type": "DECIMAL", "precision": self.precision, "scale": self.scale}
        return self.type


@dataclass(frozen=True, kw_only=True)
class Parent:
    """Another stream whose rows determine the requests: one per row, or one per batch of rows.

    The request has values of the parent's record as `$parent.id`, in the endpoint's path as `$(parent.id)`, or as
    `$(+parent.id)` if a slash in the value separates segments of the path. A stream without an endpoint of its own
    takes its records out of the parent's. In that case, and whenever a request is made for a single parent, fields can
    reach the parent's record as `$parent.id`, too. `$parent.$parent` is the parent's. A list in the parent's record
    that is only its first page (`has_more: true` beside it) is a failure.

    In place of a stream, the parent can be a list of values, usually from a setting. Each is `$parent.value`.
    """

    required_one_of: ClassVar = ("stream", "list")
    variable: ClassVar[str] = "parent"
    """The variable that stands for its record."""

    stream: str | None = key(STREAM, "The parent stream.", default=None)
    list: tuple[tuple[str, ...], ...] | None = key(
        OneOrMore(Text(convert=separated, noun="values with commas between")),
        "Values in place of a parent stream: `${repositories}`, a setting of type `list`.",
        default=None,
    )
    batch: int | None = key(
        Integer(1, 1000), "Number of parents per request; `$parent.id` is then a list.", default=None
    )
    moves_cursor: bool = key(
        Boolean(),
        "Whether a change of a child moves its parent's cursor field. If so, only the children of parents that changed "
        "are read; if not, those of parents that are open, too.",
        default=True,
    )

    where: tuple[Condition, ...] = key(
        OneOrMore(Object(Condition)),
        "Which rows of the parent are asked for their children: those whose record fulfills all these conditions. "
        "Children of others count as gone.",
        default=(),
    )

    @property
    def records(self) -> tuple[Mapping[str, str], ...]:
        """The records of a parent that is a list of values."""
        values = (value for several in self.list or () for value in several)
        return tuple({"value": value} for value in dict.fromkeys(values))

    @property
    def name(self) -> str:
        """What its rows are called."""
        return self.stream or "parent.list"


@dataclass(frozen=True, kw_only=True)
class Related:
    """Another stream. When its rows can have changed, the rows of this stream that belong to them are read."""

    variable: ClassVar[str] = "related"

    stream: str = key(STREAM, "The other stream.")
    batch: int | None = key(
        Integer(1, 1000), "Number of those rows per request; `$related.id` is the list of their ids.", default=100
    )
    moves_cursor: bool = key(Boolean(), "As in `parent`.", default=False)
    body: Mapping[str, JsonValue] | None = key(
        JsonObject(has_variables=True), "Body of a POST request, with `$related.id` and a stable sort.", default=None
    )
    query: Mapping[str, JsonValue] = key(JsonObject(has_variables=True), "Query parameters.", default={})

    @property
    def name(self) -> str:
        """What its rows are called."""
        return self.stream


@dataclass(frozen=True, kw_only=True)
class Fallback:
    """A query to use instead, on servers that reject the ones before it."""

    instants: Instants | None = key(
        INSTANTS, "How the request has instants, if not as the stream's others.", default=None
    )
    start: Variable | None = key(
        SINCE,
        "What `$from` is at the beginning of the result: `$since-15m`. By default, it is `$since`.",
        default=None,
        name="from",
    )
    endpoint: Endpoint | None = key(
        ENDPOINT_WITH_VALUES,
        "The endpoint, if it is not the stream's: `GET /orders/updated`. It is sent only this `query` and `body`.",
        default=None,
    )
    body: Mapping[str, JsonValue] | None = key(
        JsonObject(has_variables=True),
        "Body of a POST request: the filter, and a stable sort that fits it. By default, the stream's.",
        default=None,
    )
    query: Mapping[str, JsonValue] = key(
        JsonObject(has_variables=True), "Query parameters, in addition to the stream's.", default={}
    )
    headers: Mapping[str, str] = key(
        HEADERS,
        "Headers of this query, which can have `$since`: `If-Modified-Since: $since`, in the format of `instants`.",
        default={},
    )
    stop_at: JsonPath | None = key(
        JSON_PATH,
        "Stop at the first row whose timestamp here is older than `$since`. The query must sort by it, newest first.",
        default=None,
    )
    filters_by: JsonPath | None = key(
        JSON_PATH,
        "The timestamp this query filters by. Reconciliation skips rows whose cursor moved together with it: this "
        "query has delivered them.",
        default=None,
    )
    records: Records = key(
        RECORDS, "Where the records are in a response, if not where the stream's are.", default=Records()
    )
    pagination: Pagination | None = key(
        PAGINATION,
        "How the result is read in pages. By default as the stream's list is or, if that is by keyset and the query "
        "has no `$from`, as the api says.",
        default=None,
    )


@dataclass(frozen=True, kw_only=True)
class Query(Fallback):
    """One query for rows that can have changed, to the stream's endpoint or to another.

    In the body and the query, `$since` is the start of the last complete pass minus the lookback; `$since-7d` is seven
    days before that.

    In a stream with a `parent`, a query that has values of it (`$parent.id`), be it in the endpoint's path, is sent for
    every row of the parent. A row that is new since the last pass is asked for its whole list instead, without this
    query. The state remembers up to 100,000 of those rows; of more, each sync reads and sends all children.
    """

    finds: str | None = key(Text(), "Which changes it finds, for the reference page: `runs that ended`.", default=None)
    fallback: tuple[Fallback, ...] = key(
        OneOrMore(Object(Fallback)),
        "Queries for servers that reject this one. The first that the server accepts is used for the rest of the sync; "
        "the next sync tries them again.",
        default=(),
    )
    optional: bool = key(
        Boolean(),
        "If the server rejects this query and its fallbacks, continue without it; reconciliation finds what it would "
        "have found.",
        default=False,
    )

    @property
    def alternatives(self) -> tuple[Fallback, ...]:
        """The query and its fallbacks, in the order in which they are tried."""
        return (self, *self.fallback)


@dataclass(frozen=True, kw_only=True)
class OpenRows:
    """Rows that can change without leaving a trace. Their keys are kept in the state, so their end is not missed."""

    field: JsonPath = key(JSON_PATH, "The value that says whether a record is open.")
    values: tuple[str, ...] = key(
        OneOrMore(Text()),
        "Its values while the record is open. Those that the server rejects are left out: it has no such rows.",
    )
    body: Mapping[str, JsonValue] | None = key(
        JsonObject(has_variables=True),
        "Body of a POST request: a filter by `$open`, the list of these values, and a stable sort.",
        default=None,
    )
    query: Mapping[str, JsonValue] = key(
        JsonObject(has_variables=True), "Query parameters, in addition to the stream's.", default={}
    )

    def includes(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is open."""
        return self.field.get(record) in self.values


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """How rows are requested by their keys: several with one request, by `$keys`, or each with its own, by `$key`.

    With `$(key)` in the path of an `endpoint`, the response is the record of one row. If it is 404, in JSON, and 404
    again, the row is gone, provided that the server finds another row of its list by its key.
    """

    endpoint: Endpoint | None = key(
        ENDPOINT_WITH_VALUES,
        "The endpoint, if it is not the stream's: `GET /orders/$(key)`. It is sent only this `query` and `body`.",
        default=None,
    )
    body: Mapping[str, JsonValue] | None = key(
        JsonObject(has_variables=True),
        "Body of a POST request: a filter by `$keys`, the list of keys, and a stable sort.",
        default=None,
    )
    query: Mapping[str, JsonValue] = key(
        JsonObject(has_variables=True),
        "Query parameters, in addition to the stream's. `$(keys)` has the keys in one string, with commas between.",
        default={},
    )
    records: Records = key(
        RECORDS,
        "Where the records are in a response, if not where the stream's are. In that of one row: the path of its "
        "record, by default `$`.",
        default=Records(),
    )

    @property
    def is_of_one(self) -> bool:
        """Whether each row is requested on its own."""
        return self.returns_one or any(one.name == "key" for one in variables_in([self.query, self.body]))

    @property
    def returns_one(self) -> bool:
        """Whether a response is the record of one row, rather than a list."""
        return self.endpoint is not None and any(one.name == "key" for one in variables_in(self.endpoint.path))


@dataclass(frozen=True, kw_only=True)
class ChangeFeed:
    """Another list, which names rows that changed. If the server does not have it or denies access, that is logged.

    The rows are looked up, unless it has their whole records, and sent if their `cursor_field` moved. Leave out a
    `cursor_field` that does not move with each change. Streams whose feeds send the same requests share the responses.
    """

    exactly_one_of: ClassVar = ("names", "record")

    endpoint: Endpoint = key(ENDPOINT, "Returns the list.")
    body: Mapping[str, JsonValue] | None = key(
        JsonObject(has_variables=True), "Body of a POST request, with `$since` as in `changes`.", default=None
    )
    query: Mapping[str, JsonValue] = key(JsonObject(has_variables=True), "Query parameters.", default={})
    records: JsonPath = key(JSON_PATH, "JSONPath of the list of records in the response.")
    own_key: JsonPath = key(JSON_PATH, "JSONPath of the record's own key.", name="key")
    names: tuple[JsonPath, ...] = key(
        OneOrMore(JSON_PATH),
        "JSONPath of the changed row's key in a record. Of several paths, the first non-null value wins.",
        default=(),
    )
    record: JsonPath | None = key(
        JSON_PATH,
        "JSONPath of the changed row's whole record, so that it is not looked up. Of several records of a row, the one "
        "with the greatest `cursor_field` counts or, without one, the first.",
        default=None,
    )
    where: tuple[Condition, ...] = key(
        OneOrMore(Object(Condition)), "Which records of this list count: those that fulfill all conditions.", default=()
    )
    prefix: str = key(
        Text(), "A prefix of the key in `names`. It is removed; records without it are ignored.", default=""
    )
    pagination: Pagination = key(PAGINATION, "How the list is read in pages.")
    finds: str | None = key(Text(), "Which changes only it finds, for the reference page.", default=None)

    @property
    def paths(self) -> tuple[JsonPath, ...]:
        """Where a record has the changed row, or its key."""
        return self.names if self.record is None else (self.record,)


@dataclass(frozen=True, kw_only=True)
class Reconcile:
    """Reconciliation: re-reading the whole list, a slice at each sync, for changes that no query finds.

    It sends the rows whose cursor field moved since the round before. A stream with a `parent` re-reads only the
    children of parents whose change no query found.
    """

    every: timedelta = key(Duration(), "The time in which the whole list is re-read once.")
    finds: str | None = key(Text(), "Which changes no query finds, for the reference page.", default=None)


@dataclass(frozen=True, kw_only=True)
class Incremental:
    """How an incremental stream finds what changed since the last sync. The first sync reads the whole list."""

    changes: tuple[Query, ...] = key(
        OneOrMore(Object(Query)),
        "Queries that together find every change. Streams with a parent can do without: they read the children of "
        "those parents that changed.",
        default=(),
    )
    open: OpenRows | None = key(Object(OpenRows), "Rows that can change without leaving a trace.", default=None)
    change_feed: ChangeFeed | None = key(Object(ChangeFeed), "Another list, which names changed rows.", default=None)
    related: Related | None = key(
        Object(Related), "Another stream; the rows that belong to its changed rows are read too.", default=None
    )
    lookup: Lookup | None = key(
        Object(Lookup), "How rows are requested by their keys. `open` and `change_feed` need it.", default=None
    )
    reconcile: Reconcile | None = key(
        Object(Reconcile, shorthand="every"),
        "Re-reading the whole list, for changes that no query finds.",
        default=None,
    )


@dataclass(frozen=True, kw_only=True)
class Count:
    """Where the server says how many records the list has.

    If the list is read from one instant to another, `$from` and `$to` in the query or body count a part of it, by which
    a long list is cut for several readers.
    """

    endpoint: Endpoint = key(ENDPOINT, "Returns the number, alone or with other values.")
    query: Mapping[str, JsonValue] = key(
        JsonObject(has_variables=True), "Query parameters: a page as small as possible.", default={}
    )
    body: Mapping[str, JsonValue] = key(JsonObject(has_variables=True), "Body of a POST request.", default={})
    path: JsonPath = key(JSON_PATH, "The number in the response.", default=compile_path("$"), default_text="$")
    header: str | None = key(HEADER, "The header that has the number, in place of a path.", default=None)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One endpoint, synced into one table."""

    required_one_of: ClassVar = ("endpoint", "parent")

    description: str = key(Text(), "What a row of the table is.")
    singular: str | None = key(
        Text(), "One row, in words: `flow run`. Needed only if the plural rule gets it wrong.", default=None
    )
    endpoint: Endpoint | None = key(
        ENDPOINT_WITH_VALUES,
        "Method and path of the list: `POST /flows/filter`. `POST ../filter` is above the base URL.",
        default=None,
    )
    parent: Parent | None = key(
        Object(Parent, shorthand="stream"), "The stream whose rows determine the requests.", default=None
    )
    enabled: bool = key(Boolean(), "Whether the stream is synced by default.", default=True)
    availability: str | None = key(
        Text(),
        "Which servers have the endpoint, if not all do: `Prefect 2`. `check` then does not report its absence.",
        default=None,
    )
    table: str | None = key(NAME, "The table's name, if it is not the stream's.", default=None)
    primary_key: tuple[str, ...] = key(OneOrMore(COLUMN), "The column or columns that identify a row.")
    cursor_field: str | None = key(
        COLUMN,
        "The column that moves whenever a row changes: a UTC_DATETIME or, for a list that only grows, an integer "
        "or a STRING that sorts. `$since` is then its greatest value so far, and `$since-100` a hundred less. A stream "
        "whose records show neither can do without, if its `changes` or those of its parent find what changed.",
        default=None,
    )
    sync_mode: SyncMode = key(Choice("a sync mode", get_args(SyncMode), SYNC_MODES), "What each sync reads and sends.")
    deleted: Deleted = key(
        Choice("a rule for deleted rows", get_args(Deleted), DELETED),
        "What an incremental stream does about rows that are gone from the server. A full refresh soft-deletes them.",
        default="keep",
    )
    body: Mapping[str, JsonValue] | None = key(
        JsonObject(has_variables=True),
        "Body of a POST request, apart from the pagination: a stable sort, for example.",
        default=None,
    )
    query: Mapping[str, JsonValue] | None = key(JsonObject(has_variables=True), "Query parameters.", default=None)
    instants: Instants | None = key(
        INSTANTS,
        "How requests have instants. By default as the api says or else in the format of the `cursor_field`; if that "
        "has none, in ISO 8601 with microseconds.",
        default=None,
    )
    start: Start | None = key(
        START,
        "Where the list begins: rows before it are never read. The request has it as `$from`. A date, or a time before "
        "now: `$now-90d`.",
        default=None,
        name="from",
    )
    windows: Windows | None = key(
        Object(Windows, shorthand="at_most"),
        "Reading the list, and what `changes` finds, in windows of time from `$from` to `$to`.",
        default=None,
    )
    pagination: tuple[Pagination, ...] = key(
        OneOrMore(PAGINATION),
        "How the list is read in pages, if not as the api says. Of several styles, the first that the server accepts "
        "is used.",
        default=(),
    )
    incremental: Incremental | None = key(
        Object(Incremental),
        "How an incremental stream finds changes. Without it, the whole list is read at each sync.",
        default=None,
    )
    records: Records = key(
        RECORDS, "Where the records are in a response, if not where the api says.", default=Records()
    )
    form: Format | None = key(
        FORMAT,
        "The format of responses with records, if not as the api says. Lines and CSV are lists: `records` is `$`.",
        default=None,
        name="format",
    )
    where: tuple[Condition, ...] = key(
        OneOrMore(Object(Condition)),
        "Which records become rows: those that fulfill all these conditions. A row whose record changes and no longer "
        "does is soft-deleted, and a re-sync truncates the table first. `count` is the number of records before this.",
        default=(),
    )
    count: Count | None = key(
        Object(Count, shorthand="endpoint"),
        "The number of records, for the progress in the log, the slices of reconciliation, and `deleted: soft_delete`.",
        default=None,
    )
    answers: tuple[Answer, ...] = key(
        OneOrMore(Object(Answer)), "What its responses mean, before the rules of the api.", default=()
    )
    headers: Mapping[str, str] = key(
        HEADERS,
        "Sent with every request of the stream; one of the api with the same name is not.",
        default={},
        secret=True,
    )
    lookback: timedelta | None = key(
        Duration(),
        "How far back an incremental stream looks for changes, if not as the api says. Children look back at least as "
        "far as their parent.",
        default=None,
    )
    concurrency: int | None = key(
        Integer(1, 16), "Maximum number of requests in flight, if fewer than the api's.", default=None
    )
    fields: Mapping[str, Field] = key(
        MapOf("column", Object(Field, shorthand="path"), NAME_PATTERN, NAME_EXPECTED),
        "The columns: a name and a JSONPath, or a name and path, type and description.",
    )
    name: str = ""

    @property
    def source(self) -> Parent | Related | None:
        """The other stream whose rows determine requests: for all rows, or for those that can have changed."""
        return self.parent or (self.incremental.related if self.incremental else None)

    def begins(self, now: datetime) -> datetime | None:
        """Where the list begins; None if it has no such instant."""
        return shifted(now, -self.start) if isinstance(self.start, timedelta) else self.start

    @property
    def query_of_each_parent(self) -> Query | None:
        """The query for changes that is sent for each row of the parent, if one has values of that row."""
        queries = self.incremental.changes if self.incremental is not None and self.parent is not None else ()
        return next((query for query in queries if self.is_of_each_parent(query)), None)

    def is_of_each_parent(self, query: Fallback) -> bool:
        """Whether a query for changes has values of a row of the parent, so that it is sent for each."""
        if query.endpoint is not None:
            templates = [query.endpoint.path, query.query, query.body]
        else:
            path = self.endpoint.path if self.endpoint is not None else ""
            body = self.body if query.body is None else query.body
            templates = [path, {**(self.query or {}), **query.query}, body]
        return any(variable.name == Parent.variable for variable in variables_in(templates))

    @property
    def asks_each_parent(self) -> bool:
        """Whether each sync asks all rows of the parent for their children, not only those that changed."""
        if self.sync_mode == "full_refresh":
            return False
        return self.query_of_each_parent is not None or (self.parent is not None and self.parent.list is not None)

    @property
    def has_instants(self) -> bool:
        """Whether the cursor field is an instant, which can be compared with the server's clock."""
        cursor = self.fields.get(self.cursor_field or "")
        return cursor is not None and cursor.type == "UTC_DATETIME"

    @property
    def reconcile(self) -> Reconcile | None:
        """How the whole list is re-read, if it is."""
        return self.incremental.reconcile if self.incremental else None

    @property
    def finds_deleted(self) -> bool:
        """Whether rows that are gone are found, for which the keys of all rows are kept in the state."""
        return self.deleted == "soft_delete" and self.incremental is not None

    @property
    def destination_table(self) -> str:
        """The name of the table that the stream fills."""
        return self.table or self.name


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The top level of streams.yaml."""

    version: int = key(Constant(1), "The version of this dialect.")
    title: str = key(Text(), "The API's name in logs: `Prefect`.", name="name")
    configuration: Mapping[str, Setting] = key(
        MapOf("setting", Object(Setting), NAME_PATTERN, NAME_EXPECTED, may_be_empty=True),
        "The settings of each connection. `${name}` in strings below is replaced by a setting's value.",
        default={},
    )
    api: Api = key(Object(Api), "What applies to all requests.")
    streams: Mapping[str, Stream] = key(
        MapOf("stream", Object(Stream), NAME_PATTERN, NAME_EXPECTED), "What is synced: one stream, one table."
    )

    def parent_of(self, stream: Stream) -> Stream | None:
        """The parent stream of a stream; None if it has none, or a list of values in its place."""
        return self.streams.get(stream.parent.stream or "") if stream.parent is not None else None

    def is_in_partitions(self, stream: Stream) -> bool:
        """Whether a stream differs between the partitions of the API, if it has any, so that it is read in each."""
        source = stream.source
        other = self.streams.get(source.stream or "") if source is not None else None
        if other is not None and self.is_in_partitions(other):
            return True
        partitions, endpoint = self.api.partitions, stream.endpoint
        return (
            partitions is not None and endpoint is not None and endpoint.path.split("/").count("..") < partitions.depth
        )

    def lookback_of(self, stream: Stream) -> timedelta:
        """How far back a stream looks for changes."""
        return self.api.lookback if stream.lookback is None else stream.lookback

    def settling_of(self, stream: Stream) -> timedelta:
        """How long children can become visible after their parent changed."""
        return self.lookback_of(stream) / 10
