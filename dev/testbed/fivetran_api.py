"""The part of Fivetran's REST API that `fivetran deploy` and `fivetran package` use, on 127.0.0.1.

Its responses follow from the requests of fivetran-connector-sdk 3.0.0.
"""

from __future__ import annotations

import email.policy
import json
import re
from collections.abc import Callable
from email.parser import BytesParser
from pathlib import Path
from typing import Any, Final

from dev.testbed.loopback import Loopback, Reply, Seen

DESTINATION: Final = "warehouse"
_GROUP: Final = "group_1"
_MADE: Final = "2026-01-01T00:00:00Z"


class FivetranApi:
    """The API as a context manager, with one destination.

    Attributes:
        key: The API key it accepts.
        packages: The uploaded archives by package id, in order of arrival.
        connections: The connections by id, as the API returns them.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.packages: dict[str, bytes] = {}
        self.connections: dict[str, dict[str, Any]] = {}
        self._made = 0
        self._loopback = Loopback(self._answer)
        self._routes: list[tuple[str, str, Callable[..., Reply]]] = [
            ("GET", "/groups", self._groups),
            ("GET", "/groups/[^/]+/connectors", self._of_group),
            ("GET", "/destinations/([^/]+)", self._destination),
            ("GET", "/connector-sdk/migration/connections", self._migrations),
            ("POST", "/connector-sdk/packages", self._upload),
            ("GET", "/connector-sdk/packages", self._all_packages),
            ("GET", "/connector-sdk/packages/([^/]+)", self._package),
            ("PATCH", "/connector-sdk/packages/([^/]+)", self._upload),
            ("DELETE", "/connector-sdk/packages/([^/]+)", self._delete),
            ("POST", "/connectors", self._connect),
            ("GET", "/connect(?:ors|ions)/([^/]+)", self._connection),
            ("PATCH", "/connect(?:ors|ions)/([^/]+)", self._reconnect),
        ]

    def __enter__(self) -> FivetranApi:
        self._loopback.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._loopback.__exit__(*exception)

    def use_in(self, home: Path) -> None:
        """Point the `fivetran` command of a home folder to this API."""
        folder = home / ".fivetran" / "connector_sdk"
        folder.mkdir(parents=True, exist_ok=True)
        address = self._loopback.url.removesuffix("/api")
        (folder / "_config.json").write_text(json.dumps({"production_base_url": address}), "utf-8")

    def _answer(self, seen: Seen) -> Reply:
        if seen.headers.get("Authorization") != f"Basic {self.key}":
            return Reply({"code": "AuthFailed", "message": "Authorization failed"}, status=401)
        for method, path, respond in self._routes:
            found = re.fullmatch(f"/v1{path}", seen.path)
            if found and method == seen.method:
                return respond(seen, *found.groups())
        return Reply({"code": "NotFound", "message": f"no {seen.method} {seen.path}"}, status=404)

    def _new_id(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}_{self._made}"

    def _groups(self, seen: Seen) -> Reply:
        return _items([{"id": _GROUP, "name": DESTINATION, "created_at": _MADE}])

    def _of_group(self, seen: Seen) -> Reply:
        schemas = seen.query.get("schema")
        return _items([one for one in self.connections.values() if not schemas or one["schema"] in schemas])

    def _destination(self, seen: Seen, group: str) -> Reply:
        return _data({"id": group, "group_id": group, "hybrid_deployment_agent_id": None})

    def _migrations(self, seen: Seen) -> Reply:
        return _items([])

    def _upload(self, seen: Seen, package: str = "") -> Reply:
        package = package or self._new_id("package")
        self.packages[package] = _file_of(seen)
        return _data(self._describe(package), 201 if seen.method == "POST" else 200)

    def _all_packages(self, seen: Seen) -> Reply:
        return _items([self._describe(package) for package in self.packages])

    def _package(self, seen: Seen, package: str) -> Reply:
        return _data(self._describe(package))

    def _delete(self, seen: Seen, package: str) -> Reply:
        del self.packages[package]
        return Reply({"code": "Success", "message": "deleted"})

    def _describe(self, package: str) -> dict[str, Any]:
        used = [key for key, one in self.connections.items() if one["config"].get("package_id") == package]
        return {"id": package, "created_at": _MADE, "connection_ids": used}

    def _connect(self, seen: Seen) -> Reply:
        schema = seen.json["config"]["schema"]
        connection = {"id": self._new_id("connection"), **seen.json, "schema": schema, "setup_tests": []}
        connection["config"].setdefault("python_version", "3.14")
        self.connections[connection["id"]] = connection
        return _data(connection, 201)

    def _connection(self, seen: Seen, connection: str) -> Reply:
        return _data(self.connections[connection])

    def _reconnect(self, seen: Seen, connection: str) -> Reply:
        self.connections[connection]["config"].update(seen.json.get("config", {}))
        return _data(self.connections[connection])


def _data(data: Any, status: int = 200) -> Reply:
    return Reply({"code": "Success", "data": data}, status=status)


def _items(items: list[Any]) -> Reply:
    return _data({"items": items})


def _file_of(seen: Seen) -> bytes:
    """The uploaded file of a form (RFC 7578)."""
    head = f"Content-Type: {seen.headers['Content-Type']}\r\n\r\n".encode()
    form = BytesParser(policy=email.policy.HTTP).parsebytes(head + seen.content)
    (file,) = (part for part in form.iter_parts() if part.get_filename())
    content = file.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content
