"""Where requests have the variables of their pagination style: where they write them out, or in the usual place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from engine.declare.blocks import key
from engine.declare.values import JsonObject, JsonValue
from engine.requests import Request


@dataclass(frozen=True, kw_only=True)
class Placed:
    """The keys that all pagination styles have."""

    page_size: int | None
    usual: ClassVar[Mapping[str, str]] = {"size": "limit"}
    """For variables that the request does not write out, the parameter that they are sent in."""
    variables: ClassVar[tuple[str, ...]] = ()
    """The variables that have a value in the requests of this style."""

    body: Mapping[str, JsonValue] = key(
        JsonObject(has_variables=True),
        "Keys of the request's body in this style, in place of the stream's.",
        default={},
    )
    query: Mapping[str, JsonValue] = key(
        JsonObject(has_variables=True), "Query parameters in this style, in place of the stream's.", default={}
    )

    def placed(self, request: Request) -> Request:
        """The request with this style's keys, and with the variables that it lacks in their usual place."""
        return self.sized(request.merged(self.body, self.query))

    def sized(self, request: Request) -> Request:
        """The request with the variables that it lacks in their usual place."""
        usual = {parameter: f"${name}" for name, parameter in self.usual.items() if not request.uses(name)}
        if self.page_size is None:
            usual.pop(self.usual.get("size", ""), None)
        return request.with_keys(usual) if usual else request


PAGE_SIZE: Final = (
    "Number of rows per page, `$size`, sent as `limit` unless the request writes it out. A page that is larger than "
    "`api.limits.body` is then requested with fewer rows. If the only page of a list is full and does not name "
    "another, it is requested with one row less, to confirm that the list ends. Without `page_size`, the server "
    "decides, and that cannot be confirmed."
)
"""What the key ``page_size`` means in styles whose responses, not their requests, say where the next page is."""


def halved(size: int | None) -> int | None:
    """Half as many rows; None if there can be no fewer, or if the server decides."""
    return size // 2 if size is not None and size > 1 else None


def parameter_of(name: str, keys: Mapping[str, Any]) -> str | None:
    """The key whose value is a variable; None if there is none."""
    return next((parameter for parameter, value in keys.items() if value == f"${name}"), None)
