"""One exchange with a server: a request out, a response back, bounded in time and size.

Connections, TLS and proxies are handled here and nowhere else. Several threads may use a transport at once.
"""

from __future__ import annotations

import os
import re
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import ConnectTimeoutError as _NotConnected  # urllib3's own, under it
from requests.adapters import HTTPAdapter
from requests.exceptions import BaseHTTPError as _Urllib3Error  # type: ignore[attr-defined]  # urllib3's own, under it
from requests.utils import get_auth_from_url

from engine.authentication.credentials import Credentials
from engine.failures import Failure, ResponseTooLarge, ServerDown
from engine.http.errors import RequestError
from engine.http.proxies import Proxy, proxy_of
from engine.http.redirects import redirect_target
from engine.http.response import RawResponse
from engine.requests import Request, url_below
from engine.spec.dialect import Api

_CHUNK: Final = 64 * 1024  # bytes at most; what has arrived is read at once, so that the bounds are checked in time
_SMALL_CHUNK: Final = 1024
_REDIRECTS: Final = 5  # requests for one response, at most
_CONNECTIONS: Final = 32  # kept alive, for as many threads
_TRANSIENT: Final = (requests.ConnectionError, requests.Timeout, _Urllib3Error)


class TransportError(RequestError):
    """There was no response, or none within the bounds. ``dropped``: the server closed the connection."""

    def __init__(
        self,
        reason: str,
        part: str | None = "api.base_url",
        *,
        transient: bool,
        dropped: bool = False,
        failure: type[Failure] = Failure,
    ) -> None:
        super().__init__(reason, part, transient=transient, failure=failure)
        self.dropped = dropped


class Transport:
    """The connections with one API.

    Args:
        api: Base URL, timeouts, limits, certificates, proxy.
        headers: Sent with every request.
        spend_request: Called before a request that follows a redirect.

    Raises:
        ssl.SSLError: ``ca_certificate`` is not a certificate.
        UnusableProxy: the proxy of the API or of the environment cannot be used.
    """

    def __init__(self, api: Api, headers: Mapping[str, str], spend_request: Callable[[], None]) -> None:
        self._api = api
        self._spend_request = spend_request
        self._timeout = (api.timeout.connect.total_seconds(), api.timeout.read.total_seconds())
        self._session = _Session()
        self._session.headers.update(headers)
        # No cookies: a jar that changes while another thread reads it raises an error.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(_ssl_context(api.ca_certificate))
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._read_environment(proxy_of(api))

    def _read_environment(self, proxy: Proxy | None) -> None:
        """Read certificates from the environment once; requests would do so for each request.

        It would also send a key found in ~/.netrc.
        """
        self._session.trust_env = False
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self._session.proxies = {"http": proxy.url, "https": proxy.url} if proxy else {}

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def url(self, request: Request) -> str | None:
        """The URL of a request, without its query; None if its path goes above the root of the server."""
        return url_below(request.base_url or self._api.base_url, request.address)

    def send(self, request: Request, credentials: Credentials, *, is_form: bool = False) -> RawResponse:
        """Send a request with credentials and read the whole response.

        Args:
            request: The request. Its body is sent as JSON or, with ``is_form``, as a form.
            credentials: What is added to it.
            is_form: Whether the body is sent as a form.

        Raises:
            TransportError: there was no response, or none within the bounds.
            RequestError: a redirect leads to one request too many.
        """
        try:
            return self._exchange(request, credentials, is_form)
        # Every exception of requests is an OSError, and so is a CA bundle of the environment that is missing.
        except (OSError, _Urllib3Error) as error:
            raise _transport_error(error) from error

    def _exchange(self, request: Request, credentials: Credentials, is_form: bool) -> RawResponse:
        """Send a request, and again where a redirect says, if that is on the same server."""
        url, query = self.url(request) or "", _query({**request.query, **credentials.query})
        for redirects in range(_REDIRECTS):
            if redirects:
                self._spend_request()
            response = self._exchange_at(url, query, request, credentials, is_form)
            target = redirect_target(request.endpoint.method, url, response)
            if target is None:
                return response
            given = {name for name, _ in parse_qsl(urlsplit(target).query, keep_blank_values=True)}
            url, query = target, [(name, value) for name, value in query if name not in given]
        return response

    def _exchange_at(
        self, url: str, query: Sequence[tuple[str, str]], request: Request, credentials: Credentials, is_form: bool
    ) -> RawResponse:
        started = time.monotonic()
        with self._session.request(
            request.endpoint.method,
            url,
            params=query,
            data=request.body if is_form else None,
            json=None if is_form else request.body,
            headers=dict(credentials.headers),
            timeout=self._timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            received = time.monotonic()
            body = self._body(response, started)
        return RawResponse(response.status_code, response.reason or "", response.headers, body, started, received)

    def _body(self, response: requests.Response, started: float) -> bytearray:
        body, most = bytearray(), self._api.limits.body
        seconds = self._api.timeout.total.total_seconds()
        for chunk in _chunks(response.raw):
            body += chunk
            if len(body) > most:
                reason = f"returned {response.status_code} with more than {_size(most)}"
                raise TransportError(reason, "api.limits.body", transient=False, failure=ResponseTooLarge)
            if time.monotonic() - started > seconds:
                raise TransportError(f"no complete response within {seconds:.0f} s", transient=True)
        return body


def _chunks(raw: Any) -> Iterator[bytes]:
    """The body of a response, piece by piece.

    Not iter_content, which waits for whole chunks: a byte now and then would keep it waiting forever. Before version
    2.2, urllib3 can do no better than wait for small ones.
    """
    if not hasattr(raw, "read1"):
        yield from raw.stream(_SMALL_CHUNK, decode_content=True)
        return
    while chunk := raw.read1(_CHUNK, decode_content=True):
        yield chunk


class _Session(requests.Session):
    """A session that follows no redirect: one could carry the API key to another host.

    Even with ``allow_redirects=False``, requests reads the whole body of a redirect and fails if its target is invalid.
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

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """The proxy's credentials in UTF-8 (RFC 7617): requests fails if they have no Latin-1 form."""
        user, password = get_auth_from_url(proxy)
        if not user:
            return {}
        return {"Proxy-Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def _ssl_context(certificates: str) -> ssl.SSLContext | None:
    """A context that trusts these certificates and the public authorities; None if there are none to add."""
    if not certificates:
        return None
    context = ssl.create_default_context()
    # Set since Python 3.13, and met by few authorities of one's own: `openssl req -x509` writes no key usage.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=certificates)
    return context


def _query(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    """URL parameters as strings: JSON's true, not Python's True. A list is repeated; null is left out."""
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                pairs.append((name, str(item).lower() if isinstance(item, bool) else str(item)))
    return pairs


def _transport_error(error: OSError | _Urllib3Error) -> TransportError:
    cause = _innermost(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = f"the server's certificate is not trusted ({_description(cause)})"
        return TransportError(reason, "api.ca_certificate", transient=False, failure=ServerDown)
    reason = f"no response ({type(cause).__name__}: {_description(cause)})"
    if isinstance(error, requests.exceptions.ProxyError):
        reason = f"the proxy did not forward the request: {reason}"
        return TransportError(reason, "api.proxy", transient=True, failure=ServerDown)
    dropped = isinstance(cause, ConnectionError) and not isinstance(cause, ConnectionRefusedError)
    failure = ServerDown if _is_unreachable(error) else Failure
    return TransportError(reason, transient=isinstance(error, _TRANSIENT), dropped=dropped, failure=failure)


def _is_unreachable(error: BaseException) -> bool:
    """Whether an exception means that there was no connection, rather than no response.

    urllib3 has one class, with subclasses, for unresolved names, refused connections and timeouts of both.
    """
    cause = _innermost(error)
    no_tls = isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError)
    return no_tls or any(isinstance(one, _NotConnected) for one in _causes(error))


def _innermost(error: BaseException) -> BaseException:
    """The innermost cause of an exception of requests, which wraps the meaningful one several times."""
    return _causes(error)[-1]


def _causes(error: BaseException) -> list[BaseException]:
    """An exception of requests and its causes, from the outermost to the innermost."""
    causes = [error]
    for _ in range(8):
        cause = causes[-1]
        inner = getattr(cause, "reason", None) or cause.__cause__ or cause.__context__
        inner = inner or next((arg for arg in cause.args if isinstance(arg, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        causes.append(inner)
    return causes


def _description(cause: BaseException) -> str:
    """The message of an exception, without the object named before it and the place in C code named after it."""
    message = str(cause).split("): ", 1)[-1].strip() or "no reason given"
    return re.sub(r" \(_ssl\.c:\d+\)$", "", message)


def _size(count: int) -> str:
    unit = next(u for u in (3, 2, 1) if count % 1024**u == 0 or u == 1)
    return f"{count / 1024**unit:.0f} {' KMG'[unit]}B"
