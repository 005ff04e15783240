"""404 and 405: the API's own, or those of a proxy in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.testbed.loopback import Loopback, Reply, first_these, rows_by_offset
from engine.declare.types import Endpoint
from engine.failures import Failure, NotFound
from engine.http.client import Client
from engine.requests import Request, Response
from tests.http.full_shop import ORDERS, full_shop, request_orders
from tests.shop import Lines, orders


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback(rows_by_offset(orders(5))) as server:
        yield server


@pytest.fixture
def client(tmp_path: Path, loopback: Loopback) -> Iterator[Client]:
    with Client(full_shop(tmp_path, loopback.url), Lines()) as connected:
        yield connected


def request_known_orders(client: Client) -> Response:
    """Send one request to an endpoint that is known to exist."""
    return client.send("orders", ORDERS, lambda document: document, endpoint_exists=True)


FROM_API = {
    "404": Reply({"detail": "Not Found"}, status=404),
    "405": Reply({"detail": "Method Not Allowed"}, status=405),
    "with a charset": Reply({}, status=404, headers={"Content-Type": "Application/JSON; charset=utf-8"}),
    "problem details": Reply({"title": "gone"}, status=404, headers={"Content-Type": "application/problem+json"}),
}
NOT_FROM_API = {
    "web page": Reply(body=b"<html>404</html>", status=404, headers={"Content-Type": "text/html"}),
    "405 web page": Reply(body=b"<html>405</html>", status=405, headers={"Content-Type": "text/html"}),
    "plain text": Reply(body=b"default backend - 404", status=404, headers={"Content-Type": "text/plain"}),
    "JSON as plain text": Reply({"detail": "Not Found"}, status=404, headers={"Content-Type": "text/plain"}),
    "no content type": Reply({"detail": "Not Found"}, status=404, headers={"Content-Type": None}),
    "empty": Reply(body=b"", status=404),
    "not the JSON that it says": Reply(body=b"<html>404</html>", status=404),
}


@pytest.mark.parametrize("reply", FROM_API.values(), ids=FROM_API)
def test_a_404_in_json_is_the_api_s_own(client: Client, loopback: Loopback, reply: Reply) -> None:
    """It is final, whether the endpoint is known to exist or not: what was requested is gone."""
    loopback.answer = lambda seen: reply
    for send in (request_orders, request_known_orders):
        with pytest.raises(NotFound) as caught:
            send(client)
        assert caught.value.from_api
    assert len(loopback.seen) == 2


@pytest.mark.parametrize("reply", NOT_FROM_API.values(), ids=NOT_FROM_API)
def test_any_404_is_not_found_if_the_endpoint_may_not_exist(client: Client, loopback: Loopback, reply: Reply) -> None:
    """It is not retried. The failure says that it need not be the API's."""
    loopback.answer = lambda seen: reply
    with pytest.raises(NotFound) as caught:
        request_orders(client)
    assert not caught.value.from_api
    assert len(loopback.seen) == 1


@pytest.mark.parametrize("reply", NOT_FROM_API.values(), ids=NOT_FROM_API)
def test_a_404_of_a_proxy_is_retried_if_the_endpoint_exists(client: Client, loopback: Loopback, reply: Reply) -> None:
    """A proxy sends it while the API behind it restarts. Believed, it would delete rows that exist."""
    loopback.answer = first_these([reply, reply], loopback.answer)
    assert request_known_orders(client).value == orders(5)
    assert len(loopback.seen) == 3


@pytest.mark.parametrize("reply", NOT_FROM_API.values(), ids=NOT_FROM_API)
def test_a_404_of_a_proxy_that_lasts_is_a_failure(client: Client, loopback: Loopback, reply: Reply) -> None:
    """After the last attempt it fails like a 5xx, and not as something that is gone."""
    loopback.answer = lambda seen: reply
    with pytest.raises(Failure, match=rf"returned {reply.status} .*gave up after 4 attempts") as caught:
        request_known_orders(client)
    assert type(caught.value) is Failure
    assert len(loopback.seen) == 4


def test_a_path_above_the_server_is_not_from_the_api(tmp_path: Path, loopback: Loopback) -> None:
    """No request was sent."""
    above = Request(Endpoint("POST", "../../../orders"))
    with Client(full_shop(tmp_path, loopback.url), Lines()) as client, pytest.raises(NotFound) as caught:
        client.send("orders", above, lambda document: document)
    assert not caught.value.from_api
