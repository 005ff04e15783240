"""Sends requests to an API until it responds as declared, or raises a named failure.

Transient failures (no connection, timeouts, 408, 429, 5xx, a body that is not what was declared) are retried with
exponential backoff and jitter, within bounds, and every retry is logged. Any other failure is raised at once.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from types import TracebackType
from typing import Any

from engine.authentication import FixedStyle, style_in_use
from engine.authentication.credentials import NONE, Credentials, merged
from engine.authentication.token import TokenStyle
from engine.failures import DeclaredAnswer, Failure, redact_exception
from engine.http.access_token import AccessToken, TokenEndpoint, server_of
from engine.http.answers import DeclaredAnswers
from engine.http.budget import Budget
from engine.http.clock import ServerClock
from engine.http.csrf import CsrfToken
from engine.http.decoding import Undecodable, UnexpectedShape, decode_as
from engine.http.error_body import ErrorInBody
from engine.http.errors import ErrorMapping, RequestError
from engine.http.proxies import UnusableProxy
from engine.http.rate_limiter import RateLimiter
from engine.http.renewable import CredentialSource, FixedCredentials
from engine.http.repairs import Repairs
from engine.http.response import RawResponse
from engine.http.retry import Retrying
from engine.http.transport import Transport
from engine.log import Log, RedactingLog
from engine.requests import Request, Response
from engine.spec.dialect import Api
from engine.spec.formats import JSON, Format
from engine.spec.load import ResolvedSpec


@dataclass(frozen=True)
class _Wanted:
    """What is wanted of a response; see :meth:`Client.send`."""

    expect: Callable[[Any], Any]
    endpoint_exists: bool
    form: Format


class Client:
    """A session with one API, as a context manager. Several threads may use it at once.

    No secret leaves it: log lines are redacted, and so is every exception that :meth:`send` or the ``with`` block
    raises, with its causes.

    Args:
        resolved: The spec, with the settings of the connection filled in.
        log: Takes retries and repairs.

    Raises:
        Failure: ``api.ca_certificate`` is not a certificate, or the proxy cannot be used.
    """

    def __init__(self, resolved: ResolvedSpec, log: Log) -> None:
        api = resolved.spec.api
        style = style_in_use(api.authentication)
        self._title = resolved.spec.title
        self._api = api
        self._secrets = resolved.settings.secrets
        self._errors = ErrorMapping(resolved, style)
        self._answers = DeclaredAnswers(resolved.spec, self._secrets, self._errors)
        self._headers = {name: Credentials(stream.headers) for name, stream in resolved.spec.streams.items()}
        self._accepts = "accept" in {name.lower() for name in (*api.headers, *api.extra_headers)}
        self.budget = Budget(api.limits)
        self._transport = self._connect(api, {**api.headers, **api.extra_headers})
        self._csrf = CsrfToken(api.csrf, self._fetch_token) if api.csrf else None
        self.log = redacting = RedactingLog(log, self.redact)
        self._retrying = Retrying(api.retry, self.budget, RateLimiter(api.rate_limit), redacting)
        self._token_endpoint: TokenEndpoint | None = None
        self._authentication = self._in_use(style)
        self._repairs = Repairs(redacting)
        self._clock = ServerClock()

    @property
    def now(self) -> datetime:
        """The server's time or, if no response had a date, this machine's."""
        return self._clock.time_at(time.monotonic()) or datetime.now(timezone.utc)

    def _connect(self, api: Api, headers: Mapping[str, str]) -> Transport:
        agent = re.sub(r"[^a-z0-9]+", "-", self._title.lower()).strip("-") or "api"
        headers = {"Accept": "application/json", "User-Agent": f"{agent}-fivetran-connector", **headers}
        try:
            return Transport(api, headers, self.budget.spend_request)
        except ssl.SSLError:
            failure = Failure(
                f"{self._errors.named('api.ca_certificate')}: the lines between BEGIN and END are not a certificate. "
                "Set the whole file, in PEM form, of the authority that signed the server's certificate."
            )
        except UnusableProxy as error:
            where = f"the environment variable {error.variable}" if error.variable else self._errors.named("api.proxy")
            failure = Failure(f"{where}: {error}.")
        raise failure  # outside of the handlers: an exception of a library can hold a value

    def _in_use(self, index: int | None) -> CredentialSource:
        """The credentials of a style. They are secret from now on, in whatever parts the configuration has them."""
        if index is None:
            return FixedCredentials(NONE)
        style = self._api.authentication[index]
        if isinstance(style, FixedStyle):
            self._secrets.learn(style.credentials().values())
            return FixedCredentials(style.credentials())
        self._token_endpoint = self._connect_tokens(style, index)
        return AccessToken(self._token_endpoint.fetch)

    def _connect_tokens(self, style: TokenStyle, index: int) -> TokenEndpoint:
        """The token endpoint of a style. The rate limit, and the api's headers, are not for another server."""
        request = style.request()
        assert request is not None  # the style in use has no empty values
        server, transport = server_of(request.endpoint), self._transport
        if server is not None:
            transport = self._connect(replace(self._api, base_url=server), {})
        part = f"api.authentication[{index}]" if len(self._api.authentication) > 1 else "api.authentication"
        retrying = Retrying(self._api.retry, self.budget, RateLimiter(None), self.log)
        return TokenEndpoint(style, request, part, transport, retrying, self._errors, self._secrets)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is not None:
            redact_exception(error, self.redact)

    def close(self) -> None:
        """Close all connections. Threads that wait to retry give up."""
        self._retrying.stop()
        self._transport.close()
        if self._token_endpoint is not None:
            self._token_endpoint.close()
        self._repairs.report()

    def url(self, request: Request) -> str:
        """The URL of a request, without its query, for messages."""
        base_url = request.base_url or self._api.base_url
        return self._transport.url(request) or f"{base_url.rstrip('/')}/{request.address.path}"

    def redact(self, text: str) -> str:
        """Replace the secrets of the configuration in a string."""
        return self._secrets.redact(text)

    def send(
        self,
        stream: str,
        request: Request,
        expect: Callable[[Any], Any],
        *,
        endpoint_exists: bool = False,
        form: Format = JSON,
    ) -> Response:
        """Send a request until the server responds as expected, or fails for good.

        Args:
            stream: The stream that messages name.
            request: The request.
            expect: Turns the decoded response into the wanted value; raises :class:`UnexpectedShape` if it cannot, and
                :class:`ErrorInBody` if the server reports an error. A response without content is null.
            endpoint_exists: Whether the endpoint is known to exist. A 404 or 405 is then final only if it is the API's
                own, in JSON; any other comes from a proxy and is retried like a 5xx.
            form: The format of the response.

        Raises:
            NotFound: 404 or 405, or the path goes above the root of the server.
            Unauthorized: 401 or 403.
            RequestRejected: 400 or 422.
            EmptyList, SkippedList, PastTheEnd, ChangesExpired: streams.yaml declares that this response means so.
            ServerDown: no connection to the server, at the last attempt.
            LimitReached: the sync has reached a limit of ``api.limits``: requests or duration.
            Failure: any other lasting failure, or a transient one that outlasted all attempts.
        """
        try:
            return self._send(stream, request, _Wanted(expect, endpoint_exists, form))
        except Exception as error:
            redact_exception(error, self.redact)
            raise

    def _send(self, stream: str, request: Request, wanted: _Wanted) -> Response:
        request = request.written_out()
        url = self._transport.url(request)
        if url is None:
            raise self._errors.above_the_server(stream, request, self.url(request))
        try:
            what = f"{stream}: {request}{f' at {url}' if request.base_url else ''}"
            return self._retrying.run(what, lambda: self._attempt(stream, request, url, wanted))
        except RequestError as error:
            remedy = self._errors.remedy(error.part)
            raise error.failure(self._errors.message(stream, request, url, error.reason, remedy)) from error

    def _attempt(self, stream: str, request: Request, url: str, wanted: _Wanted) -> Response:
        raw = self._exchange(stream, request, wanted.form)
        error = (
            self._answers.error(stream, request, url, raw)
            or self._errors.transient(raw, endpoint_exists=wanted.endpoint_exists)
            or self._errors.past_the_end(stream, request, url, raw)
            or self._errors.failure(stream, request, url, raw)
        )
        if isinstance(error, DeclaredAnswer):
            self._clock.observe(raw)
            error.asked_at = self._clock.time_at(raw.sent_at)
        if error is not None:
            raise error
        document: Any = None
        try:
            document, repairs = (None, {}) if raw.status in (204, 205) else decode_as(wanted.form, raw.body)
            value = wanted.expect(document)
        except ErrorInBody as in_body:
            said = self._errors.excerpt(str(in_body))
            raise RequestError(f"returned {raw.status} with an error: {said}", part=None) from in_body
        except Undecodable as undecodable:
            raise self._errors.undecodable(raw, str(undecodable)) from undecodable
        except UnexpectedShape as shape:
            raise self._errors.unexpected_shape(raw, str(shape), document) from shape
        self._repairs.add(stream, request, repairs)
        self._clock.observe(raw)
        return Response(value, self._clock.time_at(raw.sent_at), raw.next_link, raw.headers)

    def _exchange(self, stream: str, request: Request, form: Format) -> RawResponse:
        """Send a request. If the server rejects a token, or the lack of one, send it once more with a new one."""
        of_request = Credentials({name: str(value) for name, value in request.headers.items()})
        own = merged([self._headers.get(stream, NONE), of_request])
        if form != JSON and not self._accepts:
            own = merged([Credentials({"Accept": form.media_type}), own])
        sources: list[CredentialSource] = [self._authentication]
        if self._csrf is not None and request.endpoint != self._csrf.endpoint:
            sources.append(self._csrf)
        renewed: set[CredentialSource] = set()
        while True:
            carried = {source: source.credentials() for source in sources}
            response = self._transport.send(request, merged([own, *carried.values()]))
            status = self._answers.status(stream, response)
            outdated = (one for one, rejected in carried.items() if one not in renewed and one.renew(status, rejected))
            source = next(outdated, None)
            if source is None:
                return response
            renewed.add(source)

    def _fetch_token(self, request: Request, read: Callable[[Any], Any]) -> str:
        token: str = self.send("CSRF token", request, read).value
        self._secrets.learn_token(token)
        return token
