"""The shop with every option of HTTP: two authentication styles, CSRF tokens, headers, a proxy, a certificate."""

from __future__ import annotations

from pathlib import Path

from engine.declare.types import Endpoint
from engine.http.client import Client
from engine.requests import Request, Response
from engine.spec.load import ResolvedSpec
from engine.sync import sync
from tests.shop import ORDERS_ONLY, Lines, Recorder, connection
from tests.specs import edited

FULL_SHOP = edited(
    ORDERS_ONLY,
    add={
        "configuration.user": {
            "description": "User and password.",
            "secret": True,
            "pattern": "[^:]*:.*",
            "expected": "user:password",
        },
        "configuration.headers": {"type": "headers", "description": "More headers.", "secret": True},
        "configuration.authority": {"type": "certificates", "description": "A certificate."},
        "configuration.proxy": {"description": "A proxy.", "secret": True, "pattern": "http://.*", "expected": "a URL"},
        "api.csrf": {
            "endpoint": "GET /token",
            "client_parameter": "client",
            "token": "$.token",
            "token_header": "X-Token",
            "client_header": "X-Client",
        },
        "api.extra_headers": "${headers}",
        "api.ca_certificate": "${authority}",
        "api.proxy": "${proxy}",
        "api.version": {"endpoint": "GET /version", "path": "$.version"},
    },
    replace={
        "api.authentication": [
            {"style": "bearer", "token": "${api_key}"},
            {"style": "basic", "credentials": "${user}"},
        ]
    },
)

ORDERS = Request(Endpoint("POST", "/orders/filter"), body={"limit": 10, "offset": 0})


def full_shop(folder: Path, url: str, text: str = FULL_SHOP, **settings: str) -> ResolvedSpec:
    """The full shop, or a variant, resolved with the settings of one connection and a page size of 10."""
    return connection(folder, url, text, **{"batch_size": "10", **settings})


def run(connected: ResolvedSpec) -> tuple[Recorder, Lines]:
    """Sync into a new recorder."""
    recorder, lines = Recorder(), Lines()
    sync(connected, {}, recorder, lines)
    return recorder, lines


def request_orders(client: Client) -> Response:
    """Send one request for orders; the response may be any JSON."""
    return client.send("orders", ORDERS, lambda document: document)
