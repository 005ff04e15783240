"""What an answer that is no good means, and what its reader can do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from engine.failures import Failure, NotFound, RequestRejected, Unauthorized
from engine.http.transport import RawResponse, same_but_https
from engine.requests import Request
from engine.spec.load import ResolvedSpec

_WORDS_SHOWN: Final = 500  # characters of a server's own words in an error
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})


class ErrorMapping:
    """Turns answers into failures whose messages name the settings of a connection, and none of its secrets.

    Args:
        connection: Whose settings are named.
        style: The index of the authentication style that is used; None when all are empty.
    """

    def __init__(self, resolved: ResolvedSpec, style: int | None) -> None:
        self._resolved = resolved
        self._api = resolved.spec.api
        self._style = style

    def failure(self, stream: str, request: Request, url: str, response: RawResponse) -> Failure | None:
        """The failure that a status stands for; None when it is a success."""
        status = response.status
        if request.endpoint.goes_up and self._not_the_api(response):
            return NotFound(self.message(stream, request, url, "not the API answers there", ""), url)
        if 200 <= status < 300:
            return None
        said = f"answered {status} {response.reason}".rstrip()

        def message(what: str, remedy: str) -> str:
            return self.message(stream, request, url, what, remedy)

        if status in (404, 405):
            return NotFound(message(said, self.base_url()), url)
        if status in (401, 403):
            return Unauthorized(message(f"{said}: {self._words(response)}", self._key(status)), status)
        if status == 407:
            return Failure(message(f"the proxy {said}", self.remedy("api.proxy")))
        if 300 <= status < 400:
            return Failure(message(*self._redirect(said, url, response.headers)))
        if status in (400, 422):
            keys = ", ".join([*request.query, *(request.body or {})]) or "none"
            what = f"{said}: {self._words(response)}; keys sent: {keys}"
            remedy = (
                f"Compare the stream {stream} in streams.yaml (and {self.named('api.pagination')}) "
                "with what the server accepts"
            )
            return RequestRejected(message(what, remedy))
        return Failure(message(f"{said}: {self._words(response)}", self.base_url()))

    def above_the_server(self, stream: str, request: Request, url: str) -> NotFound:
        """The failure of a request whose path would leave the server."""
        return NotFound(self.message(stream, request, url, "the path goes above the root of the server", ""), url)

    @staticmethod
    def _not_the_api(response: RawResponse) -> bool:
        """Whether somebody else answers, who may be above the base URL: with a web page, or with the way to one."""
        return 300 <= response.status < 400 or (response.status < 300 and response.content_type in _PAGES)

    def not_json(self, response: RawResponse, reason: str) -> tuple[str, ...]:
        """What is said of a successful answer whose body is no JSON."""
        kind = response.content_type or "no content type"
        if kind not in _PAGES:
            return (f"answered {response.status} with a body {reason} ({kind})",)
        headers = self.settings_behind("api.extra_headers")
        way = f", unless it lets requests pass that carry the right headers ({headers})" if headers else ""
        return (
            f"answered {response.status} with a web page ({kind}) and not with JSON: not the API answers, but most "
            f"often the sign-in page of a proxy in front of it{way}, or the pages for people beside it",
        )

    def message(self, stream: str, request: Request, url: str, what: str, remedy: str) -> str:
        """A failure in one line, without secrets."""
        end = f". {remedy}." if remedy else "."
        return self._redact(f"{stream}: {request} at {url}: {what}{end}")

    def named(self, part: str) -> str:
        """The settings behind a part of the document, for a hint: ``api_url in the configuration``."""
        names = self.settings_behind(part)
        return f"{names} in the configuration" if names else f"{part} in streams.yaml"

    def settings_behind(self, part: str) -> str:
        """Their names, or nothing."""
        return " and ".join(self._resolved.settings_behind(part))

    def base_url(self) -> str:
        """A hint at the address, where it is odd; nothing where it is not."""
        warnings = " ".join(self._resolved.settings.warnings)
        return f"Check {self.named('api.base_url')} ({warnings})" if warnings else ""

    def remedy(self, part: str | None) -> str:
        """What to do when there was no answer, and the fault is that of a part of the document."""
        if part == "api.ca_certificate":
            return (
                "Where the certificate is signed by an authority of your own, give that authority's certificate in "
                f"{self.named(part)}; otherwise check that {self.named('api.base_url')} is the server you mean"
            )
        if part == "api.proxy":
            behind = self.settings_behind(part) if self._api.proxy else ""
            return f"Check {behind or 'the environment variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY'}"
        if part == "api.limits":
            return f"ListRequest for fewer rows with one request ({self.named('api.pagination')}), or raise api.limits.body"
        return self.base_url() or f"Check that the server is up and {self.named('api.base_url')} is right"

    def _redirect(self, said: str, url: str, headers: Mapping[str, str]) -> tuple[str, str]:
        location = headers.get("Location", "")
        try:
            target = urlsplit(location)
            shown, upgrade = f"{target.scheme}://{target.netloc}{target.path}", same_but_https(url, location)
        except ValueError:
            shown, upgrade = "an address that is none", False
        what = f"{said}, a redirect to {shown}, which is not followed, so that no key goes to another address"
        if upgrade:
            return what, f"Write https:// in {self.named('api.base_url')}"
        return what, self.base_url() or f"Check {self.named('api.base_url')}: it must be where the API itself answers"

    def _key(self, status: int) -> str:
        if not self._api.authentication:
            return "The server wants authentication; add api.authentication to streams.yaml"
        if self._style is None:
            return f"The server wants a key; set {self.named('api.authentication')}"
        style = self.named(
            f"api.authentication[{self._style}]" if len(self._api.authentication) > 1 else "api.authentication"
        )
        ignored = [
            self.settings_behind(f"api.authentication[{place}]")
            for place, other in enumerate(self._api.authentication)
            if place != self._style and other.headers()
        ]
        unused = f"; {' and '.join(ignored)} is given too, and not used" if ignored else ""
        return f"Check that the key {'is accepted' if status == 401 else 'may read this'}: {style}{unused}"

    def _words(self, response: RawResponse) -> str:
        """What the server itself says about a refusal, shortened."""
        # Secrets go first: the cut could leave half of one.
        words = " ".join(self._redact(response.text).split())
        return words if len(words) <= _WORDS_SHOWN else f"{words[:_WORDS_SHOWN]}..."

    def _redact(self, text: str) -> str:
        return self._resolved.settings.secrets.redact(text)
