"""Redirects, which are followed only on the same server: credentials must not reach another one."""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin, urlsplit

from engine.http.response import RawResponse

_OF_GET: Final = (301, 302, 307, 308)
_OF_ANY: Final = (307, 308)
"""Those that keep the method and the body of a request."""


def redirect_target(method: str, url: str, response: RawResponse) -> str | None:
    """The URL at which to send a request again; None if the response is no redirect on the same server.

    Args:
        method: The request's method.
        url: Its URL.
        response: What the server returned.
    """
    if response.status not in (_OF_GET if method == "GET" else _OF_ANY):
        return None
    try:
        target = urljoin(url, response.headers.get("Location", ""))
        is_same = urlsplit(target)[:2] == urlsplit(url)[:2]
    except ValueError:  # no URL
        return None
    return target.partition("#")[0] if is_same and target != url else None
