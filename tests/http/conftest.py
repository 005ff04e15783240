"""What the tests of HTTP share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_public_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server of a test has their certificates, which take OpenSSL longer to read than most of these tests take."""
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
