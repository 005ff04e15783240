"""Only the decoding of answers: one page of records, as often as it takes."""

from __future__ import annotations

import importlib

from dev.benchmarks.records import page

PAGE_SIZE = 200
_PAGE = page(0, PAGE_SIZE)


def read(rows: str, by: str = "engine.http.decoding.decode") -> int:
    """Decode so many rows.

    Args:
        rows: How many.
        by: The function that takes the bytes, with its module.
    """
    module, _, name = by.rpartition(".")
    decode = getattr(importlib.import_module(module), name)
    for _ in range(int(rows) // PAGE_SIZE):
        decode(_PAGE)
    return int(rows)
