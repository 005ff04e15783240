"""The shop with every option of its API that has to do with the wire."""

from __future__ import annotations

from pathlib import Path

from engine.declare.types import Endpoint
from engine.http.client import Client
from engine.requests import Request, Response
from engine.spec.load import ResolvedSpec
from engine.sync import sync
from tests.shop import STREAMS, Lines, Recorder, connection

WIRED = (
    STREAMS[: STREAMS.index("  shops:")]
    .replace(
        "  batch_size: {type",
        """\
  user: {description: User and password., secret: true, pattern: "[^:]*:.*", expected: user:password}
  headers: {type: headers, description: More headers., secret: true}
  authority: {type: certificates, description: A certificate.}
  proxy: {description: A proxy., secret: true, pattern: "http://.*", expected: a URL}
  batch_size: {type""",
    )
    .replace(
        '  authentication: {style: bearer, token: "${api_key}"}',
        """\
  authentication:
    - {style: bearer, token: "${api_key}"}
    - {style: basic, credentials: "${user}"}
  csrf:
    endpoint: GET /token
    client_parameter: client
    token: $.token
    token_header: X-Token
    client_header: X-Client
  extra_headers: ${headers}
  ca_certificate: ${authority}
  proxy: ${proxy}
  version: {endpoint: GET /version, path: $.version}""",
    )
)

ORDERS = Request(Endpoint("POST", "/orders/filter"), body={"limit": 10, "offset": 0})


def wired(folder: Path, url: str, *changes: tuple[str, str], **settings: str) -> ResolvedSpec:
    """The wired shop for one connection; each change is a piece of its text and what stands there instead."""
    text = WIRED
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return connection(folder, url, text, **{"batch_size": "10", **settings})


def run(connected: ResolvedSpec) -> tuple[Recorder, Lines]:
    """Sync into a new recorder."""
    recorder, lines = Recorder(), Lines()
    sync(connected, {}, recorder, lines)
    return recorder, lines


def ask(client: Client) -> Response:
    """One request for orders, whatever the JSON of the answer."""
    return client.send("orders", ORDERS, lambda document: document)
