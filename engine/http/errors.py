"""Why a request failed, and what the reader of the message can do about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from engine.authentication import is_given
from engine.failures import Failure, NotFound, PastTheEnd, RequestRejected, Unauthorized
from engine.http.decoding import NotJson, decode
from engine.http.response import RawResponse
from engine.log import one_line
from engine.requests import Request
from engine.spec.load import ResolvedSpec

_EXCERPT: Final = 500  # characters of a response body in a message


class RequestError(Exception):
    """A request failed, or was not sent.

    Args:
        reason: What happened.
        part: The part of streams.yaml to look at, such as ``api.proxy``. None if nothing can be done.
        transient: Whether another attempt may succeed.
        retry_after: The wait that the server requested, in seconds.
        throttled: Whether the server wants fewer requests, so that all threads have to wait. Such a request is sent
            again however often.
        failure: What the error becomes if no other attempt is made.
        shape: If the response has another shape than declared: which. The same shape twice in a row is final.
        excerpt: What the response says, for the message if no other attempt is made.
    """

    def __init__(
        self,
        reason: str,
        part: str | None = "api.base_url",
        *,
        transient: bool = False,
        retry_after: float | None = None,
        throttled: bool = False,
        failure: type[Failure] = Failure,
        shape: str = "",
        excerpt: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.part = part
        self.transient = transient
        self.retry_after = retry_after
        self.throttled = throttled
        self.failure = failure
        self.shape = shape
        self.excerpt = excerpt


class ErrorMapping:
    """Turns responses into failures whose messages name the settings of the connection.

    Args:
        resolved: The spec whose settings are named.
        style: The index of the authentication style in use; None if all are empty.
    """

    def __init__(self, resolved: ResolvedSpec, style: int | None) -> None:
        self._resolved = resolved
        self._api = resolved.spec.api
        self._style = style

    def failure(self, stream: str, request: Request, url: str, response: RawResponse) -> Failure | None:
        """The failure that a response stands for; None if its status is a success."""
        status = response.status
        if request.endpoint.goes_up and (300 <= status < 400 or (status < 300 and response.is_web_page)):
            # Above the base URL there may be something else, such as a website or its sign-in.
            return NotFound(self.message(stream, request, url, "the API is not there", ""), url)
        if 200 <= status < 300:
            return None
        message = self.message(stream, request, url, *self._explanation(stream, request, url, response))
        if status in (404, 405):
            return NotFound(message, url, from_api=_is_json(response))
        if status in (401, 403):
            return Unauthorized(message, status)
        return RequestRejected(message) if status in (400, 422) else Failure(message)

    def past_the_end(self, stream: str, request: Request, url: str, response: RawResponse) -> PastTheEnd | None:
        """What a response stands for if its status is declared to say that the list ends before the page."""
        if response.status not in request.past_the_end or response.is_web_page:
            return None
        return PastTheEnd(self.message(stream, request, url, response.returned, ""))

    def above_the_server(self, stream: str, request: Request, url: str) -> NotFound:
        """The failure of a request whose path leads above the root of the server."""
        return NotFound(self.message(stream, request, url, "the path goes above the root of the server", ""), url)

    def transient(self, response: RawResponse, *, endpoint_exists: bool = False) -> RequestError | None:
        """The error of a response that asks to try again later: 408, 429 or 5xx. None for any other.

        If the endpoint is known to exist, a 404 or 405 that the API did not send is one too. The error is not transient
        if the server requests too long a wait.
        """
        if response.status in (404, 405) and endpoint_exists and not _is_json(response):
            return RequestError(f"{response.returned}, not in JSON", "answers", transient=True)
        if response.status < 500 and response.status not in (408, 429):
            return None
        retry_after = response.retry_after
        if response.status == 429 or (response.status == 503 and retry_after is not None):
            return self.throttled(response, retry_after)
        return self._too_long(response, retry_after) or RequestError(
            _with_unread_wait(response), transient=True, retry_after=retry_after
        )

    def throttled(self, response: RawResponse, wait: float | None, *, is_declared: bool = False) -> RequestError:
        """The error of a response that wants fewer requests, and a wait if it says how long.

        ``is_declared``: whether `answers` says so, because the status may not.
        """
        reason = f"{_with_unread_wait(response)}{', a rate limit as answers declares' if is_declared else ''}"
        return self._too_long(response, wait) or RequestError(reason, transient=True, retry_after=wait, throttled=True)

    def _too_long(self, response: RawResponse, wait: float | None) -> RequestError | None:
        """The error of a wait that is longer than a sync may wait; None if it is not."""
        longest = self._api.retry.retry_after_max.total_seconds()
        if wait is None or wait <= longest:
            return None
        return RequestError(
            f"{response.returned}; the server requests a wait of {wait:.0f} s, more than retry_after_max "
            f"({longest:.0f} s)",
            "api.retry.retry_after_max",
        )

    def undecodable(self, response: RawResponse, reason: str) -> RequestError:
        """The error of a successful response whose body cannot be decoded. Transient: a proxy may have stepped in."""
        returned, content_type = f"returned {response.status}", response.content_type or "no content type"
        if not response.is_web_page:
            return RequestError(f"{returned} with a body {reason} ({content_type})", transient=True)
        headers = self.settings_behind("api.extra_headers")
        bypass = f", which lets requests pass that carry the right headers ({headers})" if headers else ""
        return RequestError(
            f"{returned} with a web page ({content_type}) instead of JSON, so this is not the API. Most often it is "
            f"the sign-in page of a proxy{bypass}, or the web UI",
            transient=True,
        )

    def unexpected_shape(self, response: RawResponse, shape: str, document: Any) -> RequestError:
        """The error of a successful response that has another shape than declared."""
        try:
            said = json.dumps(self._resolved.settings.secrets.redacted(document), ensure_ascii=False)
        except (RecursionError, TypeError):  # some hundred levels deep, or bytes
            said = ""
        return RequestError(
            f"returned {response.status} with {shape}", transient=True, shape=shape, excerpt=self.excerpt(said)
        )

    def message(self, stream: str, request: Request, url: str, what: str, remedy: str) -> str:
        """A failure in one line."""
        message = f"{stream}: {request} at {url}: {what}.{f' {remedy}.' if remedy else ''}"
        return one_line(self._resolved.settings.secrets.redact(message))

    def named(self, part: str) -> str:
        """The settings behind a part of the spec, for a remedy: ``api_url in the configuration``."""
        names = self.settings_behind(part)
        return f"{names} in the configuration" if names else f"{part} in streams.yaml"

    def settings_behind(self, part: str) -> str:
        """The names of the settings behind a part of the spec; empty if there are none."""
        return " and ".join(self._resolved.settings_behind(part))

    def remedy(self, part: str | None) -> str:
        """What to do when a part of the spec is the likely cause."""
        if part is None:
            return ""
        if part == "api.ca_certificate":
            return (
                "If the certificate is signed by your own authority, set that authority's certificate in "
                f"{self.named(part)}; otherwise check that {self.named('api.base_url')} is the right server"
            )
        if part == "answers":
            return (
                "If that is how the API says that something is gone, declare it: answers: {status: 404, means: empty}"
            )
        if part == "api.proxy":
            setting = self.settings_behind(part) if self._api.proxy else ""
            return f"Check {setting or 'the environment variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY'}"
        if part == "api.limits.body":
            return f"Request fewer rows at a time ({self.named('api.pagination')}), or raise {part} in streams.yaml"
        if part.startswith("api.limits"):
            return f"The next sync continues from the last checkpoint; the limit is {part} in streams.yaml"
        if part in ("api.retry.retry_after_max", "api.retry.throttled_max"):
            return f"Sync less often, or raise {part} in streams.yaml"
        return self._odd_url() or f"Check that the server is up and {self.named('api.base_url')} is right"

    def _explanation(self, stream: str, request: Request, url: str, response: RawResponse) -> tuple[str, str]:
        """What happened, and the remedy."""
        status, returned = response.status, response.returned
        if status in (404, 405):
            return returned, self._odd_url()
        if status == 407:
            return f"the proxy {returned}", self.remedy("api.proxy")
        if 300 <= status < 400:
            return self._redirect(url, response)
        what = f"{returned}: {self.excerpt(response.text)}"
        if status in (401, 403):
            return what, self.credentials_remedy(status)
        if status in (400, 422):
            keys = ", ".join([*request.query, *(request.body or {}), *request.headers]) or "none"
            return (
                f"{what}; keys sent: {keys}",
                f"Compare the stream {stream} in streams.yaml (and {self.named('api.pagination')}) with what the "
                "server accepts",
            )
        if status == 410:
            declare = "declare it: answers: {status: 410, means: expired}"
            return what, f"If the API no longer knows what has changed since so long ago, {declare}"
        return what, self._odd_url()

    def _odd_url(self) -> str:
        """A hint at the base URL if it has an unusual form; empty if not."""
        warnings = " ".join(self._resolved.settings.warnings)
        return f"Check {self.named('api.base_url')} ({warnings})" if warnings else ""

    def _redirect(self, url: str, response: RawResponse) -> tuple[str, str]:
        location = response.headers.get("Location", "")
        try:
            target = urlsplit(urljoin(url, location))
            shown, upgrade = f"{target.scheme}://{target.netloc}{target.path}", _same_but_https(url, location)
            leaves = target[:2] != urlsplit(url)[:2]
        except ValueError:
            shown, upgrade, leaves = "an invalid URL", False, False
        why = ", to keep the API key on this server" if leaves else ""
        what = f"{response.returned}, a redirect to {shown}; it is not followed{why}"
        if upgrade:
            return what, f"Write https:// in {self.named('api.base_url')}"
        return what, self._odd_url() or f"Check {self.named('api.base_url')}: it must be the URL of the API itself"

    def credentials_remedy(self, status: int) -> str:
        """What to do about a 401 or 403, with the setting that was used and those that were set in vain."""
        styles, in_headers = self._api.authentication, self._keys_in_headers
        if not styles and not in_headers:
            return "The server requires authentication; add api.authentication to streams.yaml"
        if styles and self._style is None:
            return f"The server requires authentication; set {self.named('api.authentication')}"
        part = f"api.authentication[{self._style}]" if len(styles) > 1 else "api.authentication"
        names = dict.fromkeys([*self._resolved.settings_behind(part), *in_headers])
        setting = f"{' and '.join(names)} in the configuration" if names else self.named(part)
        unused = [
            self.settings_behind(f"api.authentication[{index}]")
            for index, style in enumerate(styles)
            if index != self._style and is_given(style)
        ]
        note = f"; {' and '.join(unused)} is set too, and not used" if unused else ""
        is_valid, has = ("are valid", "have") if " and " in setting else ("is valid", "has")
        return f"Check that {setting} {is_valid if status == 401 else f'{has} the required permission'}{note}"

    @property
    def _keys_in_headers(self) -> Sequence[str]:
        """The secret settings in `api.headers`: an API can need a second key beside that of its authentication."""
        declared = self._resolved.spec.configuration
        return [name for name in self._resolved.settings_behind("api.headers") if declared[name].secret]

    def excerpt(self, text: str) -> str:
        """The start of what the server sent. Secrets are removed first: the cut could leave half of one."""
        body = " ".join(self._resolved.settings.secrets.redact(text).split())
        return body if len(body) <= _EXCERPT else f"{body[:_EXCERPT]}..."


def _with_unread_wait(response: RawResponse) -> str:
    unread = response.unread_wait
    if unread is None:
        return response.returned
    return f'{response.returned} with a Retry-After of "{unread[:60]}", which cannot be read'


def _is_json(response: RawResponse) -> bool:
    """Whether a response says that it is JSON, and is."""
    if not response.claims_json:
        return False
    try:
        decode(response.body)
    except NotJson:
        return False
    return True


def _same_but_https(url: str, target: str) -> bool:
    """Whether a redirect leads to the same host, encrypted."""
    here, there = urlsplit(url), urlsplit(target)
    return here.scheme == "http" and there.scheme == "https" and here.hostname == there.hostname
