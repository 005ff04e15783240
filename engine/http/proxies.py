"""The proxy for an API: from the setting, or else from the environment. No message of this module repeats a value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies

from requests.utils import should_bypass_proxies

from engine.spec.dialect import Api

# The last @ ends the password, which may contain anything, encoded or not.
_PROXY: Final = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*)://)?(?:(.*)@)?(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(?::([0-9]{1,5}))?(?:/[^@\s]*)?",
    re.DOTALL,
)


class UnusableProxy(Exception):
    """A proxy cannot be used. ``variable``: where in the environment it is set; None if it is the setting's."""

    def __init__(self, reason: str, variable: str | None) -> None:
        super().__init__(reason)
        self.variable = variable


@dataclass(frozen=True)
class Proxy:
    """A proxy's URL with its credentials encoded, and the environment variable that sets it."""

    url: str
    variable: str | None = None


def proxy_of(api: Api) -> Proxy | None:
    """The proxy for requests to an API; None if there is none, or if NO_PROXY exempts the host.

    Raises:
        UnusableProxy: it is not the URL of an HTTP proxy.
    """
    if should_bypass_proxies(api.base_url, no_proxy=None):
        return None
    if api.proxy:
        return Proxy(_encoded(api.proxy, None))
    environment, scheme = getproxies(), urlsplit(api.base_url).scheme.lower()
    for name in (scheme, "all"):
        if environment.get(name):
            variable = f"{name.upper()}_PROXY"
            return Proxy(_encoded(environment[name], variable), variable)
    return None


def _encoded(text: str, variable: str | None) -> str:
    """The URL of a proxy, with whatever its user and password contain percent-encoded."""
    match = _PROXY.fullmatch(text.strip())
    if match is None:
        raise UnusableProxy("expected http://HOST:PORT or http://USER:PASSWORD@HOST:PORT", variable)
    scheme, credentials, host, port = match.groups()
    if (scheme or "http").lower().startswith("socks"):
        raise UnusableProxy("SOCKS proxies are not supported; name an HTTP proxy", variable)
    if (scheme or "http").lower() not in ("http", "https") or int(port or 0) > 65535:
        raise UnusableProxy("expected http://HOST:PORT or http://USER:PASSWORD@HOST:PORT", variable)
    user, _, password = (credentials or "").partition(":")
    login = f"{quote(unquote(user), safe='')}:{quote(unquote(password), safe='')}@" if credentials else ""
    return f"{(scheme or 'http').lower()}://{login}{host}{f':{port}' if port else ''}"
