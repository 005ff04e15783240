"""The access token of an authentication style: fetched before the first request, and renewed in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from engine.authentication.credentials import NONE, Credentials
from engine.authentication.token import NoToken, Token, TokenRequest, TokenStyle
from engine.declare.types import Endpoint
from engine.failures import Failure, LimitReached, ServerDown, Unauthorized
from engine.http.decoding import NotJson, decode
from engine.http.error_body import error_in
from engine.http.errors import ErrorMapping, RequestError
from engine.http.renewable import RenewableToken
from engine.http.response import RawResponse
from engine.http.retry import Retrying
from engine.http.transport import Transport
from engine.requests import Request
from engine.spec.secrets import Secrets

NAME: Final = "authentication"
_MARGIN: Final = 60.0  # seconds before a token expires, at most, that the next one is fetched


class AccessToken:
    """The credentials with an access token, for all threads.

    Args:
        fetch: Fetches a token. Raises Failure.
        clock: Monotonic seconds.
    """

    def __init__(self, fetch: Callable[[], Credentials], clock: Callable[[], float] = time.monotonic) -> None:
        self._token = RenewableToken(fetch)
        self._clock = clock

    def credentials(self) -> Credentials:
        """Credentials that have not expired; raises Failure if the token cannot be fetched."""
        held = self._token.held
        is_due = held.renew_at is not None and self._clock() >= held.renew_at
        return self._token.renewed(held) if held is NONE or is_due else held

    def renew(self, status: int, rejected: Credentials) -> bool:
        """Fetch a new token after a 401; return whether there is one.

        Raises:
            Failure: the token could not be fetched.
        """
        return status == 401 and self._token.renewed(rejected) is not rejected


class TokenEndpoint:
    """Where an authentication style gets its tokens.

    Args:
        style: The style.
        request: Its request for a token.
        part: Its keypath, such as ``api.authentication[0]``.
        transport: The connections with the server that issues the tokens.
        retrying: Retries transient failures.
        errors: Names the settings of the connection in messages.
        secrets: Takes the tokens.
    """

    def __init__(
        self,
        style: TokenStyle,
        request: TokenRequest,
        part: str,
        transport: Transport,
        retrying: Retrying,
        errors: ErrorMapping,
        secrets: Secrets,
    ) -> None:
        self._style = style
        self._declared = request
        self._request = Request(_below_the_server(request.endpoint))  # for messages: its body is secret
        self._part = part
        self._transport = transport
        self._retrying = retrying
        self._errors = errors
        self._secrets = secrets
        secrets.learn(Credentials(request.headers).values())

    def fetch(self) -> Credentials:
        """Request a token.

        Raises:
            Unauthorized: the server issues none: it rejects the credentials, or the request for another reason.
            ServerDown: no connection to the server, at the last attempt.
            LimitReached: the sync has reached a limit.
            Failure: a transient failure that outlasted all attempts.
        """
        if self._transport.url(self._request) is None:
            raise self._rejection("the path goes above the root of the server", "endpoint")
        try:
            token, sent_at = self._retrying.run(f"{NAME}: {self._declared.endpoint}", self._attempt)
        except RequestError as error:
            failure = error.failure if issubclass(error.failure, (ServerDown, LimitReached)) else Failure
            raise failure(self._message(error.reason, self._remedy(error.part))) from error
        self._secrets.learn_token(token.value)
        lifetime = token.lifetime
        renew_at = None if lifetime is None else sent_at + lifetime - min(_MARGIN, lifetime / 10)
        return replace(self._style.carry(token.value), renew_at=renew_at)

    def close(self) -> None:
        """Close all connections. Threads that wait to retry give up."""
        self._retrying.stop()
        self._transport.close()

    def _attempt(self) -> tuple[Token, float]:
        """A token, and when it was requested."""
        declared = self._declared
        request = replace(self._request, body=declared.body)
        raw = self._transport.send(request, Credentials(declared.headers), is_form=declared.is_form)
        error = self._errors.transient(raw) or self._failure(raw)
        if error is not None:
            raise error
        try:
            return self._style.read(raw.headers, lambda: decode(raw.body)[0]), raw.sent_at
        except NotJson as not_json:
            error = self._errors.undecodable(raw, str(not_json))
            if raw.claims_json:
                raise error from not_json
            reason = error.reason  # the form that a wrong password leads back to, for example
        except NoToken as no_token:
            said = _error(raw)
            reason = f"{raw.returned}: {self._errors.excerpt(said) if said else no_token}"
        raise self._rejection(reason)

    def _failure(self, raw: RawResponse) -> Unauthorized | None:
        """The failure that a response stands for; None if its status is a success."""
        if 200 <= raw.status < 300:
            return None
        if raw.status == 407:
            return Unauthorized(self._message(f"the proxy {raw.returned}", self._errors.remedy("api.proxy")), 401)
        if 300 <= raw.status < 400 or raw.status in (404, 405):
            return self._rejection(raw.returned, "endpoint")
        return self._rejection(f"{raw.returned}: {self._errors.excerpt(_error(raw) or raw.text)}")

    def _rejection(self, what: str, key: str | None = None) -> Unauthorized:
        """No stream can be read without a token, so each of these ends the sync, as a rejected API key does."""
        remedy = f"Check {self._errors.named(f'{self._part}.{key}')}" if key else self._errors.credentials_remedy(401)
        return Unauthorized(self._message(what, remedy), 401)

    def _remedy(self, part: str | None) -> str:
        if part != "api.base_url":
            return self._errors.remedy(part)
        return f"Check that the server is up and {self._errors.named(f'{self._part}.endpoint')} is right"

    def _message(self, what: str, remedy: str) -> str:
        return self._errors.message(NAME, self._request, self._transport.url(self._request) or "", what, remedy)


def server_of(endpoint: Endpoint) -> str | None:
    """The server of an endpoint that is a URL, such as ``https://login.example``; None below the base URL."""
    scheme, is_url, rest = endpoint.path.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}" if is_url else None


def _below_the_server(endpoint: Endpoint) -> Endpoint:
    return replace(endpoint, path=endpoint.path.removeprefix(server_of(endpoint) or "") or "/")


def _error(raw: RawResponse) -> str | None:
    """The server's words about an error in a response; None if it has none.

    OAuth 2.0 names an error, and can describe it (RFC 6749, 5.2).
    """
    try:
        document: Any = decode(raw.body)[0]
    except NotJson:
        return None
    if isinstance(document, Mapping) and isinstance(document.get("error"), str):
        description = document.get("error_description")
        return f"{document['error']} ({description})" if description else document["error"]
    return error_in(document)
