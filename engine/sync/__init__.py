"""The sync: reads each stream to its proven end, writes what changed, and checkpoints what is proven.

The cursor of a stream moves once, after its last page. Checkpoints in between make rows durable and remember how far
the pass is, where its pagination can go on from there; a sync that is stopped anywhere loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.destination import Destination
from engine.failures import Failure, NotFound
from engine.http.client import Client
from engine.log import Discreet, Log
from engine.spec.load import Connection
from engine.state import load_state
from engine.sync.pages import Pages
from engine.sync.reader import readers
from engine.sync.stream import StreamSync
from engine.sync.writer import Writer


def sync(connection: Connection, state: Mapping[str, Any], destination: Destination, log: Log) -> None:
    """Copy every enabled stream of a document into a destination.

    Args:
        connection: The document, filled in for one connection.
        state: The state document of the last checkpoint; empty on the first sync.
        destination: Takes rows and checkpoints.
        log: Takes what happens.

    Raises:
        Failure: a stream could not be read whole. Its state, and that of the streams after it, has not moved.
    """
    document = connection.document
    log = Discreet(log, connection.settings.secrets.redact)
    log.info(f"Starting {document.title} sync")
    for advice in connection.settings.advice:
        log.warning(advice)
    writer = Writer(destination, load_state(state, document.api.base_url))
    counts: dict[str, int] = {}
    missing: list[str] = []
    with Client(connection, log) as client, Pages(client, document.api.connections) as pages:
        of = readers(document, pages, log)
        for stream in connection.streams:
            try:
                counts[stream.noun] = StreamSync(of[stream.name], document.api.overlap, writer, log).run()
            except NotFound as not_found:
                log.warning(f"{not_found.url} not found; skipping.")
                missing.append(not_found.url)
    if not counts:
        advice = " ".join(connection.settings.advice)
        settings = " and ".join(connection.settings_behind("api.base_url")) or "api.base_url"
        raise Failure(f"none of the endpoints exists: {', '.join(missing)}. Check {settings}. {advice}".rstrip())
    log.info(f"Synced {_listed(counts)}")
    log.info("Sync completed successfully")


def _listed(counts: Mapping[str, int]) -> str:
    """``150 flow runs, 30 flows, and 10 deployments``"""
    items = [f"{count} {_singular(noun) if count == 1 else noun}" for noun, count in counts.items()]
    if len(items) < 3:
        return " and ".join(items)
    return f"{', '.join(items[:-1])}, and {items[-1]}"


def _singular(noun: str) -> str:
    """``flow run`` of ``flow runs``, ``policy`` of ``policies``, ``search`` of ``searches``."""
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    return noun[:-2] if noun.endswith(("ches", "shes", "sses", "xes")) else noun.removesuffix("s")
