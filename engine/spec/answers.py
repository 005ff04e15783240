"""What a response means, if its status does not say it: rules by status, text, header and a path in the body."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, get_args

from engine.declare.blocks import key
from engine.declare.types import HEADER, JSON_PATH
from engine.declare.values import Choice, Integer, OneOrMore, Scalar, Text
from engine.jsonpath import JsonPath
from engine.spec.records import fits, values_at

Meaning = Literal["wait", "empty", "skip", "expired", "unauthorized", "failure"]

MEANINGS: Final[Mapping[str, str]] = {
    "wait": "the server throttles requests. The request is sent again until it is accepted, for at most "
    "`throttled_max`",
    "empty": "the list has no records, so rows that it had are gone. Only the first response of a list can say so or, "
    "with `windows`, that of a window",
    "skip": "the list cannot be read. The rows of the stream or, for a child stream, those of this parent stay as they "
    "are, with a warning; a full refresh then deletes nothing",
    "expired": "the server no longer knows what has changed since the last sync. The whole list is read and sent "
    "again, after a truncate if the stream marks deleted rows and no partitions share its table",
    "unauthorized": "the server rejects the credentials, as status 401 does. A token of `oauth2` or `login` is renewed "
    "once; then the sync ends, and the failure names the settings of the credentials",
    "failure": "the stream fails at once, without another attempt",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a response means, if its status does not say it. All conditions of a rule must hold; the first such applies.

    The rules of a stream come before those of the api.
    """

    required_one_of: ClassVar = ("status", "text", "header", "path")

    status: tuple[int, ...] = key(
        OneOrMore(Integer(100, 599)), "Status codes. The response has one of them.", default=()
    )
    text: str | None = key(Text(), "Text that the body contains; case does not matter.", default=None)
    header: str | None = key(
        HEADER, "A header that the response has. With `is` or `not`, its value is compared.", default=None
    )
    path: JsonPath | None = key(
        JSON_PATH,
        "JSONPath of a value in the body. Without `is` and `not`, any value other than null will do.",
        default=None,
    )
    is_: tuple[Any, ...] = key(
        OneOrMore(Scalar()), "What the header or the value must be, as in `where`.", default=(), name="is"
    )
    not_: tuple[Any, ...] = key(
        OneOrMore(Scalar()), "What the header or the value must not be, as in `where`.", default=(), name="not"
    )
    means: Meaning = key(Choice("a meaning", get_args(Meaning), MEANINGS), "What the response means.")
    until: str | None = key(
        HEADER,
        "For `wait`: the header that says when to send the request again, in seconds, as an epoch or as a date. "
        "Without it, `Retry-After` and the usual headers of rate limits say so. A longer wait than `retry_after_max` "
        "ends the sync.",
        default=None,
    )
    words: JsonPath | None = key(
        JSON_PATH,
        "For `failure` and `unauthorized`: JSONPath of the server's message, to repeat in the log. By default, the "
        "whole body.",
        default=None,
    )

    def fits_header(self, headers: Mapping[str, str]) -> bool:
        """Whether the condition on a header holds, if there is one."""
        if self.header is None:
            return True
        found = headers.get(self.header)
        is_, not_ = ([_text(value) for value in values] for values in (self.is_, self.not_))
        return self._fits([found if found is None else found.strip()], is_, not_)

    def fits_body(self, document: Any) -> bool:
        """Whether the condition on a value in the body holds, if there is one."""
        return self.path is None or self._fits(values_at(self.path, document), self.is_, self.not_)

    def _fits(self, found: Sequence[Any], is_: Sequence[Any], not_: Sequence[Any]) -> bool:
        """As in `where`; without anything to compare with, there must be a value."""
        return fits(found, is_, not_ if is_ or not_ else (None,))


def _text(value: Any) -> Any:
    """A value as a header has it."""
    return value if value is None or isinstance(value, str) else json.dumps(value)
