"""What is sent in place of variables, and what is left out with them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.variables import fill

SINCE = {"field": "updated", "op": "GTE", "value": "$from"}
OPEN = {"field": "state", "op": "IN", "value": ["open"]}


@pytest.mark.parametrize(
    ("body", "values", "sent"),
    [
        ({"filters": [OPEN, SINCE]}, {}, {"filters": [OPEN]}),
        ({"filters": [OPEN, SINCE]}, {"from": 5}, {"filters": [OPEN, {**SINCE, "value": 5}]}),
        ({"groups": [{"op": "AND", "filters": [SINCE]}], "size": "$size"}, {"size": 9}, {"size": 9}),
        ({"where": [["updated", ">=", "$from"], ["id", ">", 0]]}, {}, {"where": [["id", ">", 0]]}),
        ({"where": ["updated >= $(from)", "id > 0"]}, {}, {"where": ["id > 0"]}),
        (
            {"range": [{"field": "made", "gte": "$from", "lt": "$to"}]},
            {"to": 5},
            {"range": [{"field": "made", "lt": 5}]},
        ),
        ({"filters": [{}, None, []]}, {}, {"filters": [{}, None, []]}),
        ({"made": {"unit": "day", "after": "$from"}}, {}, {"made": {"unit": "day"}}),
    ],
    ids=["item", "kept", "group", "list", "string", "one of two", "as written", "no item"],
)
def test_an_item_of_a_list_without_any_value_is_left_out_whole(body: Any, values: Any, sent: Any) -> None:
    """Half of a condition would be rejected, or be another condition. One of two bounds is a condition, too."""
    assert fill(body, values) == sent
