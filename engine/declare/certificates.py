"""Certificates in one text (PEM), as they survive a form whose fields are a single line."""

from __future__ import annotations

import re
from typing import Final

CERTIFICATES_PATTERN: Final = (
    r"[\s\S]*-----BEGIN CERTIFICATE-----(?:[A-Za-z0-9+/= \t\r\n]|\\r|\\n)+-----END CERTIFICATE-----[\s\S]*"
)
CERTIFICATES_EXPECTED: Final = "certificates in PEM form: -----BEGIN CERTIFICATE----- ... -----END CERTIFICATE-----"

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----((?:[A-Za-z0-9+/= \t\r\n]|\\r|\\n)+)-----END CERTIFICATE-----")


def certificates(text: str) -> str:
    r"""The certificates of a text in clean PEM, without what stands between them.

    A field of one line turns the line breaks of a pasted file into spaces, and people write them as ``\n``.
    """
    found = []
    for body in _CERTIFICATE.findall(text):
        digits = re.sub(r"\\r|\\n|\s", "", body)
        lines = [digits[at : at + 64] for at in range(0, len(digits), 64)]
        found.append("\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]))
    return "".join(found)
