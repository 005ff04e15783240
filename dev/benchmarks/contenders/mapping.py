"""Only the mapping of decoded records to rows of 30 columns, by the engine or by jsonpath-ng alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonpath_ng.parser import parse

from dev.benchmarks.contenders.engine import resolved_spec
from dev.benchmarks.records import COLUMNS, page
from engine.rows.mapping import RowMapping

PAGE_SIZE = 200
_RECORDS = json.loads(page(0, PAGE_SIZE))
_MAPPING = RowMapping(resolved_spec("http://127.0.0.1/api").spec.streams["flow_runs"])
_PATHS = {name: parse(path) for name, (path, _) in COLUMNS.items()}


def read(rows: str, by: str = "engine") -> int:
    """Map a number of rows: by the engine, with types, or by jsonpath-ng's ``find``, without."""
    row = _MAPPING.row if by == "engine" else _found
    for _ in range(int(rows) // PAGE_SIZE):
        for record in _RECORDS:
            row(record)
    return int(rows)


def _found(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: [match.value for match in path.find(record)] for name, path in _PATHS.items()}
