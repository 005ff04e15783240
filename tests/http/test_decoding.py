"""Decoding: what is replaced, what is rejected, and that every replacement is counted."""

from __future__ import annotations

import contextlib
import json
import math
import pickle
import traceback
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.http.decoding import NUL_CHARACTERS, UNPAIRED_SURROGATES, UNSTORABLE_NUMBERS, NotJson, decode
from engine.numbers import exactly

LONG = b"9" * 5000


@pytest.mark.parametrize(
    ("content", "document", "repairs"),
    [
        (b"[1]", [1], {}),
        (b"\xef\xbb\xbf[1]", [1], {}),
        ('["é"]'.encode("utf-16"), ["é"], {}),
        ('["é"]'.encode("utf-32-be"), ["é"], {}),
        (b'{"a": 1, "b": 2, "a": 3}', {"a": 3, "b": 2}, {}),
        (b"[" + b"9" * 60 + b"]", [int("9" * 60)], {}),
        (b"[" + LONG + b", NaN, -" + LONG + b", 1]", [None, None, None, 1], {UNSTORABLE_NUMBERS: 3}),
        (b"[NaN, Infinity, -Infinity, 1e999, -1e999, 1e-999]", [None] * 5 + [0.0], {UNSTORABLE_NUMBERS: 5}),
        (rb'["a\u0000b\u0000", "\\u0000"]', ["ab", r"\u0000"], {NUL_CHARACTERS: 1}),
        (
            rb'{"\u0000k": "\ud83d", "\ud83d\ude80": 1}',
            {"k": "\ufffd", "🚀": 1},
            {NUL_CHARACTERS: 1, UNPAIRED_SURROGATES: 1},
        ),
        (b'["\xed\xa0\xbd"]', ["\ufffd"], {UNPAIRED_SURROGATES: 1}),
        (rb'["\ud83d"]'.decode().encode("utf-16"), ["\ufffd"], {UNPAIRED_SURROGATES: 1}),
    ],
)
@pytest.mark.scenario("odd-json")
def test_values_that_no_destination_stores_are_replaced_and_counted(
    content: bytes, document: Any, repairs: dict[str, int]
) -> None:
    """Everything else is decoded exactly. If a key occurs twice, the last one wins."""
    assert decode(content) == (document, repairs)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "that is empty"),
        (b" \r\n", "that is empty"),
        (b"[1", "that is not JSON"),
        (b"<html>", "that is not JSON"),
        (b"[1] [2]", "that is not JSON"),
        (b'["a\x00b"]', "that is not JSON"),
        (b'["' + LONG, "that is not JSON"),
        (LONG + b",", "that is not JSON"),
        (b'["\xff\xfe"]', "that is not text in UTF-8"),
        ('["é"]'.encode("latin-1"), "that is not text in UTF-8"),
        (b"\xff\xfe[\x00]", "that is not text in UTF-8"),
        (b"[" * 100_000, "that is nested too deeply"),
        (b'{"a":' * 100_000, "that is nested too deeply"),
        (rb'["\u0000",' + b"[" * 2000 + b"]" * 2001, "that is nested too deeply"),
    ],
)
@pytest.mark.scenario("bad-json")
def test_bytes_that_are_not_json_are_rejected(content: bytes, reason: str) -> None:
    """With the reason. The printed error never shows the bytes, which may repeat a secret."""
    with pytest.raises(NotJson, match=reason) as caught:
        decode(content)
    printed = "".join(traceback.format_exception(caught.value))
    assert printed.count("Traceback") == 1  # not that of the cause, which holds the bytes


TEXTS = st.text(st.characters(categories=None, codec=None))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
)


def with_typo(value: Any, at: int, typo: bytes) -> bytes:
    content = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    at %= len(content) + 1
    return content[:at] + typo + content[at + 1 :]


@given(
    st.binary()
    | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.builds(
        with_typo,
        VALUES,
        st.integers(0),
        st.binary(max_size=2) | st.sampled_from([b"[", b"]", b",", b":", b'"', b"-", b".", b"0"]),
    ),
)
def test_any_bytes_are_decoded_or_rejected(content: bytes) -> None:
    """There is no third outcome, and nothing is decoded that the standard library rejects."""
    with contextlib.suppress(NotJson):
        decode(content)
        json.loads(content)


@given(VALUES, st.booleans())
def test_a_decoded_document_can_be_stored(value: Any, ascii_only: bool) -> None:
    """No unpaired surrogates, no NUL, no number that JSON does not have, whatever a server sends. The rest stays."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    document, repairs = decode(text.encode("utf-8", "surrogatepass"))
    stored = json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert rb"\u0000" not in stored.replace(rb"\\", b"")
    if not repairs:
        assert repr(document) == repr(json.loads(text))  # compared as strings, since 1 == 1.0 and 0.0 == -0.0


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_numbers_keep_all_their_digits(text: str) -> None:
    """The nearest float is that of the standard library, to the last bit; a number that no float holds is precise."""
    document, repairs = decode(text.encode())
    number = json.loads(text)
    if not math.isfinite(number):
        assert repairs == {UNSTORABLE_NUMBERS: 1}
        return
    assert document == number
    assert exactly(document) == Decimal(text)
    assert pickle.loads(pickle.dumps(document)) == document and str(pickle.loads(pickle.dumps(document))) == str(
        document
    )


def test_repaired_documents_keep_all_digits_too() -> None:
    """Whichever decoder reads them."""
    document, repairs = decode(rb'["\u0000", 12345678901234567.891234]')
    assert exactly(document[1]) == Decimal("12345678901234567.891234") and repairs == {NUL_CHARACTERS: 1}
