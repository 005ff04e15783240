"""An OpenAPI document, and the operation behind an endpoint of streams.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from engine.declare.problems import nearest
from engine.declare.types import Endpoint
from tools.openapi.shape import Json, Shape, resolved

PATH_PARAMETER: Final = re.compile(r"\{([^{}]*)\}")
"""A parameter in a path of a document."""

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


class NotOpenApi(ValueError):
    """A value is not an OpenAPI document of version 3; the message says what it is."""


@dataclass(frozen=True)
class Operation:
    """A method and a path that the API offers.

    Attributes:
        endpoint: The endpoint as streams.yaml writes it, below the base URL.
        description: The document's description, on one line.
        query: The query parameters by name, and whether each is required.
        body: The shape of the body; None if the operation has no JSON body.
        body_required: Whether a request must have a body.
        response: The shape of a successful response; None if the document does not describe it.
    """

    endpoint: Endpoint
    description: str
    query: Mapping[str, tuple[Shape, bool]]
    body: Shape | None
    body_required: bool
    response: Shape | None

    def takes(self, names: Sequence[str]) -> bool:
        """Whether a request can send values of these names: in its body, or in its query if it is a GET."""
        if self.endpoint.method == "GET":
            return all(name in self.query for name in names)
        return self.body is not None and all(name in self.body.properties for name in names)

    def value(self, name: str) -> Shape | None:
        """The shape of a value of the request by its name in the body, or in the query if it is a GET."""
        if self.endpoint.method == "GET":
            return self.query[name][0] if name in self.query else None
        return self.body.properties.get(name) if self.body else None


@dataclass(frozen=True)
class NoOperation:
    """The document has no such operation.

    Attributes:
        methods: The methods that the path has.
        near: A similar path.
        outside: Whether the path is above the base URL, and so need not be in the document.
    """

    methods: tuple[str, ...]
    near: str | None
    outside: bool = False


class OpenApi:
    """An OpenAPI document.

    Args:
        document: The decoded JSON.
        base_url: The URL that endpoint paths are appended to. The document may have paths from the root of the server.

    Raises:
        NotOpenApi: the JSON is something else.
    """

    def __init__(self, document: Any, base_url: str) -> None:
        if not isinstance(document, Mapping):
            raise NotOpenApi(f"expected an OpenAPI document, found a {type(document).__name__}")
        version = document.get("openapi", document.get("swagger"))
        if not isinstance(version, str) or not version.startswith("3.") or not isinstance(document.get("paths"), dict):
            keys = f"an object with the keys {', '.join(map(str, document)) or '(none)'}"
            found = keys if version is None else f"version {version}"
            raise NotOpenApi(f"expected an OpenAPI document of version 3, found {found}")
        self._root: Json = document
        info = resolved(document, document.get("info"))
        self.title = f"{info.get('title', 'an API')}, version {info.get('version', 'unknown')}"
        self._base = _segments(urlsplit(base_url).path)
        self._from_root = bool(self._base) and any(_begins(path, self._base) for path in document["paths"])
        # One segment proves little: /v2/limits may be below a base URL that ends in /v2 by chance.
        self._shortest = 1 if all(_begins(path, self._base[-1:]) for path in document["paths"]) else 2
        self._paths: dict[str, Json] = {
            self._below_base(path): resolved(document, item) for path, item in document["paths"].items()
        }
        self._below = self._paths.keys() - document["paths"].keys()

    def _below_base(self, path: str) -> str:
        """A path of the document, relative to the base URL.

        The document's paths may begin with the base URL's own path, with the end of it, or with neither.
        """
        for length in range(len(self._base), self._shortest - 1, -1):
            if _begins(path, self._base[-length:]):
                return "/" + "/".join(path.split("/")[length + 1 :])
        return path

    @property
    def operations(self) -> Iterator[Operation]:
        """The GET and POST operations, in the document's order."""
        for path, item in self._paths.items():
            for method in ("GET", "POST"):
                if method.lower() in item:
                    yield self._operation(Endpoint(method, path), item, resolved(self._root, item[method.lower()]))

    def find(self, endpoint: Endpoint) -> Operation | NoOperation:
        """The operation of an endpoint of streams.yaml. Names of path parameters may differ."""
        known = self.known_path(endpoint)
        if known is None and endpoint.goes_up:
            return NoOperation((), None, outside=True)
        if known is None:
            return NoOperation((), nearest(endpoint.path, self._paths))
        item = self._paths[known]
        if endpoint.method.lower() not in item:
            return NoOperation(tuple(m for m in _METHODS if m.lower() in item), None)
        return self._operation(endpoint, item, resolved(self._root, item[endpoint.method.lower()]))

    def known_path(self, endpoint: Endpoint) -> str | None:
        """The document's path for an endpoint: the same, or one with a parameter in place of a value.

        A path above the base URL is found only if the document's paths begin at the root of the server.
        """
        wanted, known = endpoint.path, dict(zip(self._paths, self._paths, strict=True))
        if endpoint.goes_up:
            wanted, known = self._from_server_root(endpoint), self._named_from_root()
        if wanted in known:
            return known[wanted]
        segments_wanted = [_nameless(segment) for segment in wanted.split("/")]
        loose = None
        for rest, path in known.items():
            segments = [_nameless(segment) for segment in rest.split("/")]
            if segments == segments_wanted:
                return path
            alike = len(segments) == len(segments_wanted) and all(
                theirs == ours or (theirs == "{}" and ours)
                for theirs, ours in zip(segments, segments_wanted, strict=True)
            )
            if loose is None and alike and endpoint.method.lower() in self._paths[path]:
                loose = path
        return loose

    def _from_server_root(self, endpoint: Endpoint) -> str:
        """The path on the server of an endpoint above the base URL; empty if it goes above the root."""
        segments = endpoint.path.split("/")
        left = len(self._base) - segments.count("..")
        return "/".join(["", *self._base[:left], *segments[segments.count("..") :]]) if left >= 0 else ""

    def _named_from_root(self) -> dict[str, str]:
        """The document's paths that begin at the root of the server, keyed by the path with the base URL's values."""
        if not self._from_root:
            return {}
        named = (path for path in self._paths if path not in self._below)
        return {"/".join(["", *self._filled(path)]): path for path in named}

    def _filled(self, path: str) -> list[str]:
        """The segments of a path, with the base URL's values in place of parameters."""
        own = _segments(path)
        shared = next((n for n in range(len(self._base), -1, -1) if _begins(path, self._base[:n])), 0)
        return [*self._base[:shared], *own[shared:]]

    def _operation(self, endpoint: Endpoint, item: Json, operation: Json) -> Operation:
        root = self._root
        query: dict[str, tuple[Shape, bool]] = {}
        for raw in [*item.get("parameters", ()), *operation.get("parameters", ())]:
            parameter = resolved(root, raw)
            if parameter.get("in") == "query":
                shape = Shape.of(root, parameter.get("schema", {}))
                query[str(parameter.get("name"))] = (shape, bool(parameter.get("required")))
        body = resolved(root, operation.get("requestBody"))
        schema = _json_content(root, body)
        words = operation.get("description") or operation.get("summary") or ""
        return Operation(
            endpoint,
            " ".join(str(words).split()),
            query,
            None if schema is None else Shape.of(root, schema),
            bool(body.get("required")),
            self._response(operation),
        )

    def _response(self, operation: Json) -> Shape | None:
        responses = operation.get("responses", {})
        codes = sorted(code for code in responses if str(code).startswith("2")) or ["default"]
        schema = _json_content(self._root, resolved(self._root, responses.get(codes[0])))
        return None if schema in (None, {}) else Shape.of(self._root, schema)


def _json_content(root: Json, holder: Json) -> Any:
    """The schema of the JSON in a request body or a response; None if it has no JSON."""
    for kind, content in holder.get("content", {}).items():
        if re.match(r"application/([\w.-]+\+)?json\b|\*/\*", kind):
            return resolved(root, content).get("schema", {})
    return None


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _nameless(segment: str) -> str:
    return re.sub(r"\{[^}]*\}|\$\([^)]*\)", "{}", segment)


def _begins(path: str, base: Sequence[str]) -> bool:
    """Whether a path of a document begins with these segments, or with parameters in their place."""
    own = _segments(path)
    return len(own) >= len(base) and all(
        theirs == ours or _nameless(theirs) == "{}" for theirs, ours in zip(own, base, strict=False)
    )
