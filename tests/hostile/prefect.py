"""A small stub of Prefect's API, for the project's own streams.yaml."""

from __future__ import annotations

from tests.hostile.api import Api, newest_first
from tests.hostile.world import World
from tests.in_process import InProcess
from tests.specs import SHIPPED, shipped, shipped_with


def prefect(server: InProcess, streams: str = "", **settings: str) -> World:
    """A connection to an empty Prefect, which has every list. Some streams, or the default ones."""
    paths = [stream.endpoint.path for stream in shipped().streams.values() if stream.endpoint is not None]
    api = Api({path.removesuffix("/filter").strip("/"): {} for path in paths if "{" not in path and ".." not in path})
    api.tables |= {"queues": {}, "workers": {}}
    api.orders = {
        "workers": lambda row: newest_first(row["last_heartbeat_time"]),
        "queues": lambda row: row["priority"],
    }
    text = shipped_with(*streams.split(",")) if streams else SHIPPED.read_text("utf-8")
    return World(server, api, text, streams=streams, **settings)
