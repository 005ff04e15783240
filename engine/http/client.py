"""Asks an API until it is answered as declared, or fails by name.

What may pass (no connection, timeouts, 408, 429, 5xx, a body that is not what was declared) is tried again with
exponential backoff and jitter, bounded, and every wait is told. Everything else is a failure at once.
"""

from __future__ import annotations

import random
import re
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final

from engine.authentication import style_in_use
from engine.failures import Failure
from engine.http.csrf import CsrfToken
from engine.http.decoding import NotJson, UnexpectedShape, decode
from engine.http.errors import ErrorMapping
from engine.http.rate_limiter import Budget, BudgetExhausted, RateLimiter
from engine.http.transport import RawResponse, Transport, TransportError
from engine.log import Log
from engine.requests import Request, Response
from engine.spec.load import ResolvedSpec

_TRANSIENT_STATUS: Final = frozenset({408, 429})


class _Transient(Exception):
    """An attempt failed for a reason that may pass. ``retry_after`` is the wait the server asked for, in seconds."""

    def __init__(
        self, reason: str, *, status: int = 0, retry_after: float | None = None, part: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.retry_after = retry_after
        self.part = part


class Client:
    """A session with one API. May be used by several threads at once.

    Args:
        connection: What the document says about the API, filled in for one connection.
        log: Where retries and repairs are told.

    Raises:
        Failure: the declared certificates are none.
    """

    def __init__(self, resolved: ResolvedSpec, log: Log) -> None:
        self._api = resolved.spec.api
        self._log = log
        self._settings = resolved.settings
        style = style_in_use(self._api.authentication)
        self._errors = ErrorMapping(resolved, style)
        self._transport = self._connect(resolved.spec.title, style)
        self._csrf = CsrfToken(self._api.csrf, self._fetch_token) if self._api.csrf else None
        self._budget = Budget(self._api.limits)
        self._rate_limiter = RateLimiter(self._api.rate_limit)
        self._closed = threading.Event()
        self._answered = False
        self._repairs: Counter[tuple[str, str]] = Counter()
        self._repairs_lock = threading.Lock()

    def _connect(self, title: str, style: int | None) -> Transport:
        agent = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "api"
        headers = {
            "Accept": "application/json",
            "User-Agent": f"{agent}-fivetran-connector",
            **self._api.headers,
            **self._api.extra_headers,
        }
        if style is not None:
            headers |= self._api.authentication[style].headers()
        try:
            return Transport(self._api, headers)
        except ssl.SSLError:
            pass
        raise Failure(
            f"{self._errors.named('api.ca_certificate')}: what stands between BEGIN and END is no certificate. "
            "Give the whole file of the authority that signed the server's certificate, in PEM form."
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. Threads that wait to try again give up."""
        self._closed.set()
        self._transport.close()
        for (stream, repair), count in sorted(self._repairs.items()):
            if count > 1:
                self._warn(f"{stream}: {count:,} {repair}, in all")

    def url(self, request: Request) -> str:
        """The URL of a request, without its query, for messages."""
        return self._transport.url(request) or f"{self._api.base_url.rstrip('/')}/{request.endpoint.path}"

    def redact(self, text: str) -> str:
        """The text without the secrets of the configuration."""
        return self._settings.secrets.redact(text)

    def send(self, stream: str, request: Request, expect: Callable[[Any], Any]) -> Response:
        """Send a request until it is answered as expected, or fails for good.

        Args:
            stream: Named in every message.
            request: What to ask.
            expect: Turns the decoded JSON into the value wanted; raises :class:`UnexpectedShape` when it has another shape.

        Raises:
            NotFound: 404 or 405, or there can be no such address.
            Unauthorized: 401 or 403.
            RequestRejected: 400 or 422.
            Failure: any other failure that waiting does not mend, or one that lasted through all attempts.
        """
        if self._transport.url(request) is None:
            raise self._errors.above_the_server(stream, request, self.url(request))
        attempts, attempt = self._api.retry.attempts, 1
        may_be_stale = self._answered
        while True:
            fault = self._try(stream, request, expect, may_be_stale)
            if isinstance(fault, Response):
                return fault
            if fault is None:  # a server closes idle connections when it likes: no fault of its
                may_be_stale = False
                self._log.info(self.redact(f"{stream}: {request}: the server had closed the connection; asking again"))
                continue
            if attempt == attempts:
                reason = f"{fault.reason}, at the last of {attempt} attempts"
                raise self._failure(stream, request, reason, self._errors.remedy(fault.part))
            wait = self._wait(stream, request, attempt, fault)
            self._spend(stream, request, self._budget.retry)
            everybody = fault.status == 429 or fault.retry_after is not None
            if everybody:
                self._rate_limiter.pause(wait)  # any other thread would be told the same
            self._warn(
                f"{stream}: {request}: {fault.reason}; attempt {attempt} of {attempts}, trying again in {wait:.1f} s"
            )
            if not everybody:
                self._sleep(stream, request, wait)
            attempt += 1

    def _try(
        self, stream: str, request: Request, expect: Callable[[Any], Any], may_be_stale: bool
    ) -> Response | _Transient | None:
        """One attempt, in its turn: an answer, a fault that may pass, or None for a connection gone stale.

        Faults are handed back rather than raised through the retries, so that no failure drags those before it along.
        """
        while (wait := self._rate_limiter.turn()) > 0:
            self._sleep(stream, request, wait)
        self._spend(stream, request, self._budget.request)
        try:
            answer = self._attempt(stream, request, expect)
        except _Transient as transient:
            return transient
        except TransportError as none:
            if none.dropped and may_be_stale:
                return None
            if none.passing:
                return _Transient(none.reason, part=none.part)
            fault = none
        else:
            self._answered = True
            self._budget.succeeded()
            return answer
        raise self._failure(stream, request, fault.reason, self._errors.remedy(fault.part))

    def _attempt(self, stream: str, request: Request, expect: Callable[[Any], Any]) -> Response:
        response = self._send(request)
        if response.status in _TRANSIENT_STATUS or response.status >= 500:
            said = f"answered {response.status} {response.reason}".rstrip()
            raise _Transient(said, status=response.status, retry_after=retry_after(response.headers))
        failure = self._errors.failure(stream, request, self.url(request), response)
        if failure is not None:
            raise failure
        try:
            document, repairs = decode(response.body)
            value = expect(document)
        except NotJson as error:
            fault = _Transient(*self._errors.not_json(response, str(error)))
        except UnexpectedShape as error:
            fault = _Transient(f"answered {response.status} with {error}")
        else:
            self._warn_of_repairs(stream, request, repairs)
            sent = date(response.headers.get("Date"))
            return Response(value, sent - timedelta(seconds=response.elapsed) if sent else None, response.next_link)
        raise fault

    def _send(self, request: Request) -> RawResponse:
        """Send a request; where the server wants a token against forgery, or another one, send it again with it."""
        if self._csrf is None or request.endpoint == self._csrf.endpoint:
            return self._transport.send(request, {})
        headers = self._csrf.headers()
        response = self._transport.send(request, headers)
        if response.status == 403 and self._csrf.renew(headers):
            response = self._transport.send(request, self._csrf.headers())
        return response

    def _fetch_token(self, request: Request, read: Callable[[Any], Any]) -> str:
        token: str = self.send("CSRF token", request, read).value
        return token

    def _wait(self, stream: str, request: Request, attempt: int, fault: _Transient) -> float:
        """Seconds to wait after an attempt: what the server asked for, or exponential backoff with jitter."""
        retry = self._api.retry
        if fault.retry_after is not None:
            most = retry.retry_after_max.total_seconds()
            if fault.retry_after > most:
                raise self._failure(
                    stream,
                    request,
                    f"{fault.reason}; the server asks to wait {fault.retry_after:.0f} s, more than "
                    f"retry_after_max ({most:.0f} s)",
                    "Sync less often, or raise api.retry.retry_after_max in streams.yaml",
                )
            if fault.retry_after > 0:
                return fault.retry_after
        backoff = retry.wait_initial.total_seconds() * 2.0 ** (attempt - 1)
        # Up to a half less, so that connections which failed together do not come back together.
        return min(backoff, retry.wait_max.total_seconds()) * random.uniform(0.5, 1.0)

    def _sleep(self, stream: str, request: Request, seconds: float) -> None:
        self._spend(stream, request, lambda: self._budget.wait(seconds))
        if self._closed.wait(seconds):
            raise self._failure(stream, request, "given up, since the sync ends", "")

    def _spend(self, stream: str, request: Request, spend: Callable[[], None]) -> None:
        try:
            spend()
            return
        except BudgetExhausted as error:
            spent = error
        raise self._failure(
            stream,
            request,
            spent.reason,
            f"The next sync goes on from the last checkpoint; the limit is api.limits.{spent.key} in streams.yaml",
        )

    def _failure(self, stream: str, request: Request, what: str, remedy: str) -> Failure:
        return Failure(self._errors.message(stream, request, self.url(request), what, remedy))

    def _warn_of_repairs(self, stream: str, request: Request, repairs: Mapping[str, int]) -> None:
        """Warn of the first repair of its kind in a stream; the others are counted, and told at the end."""
        for repair, count in repairs.items():
            with self._repairs_lock:
                first = not self._repairs[stream, repair]
                self._repairs[stream, repair] += count
            if first:
                self._warn(f"{stream}: {request}: {count:,} {repair}; more are counted")

    def _warn(self, message: str) -> None:
        self._log.warning(self.redact(message))


def date(text: str | None) -> datetime | None:
    """An HTTP date as an instant; None where there is none that can be read."""
    try:
        instant = parsedate_to_datetime(text) if text else None
        return instant.astimezone(timezone.utc) if instant is not None and instant.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The wait in seconds that Retry-After asks for, given as seconds or as a date (RFC 9110, 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch("[0-9]+", text):
        return float(text[:9])  # more than that many digits are as good as for ever
    until = date(text)
    if until is None:
        return None
    now = date(headers.get("Date")) or datetime.now(timezone.utc)
    return max(0.0, (until - now).total_seconds())
