"""Errors that a server reports in the body of a successful response."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

_MESSAGES: Final = (
    "message",
    "detail",
    "error_description",
    "description",
    "msg",
    "reason",
    "title",
    "errors",
    "error",
)
_FAILED: Final = ("error", "fail", "failed", "failure")
_SHOWN: Final = 3  # of several errors


class ErrorInBody(Exception):
    """A response of status 2xx holds an error instead of what was requested; the message is the server's."""


def error_in(document: Any, records: Sequence[Any] | None = None) -> str | None:
    """The server's words about an error in a response; None if it reports none.

    Args:
        document: The response.
        records: The list in it, if there is one. An object with a list that is not empty can have a property ``error``
            of its own; ``errors`` beside a list mean that it is not complete.
    """
    if not isinstance(document, Mapping):
        return None
    for name in ("errors",) if records else ("errors", "error"):
        error = document.get(name)
        if error and isinstance(error, (str, list, Mapping)):
            return words_of(error)
    if records:
        return None
    failed = document.get("ok") is False or document.get("success") is False
    if records is None:
        failed = failed or str(document.get("status")).lower() in _FAILED
    return words_of(document) if failed else None


def words_of(error: Any) -> str:
    """What an error says: its message, or all of it."""
    if isinstance(error, str):
        return error
    if isinstance(error, list):
        others = f" (and {len(error) - _SHOWN} more)" if len(error) > _SHOWN else ""
        return "; ".join(map(words_of, error[:_SHOWN])) + others
    if isinstance(error, Mapping):
        for name in _MESSAGES:
            if error.get(name) and isinstance(error[name], (str, list, Mapping)):
                return words_of(error[name])
    return json.dumps(error, ensure_ascii=False, default=str)
