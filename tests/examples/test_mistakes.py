"""Mistakes that people make in files like the examples: `validate` reports each with its place, and a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.declare.problems import SpecError
from engine.spec.load import load
from tests.examples.example import EXAMPLES

MISTAKES = [
    ("stripe", "last: $.id", "last: id", "api.pagination.last", 'expected a JSONPath, which starts with $, found "id"'),
    (
        "stripe",
        "query: {starting_after: $token}",
        "query: {starting_after: token}",
        "streams.customers",
        "a request of this pagination needs $token, for example query: {cursor: $token}",
    ),
    (
        "stripe",
        "more: $.has_more",
        "has_more: $.has_more",
        "api.pagination.has_more",
        'unknown key; did you mean "more"?',
    ),
    (
        "stripe",
        "instants: epoch_seconds",
        "instants: epoch_second",
        "api.instants",
        '"epoch_second" is not a format of dates and times; did you mean "epoch_seconds"?',
    ),
    (
        "stripe",
        "format: epoch_seconds",
        "format: unix",
        "streams.balance_transactions.fields.created.format",
        '"unix" is not a format; known: epoch_seconds, epoch_milliseconds, epoch_microseconds, text, or a pattern of a '
        "date and time, such as %Y-%m-%d %H:%M",
    ),
    (
        "stripe",
        '{"created[gte]": $from}',
        '{"created[gte]": $form}',
        "streams.balance_transactions.query.created[gte]",
        "$form stands for no value; known here: $from, $now, $size, $token; $$ is a $ that stands for itself",
    ),
    (
        "stripe",
        '{"created[gte]": $from}',
        "{created: {gte: $from}}",
        "streams.balance_transactions.query.created",
        "a query parameter cannot be a mapping: a URL has no nested values",
    ),
    (
        "stripe",
        "from: ${start_date}",
        "from: ${start_dat}",
        "streams.customers.from",
        '${start_dat} is not declared under configuration; did you mean "start_date"?',
    ),
    (
        "stripe",
        "    from: ${start_date}\n    where:",
        "    where:",
        "streams.customers.query.created[gte]",
        '$from stands for no value here; the stream needs the key "from"',
    ),
    (
        "stripe",
        "lookback: 1h",
        "lookback: 1 day",
        "api.lookback",
        'expected a duration such as 500ms, 30s, 5m, 24h or 7d, found "1 day"',
    ),
    (
        "stripe",
        "references: customers.id",
        "references: customer.id",
        "streams.charges.fields.customer_id.references",
        'no stream fills a table "customer"; did you mean "customers"?',
    ),
    (
        "stripe",
        "authentication: {style: bearer, token:",
        "authentication: {style: bearer, tokn:",
        "api.authentication.tokn",
        'unknown key; did you mean "token"?',
    ),
    (
        "stripe",
        "sync_mode: incremental",
        "sync_mode: append",
        "streams.customers.sync_mode",
        '"append" is not a sync mode; known: incremental, full_refresh',
    ),
    (
        "stripe",
        "primary_key: id",
        "primary_keys: id",
        "streams.customers.primary_keys",
        'unknown key; did you mean "primary_key"?',
    ),
    (
        "stripe",
        "cursor_field: created",
        "cursor_field: creatd",
        "streams.balance_transactions.cursor_field",
        '"creatd" is not a column; did you mean "created"?',
    ),
    (
        "github",
        "$(+parent.full_name)",
        "{repo}",
        "streams.issues.endpoint",
        "a value in a path is written $(parent.id) or $(key), without { }",
    ),
    (
        "github",
        "$(+parent.full_name)",
        "$(+parent)",
        "streams.issues.endpoint",
        "$parent is a record: add the path to a value, such as $parent.id",
    ),
    (
        "github",
        "$(+parent.full_name)",
        "$(+parents.full_name)",
        "streams.issues",
        "needs $parent.id in its path, query or body: without, it would return the same rows for every parent",
    ),
    (
        "github",
        "parent: repositories",
        "parent: repos",
        "streams.issues",
        'its parent "repos" is not a stream; did you mean "repositories"?',
    ),
    (
        "github",
        "means: wait, until",
        "means: waits, until",
        "api.answers[0].means",
        '"waits" is not a meaning; did you mean "wait"?',
    ),
    (
        "github",
        "means: wait, until: X-RateLimit-Reset",
        "means: empty, until: X-RateLimit-Reset",
        "api.answers[0].until",
        "only means: wait has until",
    ),
    (
        "github",
        "where: {path: $.pull_request, is: null}",
        "where: {path: $.pull_request, equals: null}",
        "streams.issues.where",
        'the key "is" is missing',
    ),
    (
        "github",
        "{since: $since}",
        "{since: $sinse}",
        "streams.issues.incremental.changes.query.since",
        "$sinse stands for no value; known here: $since, $from, $now, $parent, $size; $$ is a $ that stands for itself",
    ),
    (
        "github",
        "{since: $since}",
        "{since: $since-1}",
        "streams.issues.incremental.changes.query.since",
        "expected a duration, such as 30s, 5m, 24h or 7d, after $since-",
    ),
    (
        "github",
        "{since: $since}",
        "{since: $since-1w}",
        "streams.issues.incremental.changes.query.since",
        "expected a duration after $since-, such as 30s, 5m, 24h or 7d",
    ),
    (
        "github",
        "pagination: {style: link,",
        "pagination: {style: links,",
        "api.pagination.style",
        '"links" is not a pagination style; did you mean "link"?',
    ),
    (
        "github",
        "query: {per_page: $size}",
        "query: {per_page: $sizes}",
        "api.pagination.query.per_page",
        "$sizes stands for no value; known here: $size; $$ is a $ that stands for itself",
    ),
    (
        "github",
        "query: {per_page: $size}",
        "body: {per_page: $size}",
        "api.pagination.body",
        "no stream that is read in these pages sends a body; use query",
    ),
    (
        "slack",
        "is: [not_in_channel, channel_not_found], means: skip",
        "is: [not_in_channel, channel_not_found], means: ignore",
        "streams.messages.answers.means",
        '"ignore" is not a meaning; known: wait, empty, skip, expired, unauthorized, failure',
    ),
    (
        "slack",
        "query: {channel: $parent.id, oldest: $from}",
        "query: {channel: $channel.id, oldest: $from}",
        "streams.messages",
        "needs $parent.id in its path, query or body: without, it would return the same rows for every parent",
    ),
    (
        "slack",
        "query: {channel: $parent.id, oldest: $from}",
        "query: {oldest: $from}",
        "streams.messages",
        "needs $parent.id in its path, query or body: without, it would return the same rows for every parent",
    ),
    (
        "slack",
        "primary_key: [channel_id, ts]",
        "primary_key: [channel, ts]",
        "streams.messages.primary_key",
        '"channel" is not a column; did you mean "channel_id"?',
    ),
    (
        "slack",
        "GET /conversations.history",
        "GET conversations.history",
        "streams.messages.endpoint",
        "expected a method (GET or POST) and a path below the base URL, such as GET /orders (parameters are in query), "
        'found "GET conversations.history"',
    ),
    (
        "slack",
        "GET /conversations.history",
        "FETCH /conversations.history",
        "streams.messages.endpoint",
        "expected a method (GET or POST) and a path below the base URL, such as GET /orders (parameters are in query), "
        'found "FETCH /conversations.history"',
    ),
    (
        "zendesk",
        "end: $.end_of_stream",
        "end: end_of_stream",
        "streams.tickets.pagination.end",
        'expected a JSONPath, which starts with $, found "end_of_stream"',
    ),
    (
        "zendesk",
        "cursor: $token, per_page",
        "cursor: $page, per_page",
        "streams.tickets.pagination",
        "a request of this pagination needs $token, for example query: {cursor: $token}",
    ),
    (
        "zendesk",
        'credentials: "${email}/token:${api_token}"',
        'credentials: "${mail}/token:${api_token}"',
        "api.authentication[1].credentials",
        '${mail} is not declared under configuration; did you mean "email"?',
    ),
    (
        "zendesk",
        "where: {path: $.status, not: deleted}",
        "where: {not: deleted}",
        "streams.tickets.where",
        'the key "path" is missing',
    ),
    (
        "zendesk",
        "type: LONG, description: The ticket's number.",
        "type: BIGINT, description: The ticket's number.",
        "streams.tickets.fields.id.type",
        '"BIGINT" is not a column type; did you mean "INT"?',
    ),
    (
        "pagerduty",
        "windows: {at_most: 180d, halve: true}",
        "windows: {at_most: 180d, halved: true}",
        "streams.incidents.windows.halved",
        'unknown key; did you mean "halve"?',
    ),
    (
        "pagerduty",
        "windows: {at_most: 180d, halve: true}",
        "windows: {at_most: six months}",
        "streams.incidents.windows.at_most",
        'expected a duration such as 500ms, 30s, 5m, 24h or 7d, found "six months"',
    ),
    (
        "pagerduty",
        "until: $to,",
        "",
        "streams.incidents.windows",
        "a window needs $to in the request, for example query: {start: $from, end: $to}",
    ),
    (
        "pagerduty",
        "/incidents/$(parent.id)/log_entries",
        "/incidents/$parent.id/log_entries",
        "streams.incident_log_entries.endpoint",
        "a value in a path is written with ( ): $(parent.id)",
    ),
    (
        "paypal",
        'client_secret: "${client_secret}"}',
        'secret: "${client_secret}"}',
        "api.authentication.secret",
        'unknown key; did you mean "client_secret"?',
    ),
    (
        "paypal",
        "endpoint: POST /v1/oauth2/token",
        "endpoint: POST http://api.paypal.com/v1/oauth2/token",
        "api.authentication.endpoint",
        "http:// would send the credentials unencrypted; use https://",
    ),
    (
        "paypal",
        "type: DECIMAL, precision: 18, scale: 3, format: text, description: PayPal's fee.",
        "type: DECIMAL, format: text, description: PayPal's fee.",
        "streams.transactions.fields.fee",
        'DECIMAL needs the key "precision"',
    ),
    (
        "paypal",
        "[?(@.rel == 'next')].href",
        "[?(@.rel = 'next').href",
        "streams.disputes.pagination.link",
        '"$.links[?(@.rel = \'next\').href" is not a JSONPath: unexpected "." at character 26',
    ),
]
"""The example, what is replaced in it, by what, and the first mistake that is reported: its place and its message."""


@pytest.mark.parametrize(("name", "right", "wrong", "place", "message"), MISTAKES, ids=lambda value: value[:60])
def test_a_mistake_is_reported(tmp_path: Path, name: str, right: str, wrong: str, place: str, message: str) -> None:
    """With the key that it is at, and what was meant or what is possible."""
    text = (EXAMPLES / name / "streams.yaml").read_text("utf-8")
    assert right in text
    path = tmp_path / "streams.yaml"
    path.write_text(text.replace(right, wrong, 1), "utf-8")
    with pytest.raises(SpecError) as caught:
        load(path)
    assert next((str(problem.keypath), problem.message) for problem in caught.value.problems) == (place, message)


def test_there_are_forty() -> None:
    """The examples have many kinds of keys."""
    assert len(MISTAKES) >= 40
