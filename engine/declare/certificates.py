"""Certificates in PEM form, read from a string that a form may have squeezed into one line."""

from __future__ import annotations

import re
from typing import Final

CERTIFICATES_PATTERN: Final = (
    r"[\s\S]*-----BEGIN CERTIFICATE-----(?:[A-Za-z0-9+/= \t\r\n]|\\r|\\n)+-----END CERTIFICATE-----[\s\S]*"
)
CERTIFICATES_EXPECTED: Final = "certificates in PEM form: -----BEGIN CERTIFICATE----- ... -----END CERTIFICATE-----"

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----((?:[A-Za-z0-9+/= \t\r\n]|\\r|\\n)+)-----END CERTIFICATE-----")


def certificates(text: str) -> str:
    r"""The certificates of a string in clean PEM form, without the text around them.

    A form field of one line turns the line breaks of a pasted file into spaces, and users type them as ``\n``.
    """
    found = []
    for body in _CERTIFICATE.findall(text):
        digits = re.sub(r"\\r|\\n|\s", "", body)
        lines = [digits[at : at + 64] for at in range(0, len(digits), 64)]
        found.append("\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]))
    return "".join(found)
