"""Only the decoding of responses: one page of records, again and again."""

from __future__ import annotations

import importlib

from dev.benchmarks.records import page

PAGE_SIZE = 200
_PAGE = page(0, PAGE_SIZE)


def read(rows: str, by: str = "engine.http.decoding.decode") -> int:
    """Decode a number of rows.

    Args:
        rows: The number.
        by: The dotted name of the function that decodes bytes.
    """
    module, _, name = by.rpartition(".")
    decode = getattr(importlib.import_module(module), name)
    for _ in range(int(rows) // PAGE_SIZE):
        decode(_PAGE)
    return int(rows)
