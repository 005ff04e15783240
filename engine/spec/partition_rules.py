"""The rules about partitions: where they come from, and what tells their rows apart."""

from __future__ import annotations

from typing import Final

from engine.declare.node import INVALID, Node
from engine.pagination import Pagination
from engine.spec.dialect import Spec
from engine.spec.request_rules import variables_of, wrong_variables, wrong_variables_in
from engine.spec.violations import Violation, Violations
from engine.variables import variables_in


def partitions_are_in_one_place(spec: Spec, at: Node) -> Violations:
    """They are the records of a list of the API, or values."""
    node = at.at("api").get("partitions")
    if node is None or node.get("list") is None:
        return
    for name in ("endpoint", "body", "query", "records", "pagination"):
        if node.get(name) is not None:
            yield Violation(node.at(name), 'partitions are those of a "list" or of an endpoint, not both', at_key=True)


def partitions_have_urls_of_their_own(spec: Spec, at: Node) -> Violations:
    """Otherwise all of them would have the same rows."""
    node, partitions = at.at("api").get("partitions"), spec.api.partitions
    if node is None or partitions is None:
        return
    path = partitions.base_url.path
    yield from wrong_variables(node.at("base_url"), path, ("partition",))
    found = [*variables_in(path)]
    if not found:
        yield Violation(node.at("base_url"), "needs a value of the partition, such as $(partition.id)")
    if any(one.keeps_slashes for one in found):
        for name, stream in spec.streams.items():
            if stream is not INVALID and stream.endpoint is not None and stream.endpoint.goes_up:
                message = "where this path leads depends on the slashes in a value of the base_url of partitions"
                yield Violation(at.at("streams", name, "endpoint"), message)


def the_list_of_partitions_can_be_requested(spec: Spec, at: Node) -> Violations:
    """Its request has no variables but those of its pages."""
    node, partitions = at.at("api").get("partitions"), spec.api.partitions
    if node is None or partitions is None or partitions.endpoint is None:
        return
    style: Pagination = partitions.pagination or spec.api.pagination
    yield from wrong_variables_in(node, ("now", *variables_of(style)))
    if partitions.endpoint.method == "GET" and node.get("body") is not None:
        yield Violation(node.at("body"), "a GET request has no body; use query", at_key=True)


PARTITION_RULES: Final = (
    partitions_are_in_one_place,
    partitions_have_urls_of_their_own,
    the_list_of_partitions_can_be_requested,
)
