"""One exchange with a server: a request out, the bytes of an answer back, bounded in time and size.

Connections, TLS and proxies are here and nowhere else. May be used by several threads at once.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import BaseHTTPError as _Urllib3Error  # type: ignore[attr-defined]  # urllib3's own, under it
from requests.utils import should_bypass_proxies

from engine.requests import Request
from engine.spec.dialect import Api

_CHUNK: Final = 64 * 1024  # bytes at most; what has come is taken, so that the bounds are looked at in time
_CONNECTIONS: Final = 32  # kept alive for as many threads
_PASSING: Final = (requests.ConnectionError, requests.Timeout, _Urllib3Error)


@dataclass(frozen=True)
class RawResponse:
    """What came back, whatever its status. ``elapsed`` is in seconds."""

    status: int
    reason: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytearray = field(repr=False)
    elapsed: float

    @property
    def content_type(self) -> str:
        """The media type, without its parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def next_link(self) -> str | None:
        """The target of its Link header's rel="next" (RFC 8288), if it has one."""
        links = requests.utils.parse_header_links(self.headers.get("Link", ""))
        return next((link.get("url") for link in links if "next" in link.get("rel", "").lower().split()), None)

    @property
    def text(self) -> str:
        """The body as text, for a message: what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")


class TransportError(Exception):
    """An exchange that failed.

    ``passing``: it may go well next time. ``dropped``: the server closed a connection that had been idle. ``part``: the
    part of the document to look at, where the fault is not simply that of the server or its address.
    """

    def __init__(self, reason: str, *, passing: bool, dropped: bool = False, part: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passing = passing
        self.dropped = dropped
        self.part = part


class Transport:
    """The connections with one API.

    Args:
        api: Base URL, timeouts, limits, certificates, proxy.
        headers: Sent with every request.

    Raises:
        ssl.SSLError: the certificates of the api are none.
    """

    def __init__(self, api: Api, headers: Mapping[str, str]) -> None:
        self._api = api
        self._timeout = (api.timeout.connect.total_seconds(), api.timeout.read.total_seconds())
        self._session = _Session()
        self._session.headers.update(headers)
        # No cookies: a jar that changes while another thread reads it is an error.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(_trusting(api.ca_certificate))
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._take_over_environment(api)

    def _take_over_environment(self, api: Api) -> None:
        """Look for proxies and certificates in the environment once: requests would at each request.

        It would also take a key that stands in ~/.netrc.
        """
        proxies: dict[str, str] = {}
        if api.proxy and not should_bypass_proxies(api.base_url, no_proxy=None):
            proxies = {"http": api.proxy, "https": api.proxy}
        found = self._session.merge_environment_settings(api.base_url, proxies, None, None, None)
        self._session.trust_env = False
        self._session.proxies, self._session.verify = found["proxies"], found["verify"]

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def url(self, request: Request) -> str | None:
        """The URL of a request, without its query; None if its path goes above the root of the server."""
        path = request.endpoint.path
        if not request.endpoint.goes_up:
            return f"{self._api.base_url.rstrip('/')}/{path.removeprefix('/')}"
        server, *segments = re.split("/+", self._api.base_url.rstrip("/").replace("://", ":", 1))
        if path.split("/").count("..") > len(segments):
            return None
        url = urljoin("/".join([server.replace(":", "://", 1), *segments, ""]), path)
        return url if path.endswith("/") else url.rstrip("/")

    def send(self, request: Request, headers: Mapping[str, str]) -> RawResponse:
        """Send a request and read its answer whole.

        Raises:
            TransportError: there was none, or none within the bounds.
        """
        try:
            return self._exchange(request, headers)
        # Every requests error is an OSError, and so is a CA bundle of the environment that is missing.
        except (OSError, _Urllib3Error) as error:
            fault = self._fault(error)
        raise fault  # here and not above: the error holds the request and with it the key

    def _exchange(self, request: Request, headers: Mapping[str, str]) -> RawResponse:
        started = time.monotonic()
        with self._session.request(
            request.endpoint.method,
            self.url(request) or "",
            params=_query(request.query),
            json=request.body,
            headers=dict(headers),
            timeout=self._timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            elapsed = time.monotonic() - started
            body = self._body(response, started)
        return RawResponse(response.status_code, response.reason or "", response.headers, body, elapsed)

    def _body(self, response: requests.Response, started: float) -> bytearray:
        body, most = bytearray(), self._api.limits.body
        whole = self._api.timeout.total.total_seconds()
        # Not iter_content, which waits for whole chunks: a byte now and then would keep it for ever.
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            body += chunk
            if len(body) > most:
                raise TransportError(
                    f"answered {response.status_code} with more than {_size(most)}", passing=False, part="api.limits"
                )
            if time.monotonic() - started > whole:
                raise TransportError(f"no whole answer within {whole:.0f} s", passing=True)
        return body

    def _fault(self, error: OSError | _Urllib3Error) -> TransportError:
        cause = _innermost(error)
        reason = f"no answer ({type(cause).__name__}: {_words(cause)})"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return TransportError(f"no trusted answer ({_words(cause)})", passing=False, part="api.ca_certificate")
        if isinstance(error, requests.exceptions.ProxyError):
            return TransportError(f"the proxy did not pass it on: {reason}", passing=True, part="api.proxy")
        dropped = isinstance(cause, ConnectionError) and not isinstance(cause, ConnectionRefusedError)
        return TransportError(reason, passing=isinstance(error, _PASSING), dropped=dropped)


class _Session(requests.Session):
    """A session that takes no redirect for one: it could carry the key to another host.

    Even when told not to follow, requests would read a redirect's body whole and fail on a target that is no URL.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Adapter(HTTPAdapter):
    """Connections that trust the authorities of an SSL context, through proxies too."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context: dict[str, Any] = {} if context is None else {"ssl_context": context}
        super().__init__(pool_maxsize=_CONNECTIONS)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **options, **self._context)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, **options, **self._context)


def _trusting(certificates: str) -> ssl.SSLContext | None:
    """A context that trusts these certificates besides the public authorities; None where there are none."""
    if not certificates:
        return None
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=certificates)
    return context


def _query(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    """URL parameters as text: JSON's true, not Python's True; a list is repeated; null is left out."""
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                pairs.append((name, str(item).lower() if isinstance(item, bool) else str(item)))
    return pairs


def _innermost(error: BaseException) -> BaseException:
    """The innermost reason of a requests error, which wraps the one that says something several times."""
    cause = error
    for _ in range(8):
        inner = getattr(cause, "reason", None) or cause.__cause__ or cause.__context__
        inner = inner or next((arg for arg in cause.args if isinstance(arg, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        cause = inner
    return cause


def _words(cause: BaseException) -> str:
    """What an error says, without the object that it names before and the place in C code that it names after."""
    words = str(cause).split("): ", 1)[-1].strip() or "no reason given"
    return re.sub(r" \(_ssl\.c:\d+\)$", "", words)


def _size(count: int) -> str:
    unit = next(u for u in (3, 2, 1) if count % 1024**u == 0 or u == 1)
    return f"{count / 1024**unit:.0f} {' KMG'[unit]}B"


def same_but_https(url: str, target: str) -> bool:
    """Whether a redirect leads to the same address, encrypted."""
    here, there = urlsplit(url), urlsplit(target)
    return here.scheme == "http" and there.scheme == "https" and here.hostname == there.hostname
