"""URLs and hosts by what they mean, however they are spelled."""

from __future__ import annotations

import ipaddress
from urllib.parse import unquote, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def plain_url(url: str) -> str | None:
    """The URL with its scheme and host in lowercase, without a dot at the host's end and without the default port.

    None if it is no URL: the port or an address in brackets is wrong.

    >>> plain_url("HTTPS://API.Prefect.Cloud.:443/api/A")
    'https://api.prefect.cloud/api/A'
    >>> plain_url("http://[::1]:4200/api")
    'http://[::1]:4200/api'
    """
    try:
        parts = urlsplit(url)
        host, port, scheme = plain_host(parts.hostname or ""), parts.port, parts.scheme.lower()
    except ValueError:
        return None
    if not host:
        return None
    shown = f"[{host}]" if ":" in host else host
    place = shown if port is None or port == _DEFAULT_PORTS.get(scheme) else f"{shown}:{port}"
    rest = url.partition("://")[2].lstrip("/")
    return f"{scheme}://{place}{rest[len(parts.netloc) :]}"


def plain_host(host: str) -> str:
    """A host in lowercase ASCII, as a client would look it up, without a dot at its end."""
    text = unquote(host).rstrip(".").lower()
    try:
        return text if text.isascii() else text.encode("idna").decode()
    except UnicodeError:
        return text


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, so that no network carries what is sent to it.

    >>> [is_loopback(host) for host in ("LOCALHOST.", "127.8.0.1", "::1", "::ffff:127.0.0.1", "localhost.example.com")]
    [True, True, True, True, False]
    """
    name = plain_host(host)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or bool(mapped and mapped.is_loopback)
