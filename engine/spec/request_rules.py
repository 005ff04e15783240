"""The rules about requests that streams.yaml writes out: where variables have values, and where they are needed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from engine.declare.node import Node
from engine.declare.types import Endpoint
from engine.pagination import Pagination
from engine.pagination.keyset import Keyset
from engine.pagination.token import Token
from engine.spec.dialect import Spec, Stream
from engine.spec.violations import Violation, Violations
from engine.variables import RECORDS, VARIABLES, VariableError, strings_in, variables_in

_PLACES: Final = {
    "parent": "path, query or body",
    "keys": "query or body, or $(key) in the path of its endpoint",
}
"""Where a request has the variable that it needs, if not only in its query or body."""


_BRACED: Final = re.compile(rf"\{{\{{\s*({'|'.join(VARIABLES)})\b|\A\{{({'|'.join(VARIABLES)})\}}\Z")
"""How other tools write variables: ``{{ since }}``, ``{since}``. GraphQL has single braces, around names, too."""


class _Written(NamedTuple):
    """A body and a query as the file writes them out, under the keys ``body`` and ``query`` of a node.

    ``endpoint``: where they are sent. ``known``: the variables that have a value there. ``needed``: the one without
    which the request would be for the wrong rows.
    """

    node: Node
    endpoint: Endpoint
    known: tuple[str, ...]
    needed: str | None = None
    why: str = ""
    styles: tuple[tuple[Pagination, Node | None], ...] = ()


def _written(spec: Spec, stream: Stream, at: Node) -> Iterator[_Written]:
    """The requests of a stream that have a body or a query of their own."""
    if stream.endpoint is None:
        return
    known = (
        *(("parent",) if stream.parent is not None else ()),
        *(("from",) if stream.start is not None else ()),
        *(("to",) if stream.windows is not None else ()),
        "now",
    )
    yield _Written(
        at,
        stream.endpoint,
        known,
        *_parent_needed(stream),
        _styles(stream.pagination or (spec.api.pagination,), at.get("pagination")),
    )
    if stream.count is not None:
        by_keyset = any(isinstance(style, Keyset) for style in stream.pagination or (spec.api.pagination,))
        is_timed = stream.windows is not None or by_keyset
        yield _Written(at.at("count"), stream.count.endpoint, ("from", "to") if is_timed else ())
    incremental, block = stream.incremental, at.get("incremental")
    if incremental is None or block is None:
        return
    usual = ((spec.api.pagination, None),)
    changes = ("since", "from", "now", *(("to",) if stream.windows is not None else ()))
    for number, query in enumerate(incremental.changes):
        place = block.at("changes", number)
        for alternative, fallback in enumerate((query, *query.fallback)):
            own = place.at("fallback", alternative - 1) if alternative else place
            styles = _styles((fallback.pagination,), own.get("pagination")) if fallback.pagination else usual
            parent = ("parent",) if stream.parent is not None else ()
            yield _Written(own, fallback.endpoint or stream.endpoint, (*changes, *parent), styles=styles)
    if incremental.open is not None:
        yield _Written(block.at("open"), stream.endpoint, ("open",), "open", "all rows", usual)
    if (lookup := incremental.lookup) is not None:
        endpoint = lookup.endpoint or stream.endpoint
        in_path = names(endpoint.path, "key")
        key = "key" if in_path or any(names(one, "key") for one in strings_in([lookup.body, lookup.query])) else "keys"
        yield _Written(block.at("lookup"), endpoint, (key,), key, "all rows", () if in_path else usual)
    if incremental.related is not None:
        yield _Written(block.at("related"), stream.endpoint, ("related",), "related", "all rows", usual)
    if (feed := incremental.change_feed) is not None:
        place = block.at("change_feed")
        styles = _styles((feed.pagination,), place.get("pagination"))
        yield _Written(place, feed.endpoint, ("since", "from", "now"), styles=styles)


def _parent_needed(stream: Stream) -> tuple[str | None, str]:
    return ("parent", "the same rows for every parent") if stream.parent is not None else (None, "")


def _styles(styles: tuple[Pagination, ...], node: Node | None) -> tuple[tuple[Pagination, Node | None], ...]:
    """Pagination styles with their nodes; None for those that the api declares."""
    if node is None:
        return tuple((style, None) for style in styles)
    nodes = list(node.items()) if node.type == "list" else [node]
    return tuple(zip(styles, nodes, strict=True)) if len(nodes) == len(styles) else ()


def variables_of(style: Pagination) -> tuple[str, ...]:
    """The variables that have a value in the requests of a style."""
    tied = style.tie_pagination.variables if isinstance(style, Keyset) else ()
    return (*style.variables, *tied)


def _templates(spec: Spec, stream: Stream, at: Node) -> Iterator[tuple[Node, _Written, tuple[str, ...]]]:
    """The nodes that have a body or a query, the request of each, and the variables that have a value in it."""
    for written in _written(spec, stream, at):
        paging = tuple(name for style, _ in written.styles for name in variables_of(style))
        yield written.node, written, (*written.known, *paging)
        for style, node in written.styles:
            known = (*written.known, *variables_of(style))
            if node is not None and node.type == "mapping":
                yield node, written, known
                tie_breaker = node.get("tie_breaker")
                if tie_breaker is not None and tie_breaker.type == "mapping":
                    yield tie_breaker, written, known


def get_has_no_body(spec: Spec, name: str, at: Node) -> Violations:
    """A GET request carries its values in the query; many servers ignore a body."""
    for node, written, _ in _templates(spec, spec.streams[name], at):
        if written.endpoint.method == "GET" and node.get("body") is not None and not _is_empty(node.at("body")):
            yield Violation(node.at("body"), "a GET request has no body; use query", at_key=True)


def _is_empty(node: Node) -> bool:
    return node.type == "mapping" and not node.entries


def queries_are_flat(spec: Spec, name: str, at: Node) -> Violations:
    """A URL has strings, numbers, booleans and lists of them, and no agreed form for anything nested."""
    for node, _, _ in _templates(spec, spec.streams[name], at):
        query = node.get("query")
        for _, value in query.entries if query is not None and query.type == "mapping" else ():
            for item in value.items() if value.type == "list" else [value]:
                if item.type in ("mapping", "list"):
                    yield Violation(item, f"a query parameter cannot be {item.describe()}: a URL has no nested values")


def variables_stand_for_values(spec: Spec, name: str, at: Node) -> Violations:
    """A variable without a value would be left out of every request."""
    stream = spec.streams[name]
    counts = stream.cursor_field in stream.fields and not stream.has_instants
    if stream.endpoint is not None:
        yield from wrong_variables(at.at("endpoint"), stream.endpoint.path, ("parent",) if stream.parent else ())
    for written in _written(spec, stream, at):
        if written.endpoint is not stream.endpoint:
            known = ("key",) if "keys" in written.known else written.known  # a path takes one value
            yield from wrong_variables(written.node.at("endpoint"), written.endpoint.path, known)
    for node, _, known in _templates(spec, stream, at):
        yield from wrong_variables_in(node, known, counts=counts)


def pages_of_the_api_have_values(spec: Spec, at: Node) -> Violations:
    """What the api's pagination writes out is part of the requests of many streams."""
    node = at.at("api").get("pagination")
    if node is not None and node.type == "mapping":
        yield from wrong_variables_in(node, variables_of(spec.api.pagination))
        tie_breaker = node.get("tie_breaker")
        if tie_breaker is not None and tie_breaker.type == "mapping":
            yield from wrong_variables_in(tie_breaker, variables_of(spec.api.pagination))


def pages_of_the_api_are_sent(spec: Spec, at: Node) -> Violations:
    """A GET request has no body, and if there are only those, the pages would never be sent."""
    endpoints = [stream.endpoint for stream in spec.streams.values() if not stream.pagination and stream.endpoint]
    if spec.api.pagination.body and endpoints and all(endpoint.method == "GET" for endpoint in endpoints):
        message = "no stream that is read in these pages sends a body; use query"
        yield Violation(at.at("api", "pagination", "body"), message, at_key=True)


def wrong_variables_in(node: Node, known: Collection[str], *, counts: bool = False) -> Violations:
    """What is wrong with the variables in the body, the query and, if it is one of changes, the headers of a block."""
    for key in ("body", "query", *(("headers",) if "since" in known else ())):
        place = node.get(key)
        for text in _strings(place) if place is not None else ():
            yield from wrong_variables(text, text.yaml.value, known, counts=counts)


def wrong_variables(node: Node, text: str, known: Collection[str], *, counts: bool = False) -> Violations:
    """What is wrong with the variables in a string. ``counts``: whether ``$since`` is no instant."""
    try:
        found = [*variables_in(text)]
    except VariableError as error:
        what = f"; {_hint('', known)}; $$ is a $ that stands for itself" if error.unknown else ""
        yield Violation(node, f"{error}{what}")
        return
    braced = _BRACED.search(text)
    if braced is not None:
        yield Violation(node, f"a variable is written ${braced[1] or braced[2]}, without {{ }}")
    for variable in found:
        if variable.name not in known:
            yield Violation(node, f"${variable.name} stands for no value here; {_hint(variable.name, known)}")
        is_number = counts and variable.name == "since"
        if variable.earlier and isinstance(variable.earlier, int) != is_number:
            expected = "a number, such as 100" if is_number else "a duration, such as 30s, 5m, 24h or 7d"
            yield Violation(node, f"expected {expected}, after ${variable.name}-")


def _hint(name: str, known: Collection[str]) -> str:
    key = {"parent": "parent", "from": "from", "to": "windows"}.get(name)
    if key is not None:
        return f'the stream needs the key "{key}"'
    names_known = ", ".join(f"${one}" for one in dict.fromkeys(known))
    hint = f"known here: {names_known}" if names_known else "no variable is known here"
    return f"{hint}; queries of changes have $since" if name == "since" else hint


def requests_name_their_rows(spec: Spec, name: str, at: Node) -> Violations:
    """Without its variable, a request would be for other rows than those that are wanted."""
    for written in _written(spec, spec.streams[name], at):
        if written.needed is None:
            continue
        places = [written.node, *(node for _, node in written.styles if node is not None and node.type == "mapping")]
        nodes = [node.get(key) for node in places for key in ("body", "query")]
        strings = [text.yaml.value for node in nodes if node is not None for text in _strings(node)]
        strings += [written.endpoint.path]
        if not any(names(text, written.needed) for text in strings):
            where = _PLACES.get(written.needed, "query or body")
            path = ".id" if written.needed in RECORDS else ""
            message = f"needs ${written.needed}{path} in its {where}: without, it would return {written.why}"
            yield Violation(written.node, message, at_key=True)


def windows_have_bounds(spec: Spec, name: str, at: Node) -> Violations:
    """A window is requested by its bounds, and the first one needs a beginning."""
    stream = spec.streams[name]
    if stream.windows is None:
        return
    if at.get("from") is None:
        yield Violation(
            at.at("windows"), 'needs the key "from" of the stream: where the first window begins', at_key=True
        )
    styles = stream.pagination or (spec.api.pagination,)
    strings = [
        *strings_in([stream.body, stream.query, *(part for style in styles for part in (style.body, style.query))])
    ]
    for bound in ("from", "to"):
        if not any(names(string, bound) for string in strings):
            message = f"a window needs ${bound} in the request, for example query: {{start: $from, end: $to}}"
            yield Violation(at.at("windows"), message, at_key=True)
    if any(isinstance(style, Keyset) for style in styles):
        yield Violation(at.at("windows"), "style keyset reads by time already; it needs no windows", at_key=True)


def pages_have_a_place(spec: Spec, name: str, at: Node) -> Violations:
    """A page can be requested only if its token, or its bounds, are in the request."""
    for written in _written(spec, spec.streams[name], at):
        for style, node in written.styles:
            needed = "token" if isinstance(style, Token) else "from" if isinstance(style, Keyset) else None
            if needed is None:
                continue
            own = [style.body, style.query]
            if isinstance(style, Token) and style.endpoint is not None:
                has_place = any(names(text, needed) for text in strings_in(own))
            else:
                nodes = [written.node.get(key) for key in ("body", "query")]
                strings = [text.yaml.value for one in nodes if one is not None for text in _strings(one)]
                has_place = any(names(text, needed) for text in [*strings, *strings_in(own)])
            if not has_place:
                message = f"a request of this pagination needs ${needed}, for example query: {{{_example(needed)}}}"
                yield Violation(node if node is not None else written.node, message, at_key=True)


def _example(name: str) -> str:
    return "cursor: $token" if name == "token" else "created_after: $from, created_before: $to"


def names(text: str, variable: str) -> bool:
    """Whether a string has a variable in it, also if it is written wrong."""
    try:
        return any(one.name == variable for one in variables_in(text))
    except VariableError:
        return re.search(rf"\$\(?\+?{variable}\b", text) is not None


def _strings(node: Node) -> Iterator[Node]:
    """The strings in a node and below it."""
    if node.type == "mapping":
        for _, value in node.entries:
            yield from _strings(value)
    elif node.type == "list":
        for item in node.items():
            yield from _strings(item)
    elif node.type == "str":
        yield node


API_RULES: Final = (pages_of_the_api_have_values, pages_of_the_api_are_sent)
REQUEST_RULES: Final = (
    get_has_no_body,
    queries_are_flat,
    variables_stand_for_values,
    requests_name_their_rows,
    pages_have_a_place,
    windows_have_bounds,
)
