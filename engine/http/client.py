"""Sends requests and decodes answers.

What may pass (no connection, timeouts, 408, 429, 5xx, a body that is not what was declared) is tried again with
exponential backoff and jitter, bounded, and every wait is told. Everything else is a failure at once, by name.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from engine.failures import Failure, NotFound, Refused
from engine.http.decoding import NotJson, decode
from engine.log import Log
from engine.requests import Answer, Request
from engine.spec.load import Connection

USER_AGENT: Final = "prefect-fivetran-connector"
_PASSING: Final = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
_TRANSIENT_STATUS: Final = frozenset({408, 429})
_WORDS_SHOWN: Final = 500  # characters of a server's own words in an error


class Undeclared(ValueError):
    """A body that is not of a declared shape; the message says what was expected and what came."""


class _Transient(Exception):
    """An attempt failed for a reason that may pass. ``retry_after`` is the wait the server asked for, in seconds."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Client:
    """A session with one API.

    Args:
        connection: Base URL, authentication, timeouts and retries.
        log: Where retries are told.
        sleep: Called with seconds to wait; for tests.
    """

    def __init__(self, connection: Connection, log: Log, sleep: Callable[[float], None] = time.sleep) -> None:
        self._connection = connection
        self._api = connection.document.api
        self._log = log
        self._sleep = sleep
        self._timeout = (self._api.timeout.connect.total_seconds(), self._api.timeout.read.total_seconds())
        self._session = requests.Session()
        self._session.headers.update({"Accept": "application/json", "User-Agent": USER_AGENT, **self._api.headers})
        self._session.auth = self._authenticate

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def _authenticate(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the declared headers. That the session has an auth at all keeps requests from using a ~/.netrc entry."""
        if self._api.authentication is not None:
            request.headers.update(self._api.authentication.headers())
        return request

    def ask(self, stream: str, request: Request, expect: Callable[[Any], Any]) -> Answer:
        """Send a request until it is answered as expected, or fails for good.

        Args:
            stream: Named in every message.
            request: What to ask.
            expect: Turns the decoded JSON into the value wanted; raises :class:`Undeclared` when it has another shape.

        Raises:
            NotFound: 404.
            Refused: 422.
            Failure: any other failure that waiting does not mend, or one that lasted through all attempts.
        """
        retry = self._api.retry
        for attempt in range(1, retry.attempts + 1):
            try:
                return self._attempt(stream, request, expect)
            except _Transient as transient:
                if attempt == retry.attempts:
                    raise self._failure(
                        stream, request, f"{transient.reason}, at the last of {attempt} attempts", self._reach_hint()
                    ) from None
                wait = self._wait(stream, request, attempt, transient)
                self._log.warning(
                    f"{stream}: {request}: {transient.reason}; attempt {attempt} of {retry.attempts}, "
                    f"trying again in {wait:.1f} s"
                )
                self._sleep(wait)
        raise AssertionError("a retry has at least one attempt")

    def _wait(self, stream: str, request: Request, attempt: int, transient: _Transient) -> float:
        """Seconds to wait after an attempt: what the server asked for, or exponential backoff with jitter."""
        retry = self._api.retry
        if transient.retry_after is not None:
            if transient.retry_after > retry.retry_after_max.total_seconds():
                raise self._failure(
                    stream,
                    request,
                    f"{transient.reason}; the server asks to wait {transient.retry_after:.0f} s, more than "
                    f"retry_after_max ({retry.retry_after_max.total_seconds():.0f} s)",
                    "Sync less often, or raise api.retry.retry_after_max in streams.yaml",
                )
            if transient.retry_after > 0:
                return transient.retry_after
        backoff = retry.wait_initial.total_seconds() * 2.0 ** (attempt - 1)
        # Up to a half less, so that connections which failed together do not come back together.
        return min(backoff, retry.wait_max.total_seconds()) * random.uniform(0.5, 1.0)

    def _attempt(self, stream: str, request: Request, expect: Callable[[Any], Any]) -> Answer:
        started = time.monotonic()
        try:
            response = self._session.request(
                request.endpoint.method,
                self.url(request),
                params=_query(request.query),
                json=request.body,
                timeout=self._timeout,
                allow_redirects=False,  # a redirect could carry the key to another host
            )
        except _PASSING as error:
            raise _Transient(_root_cause(error)) from None
        except requests.RequestException as error:
            raise self._failure(stream, request, _root_cause(error), self._reach_hint()) from None
        elapsed = timedelta(seconds=time.monotonic() - started)
        self._check_status(stream, request, response)
        try:
            document, repaired = decode(response.content)
            value = expect(document)
        except NotJson:
            kind = response.headers.get("Content-Type", "no content type")
            raise _Transient(f"answered {response.status_code} with a body that is not JSON ({kind})") from None
        except Undeclared as error:
            raise _Transient(f"answered {response.status_code} with {error}") from None
        if repaired:
            self._log.warning(
                f"{stream}: {request}: {repaired} texts held half a character (a lone surrogate); repaired"
            )
        sent = _date(response.headers.get("Date"))
        return Answer(value, sent - elapsed if sent else None)

    def _check_status(self, stream: str, request: Request, response: requests.Response) -> None:
        status = response.status_code
        if 200 <= status < 300:
            return
        said = f"answered {status} {response.reason or ''}".rstrip()
        if status in _TRANSIENT_STATUS or status >= 500:
            raise _Transient(said, _retry_after(response.headers))
        if status == 404:
            failure = self._failure(stream, request, said, self._base_url_hint())
            raise NotFound(str(failure), self.url(request))
        if status in (401, 403):
            raise self._failure(stream, request, f"{said}: {self._words(response)}", self._key_hint(status))
        if 300 <= status < 400:
            target = urlsplit(response.headers.get("Location", ""))
            raise self._failure(
                stream,
                request,
                f"{said}, a redirect to {target.scheme}://{target.netloc}{target.path}, which is not followed",
                self._base_url_hint()
                or f"Check {self._named('api.base_url')}: it must be where the API itself answers",
            )
        if status == 422:
            keys = ", ".join([*request.query, *(request.body or {})]) or "none"
            failure = self._failure(
                stream,
                request,
                f"{said}: {self._words(response)}; keys sent: {keys}",
                f"Compare the stream {stream} in streams.yaml (and {self._named('api.pagination')}) "
                "with what the server accepts",
            )
            raise Refused(str(failure))
        raise self._failure(stream, request, f"{said}: {self._words(response)}", self._base_url_hint())

    def url(self, request: Request) -> str:
        """The address of a request, without its query."""
        return self._api.base_url.rstrip("/") + request.endpoint.path

    def _failure(self, stream: str, request: Request, what: str, remedy: str) -> Failure:
        hint = f". {remedy}." if remedy else "."
        return Failure(self.redact(f"{stream}: {request} at {self.url(request)}: {what}{hint}"))

    def redact(self, text: str) -> str:
        """The text without the secrets of the configuration."""
        for secret in self._connection.settings.secrets:
            text = text.replace(secret, "***")
        return text

    def _words(self, response: requests.Response) -> str:
        """What the server itself says about a refusal, shortened."""
        words = " ".join(response.text.split())
        return words if len(words) <= _WORDS_SHOWN else f"{words[:_WORDS_SHOWN]}..."

    def _named(self, part: str) -> str:
        """The settings behind a part of the document, for a hint: ``api_url in the configuration``."""
        names = self._connection.settings_behind(part)
        return f"{' and '.join(names)} in the configuration" if names else f"{part} in streams.yaml"

    def _key_hint(self, status: int) -> str:
        if self._api.authentication is None:
            return "The server wants authentication; add api.authentication to streams.yaml"
        if not self._api.authentication.headers():
            return f"The server wants a key; set {self._named('api.authentication')}"
        missing = "is accepted" if status == 401 else "may read this"
        return f"Check that the key {missing}: {self._named('api.authentication')}"

    def _base_url_hint(self) -> str:
        advice = " ".join(self._connection.settings.advice)
        return f"Check {self._named('api.base_url')} ({advice})" if advice else ""

    def _reach_hint(self) -> str:
        return self._base_url_hint() or f"Check that the server is up and {self._named('api.base_url')} is right"


def _query(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    """URL parameters as text: JSON's true, not Python's True; a list is repeated; null is left out."""
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                pairs.append((name, str(item).lower() if isinstance(item, bool) else str(item)))
    return pairs


def _root_cause(error: BaseException) -> str:
    """The innermost reason of a requests error, which wraps the one that says something several times."""
    cause: BaseException = error
    for _ in range(8):
        inner = getattr(cause, "reason", None) or cause.__cause__ or cause.__context__
        inner = inner or next((arg for arg in cause.args if isinstance(arg, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        cause = inner
    words = str(cause).split("): ", 1)[-1].strip() or "no reason given"
    return f"no answer ({type(cause).__name__}: {words})"


def _date(text: str | None) -> datetime | None:
    """An HTTP date as an instant; None where there is none that can be read."""
    try:
        instant = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    if instant is None or instant.tzinfo is None:
        return None
    return instant.astimezone(timezone.utc)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The wait in seconds that Retry-After asks for, given as seconds or as a date (RFC 9110, 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    until = _date(text)
    if until is None:
        return None
    now = _date(headers.get("Date")) or datetime.now(timezone.utc)
    return max(0.0, (until - now).total_seconds())
