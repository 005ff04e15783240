"""The sync: reads each stream to its proven end, writes what changed, and checkpoints what is proven.

The cursor of a stream moves once, after its last page. Checkpoints in between make rows durable and remember how far
the pass is, where its pagination can go on from there; a sync that is stopped anywhere loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from engine.destination import Destination
from engine.failures import Failure, NotFound, Unauthorized
from engine.http.client import Client
from engine.log import Log, RedactingLog
from engine.nouns import counted
from engine.spec.dialect import Stream
from engine.spec.load import ResolvedSpec
from engine.state import load_state
from engine.sync.pages import Pages
from engine.sync.reader import readers
from engine.sync.stream import StreamSync
from engine.sync.writer import Writer


def sync(resolved: ResolvedSpec, state: Mapping[str, Any], destination: Destination, log: Log) -> None:
    """Copy every enabled stream of a document into a destination.

    Args:
        connection: The document, filled in for one connection.
        state: The state document of the last checkpoint; empty on the first sync.
        destination: Takes rows and checkpoints.
        log: Takes what happens.

    Raises:
        Failure: a stream could not be read whole. Its state, and that of the streams after it, has not moved.
    """
    spec, concurrency = resolved.spec, resolved.spec.api.concurrency
    log = RedactingLog(log, resolved.settings.secrets.redact)
    log.info(f"Starting {spec.title} sync")
    for warning in resolved.settings.warnings:
        log.warning(warning)
    writer = Writer(destination, load_state(state, spec.api.base_url))
    counts: dict[str, int] = {}
    missing: list[str] = []
    forbidden: list[Unauthorized] = []
    with Client(resolved, log) as client, Pages(client, concurrency) as pages, _Background(concurrency) as background:
        of = readers(spec, pages, log)
        syncs = [StreamSync(of[stream.name], spec.api.lookback, writer, log) for stream in resolved.streams]
        for one in _in_order(syncs, background):
            try:
                counts[one.stream.name] = one.run()
            except NotFound as not_found:
                log.warning(f"{not_found.url} not found; skipping.")
                missing.append(not_found.url)
            except Unauthorized as refused:
                # Not every key may read what only some servers have, such as the account around a workspace.
                if refused.status != 403 or one.stream.availability is None:
                    raise
                log.warning(f"{one.stream.name}: may not be read with this key; skipping. {refused}")
                forbidden.append(refused)
    if not counts and forbidden:
        raise forbidden[0]
    if not counts:
        warning = " ".join(resolved.settings.warnings)
        settings = " and ".join(resolved.settings_behind("api.base_url")) or "api.base_url"
        raise Failure(f"none of the endpoints exists: {', '.join(missing)}. Check {settings}. {warning}".rstrip())
    log.info(f"Synced {_listed([_counted(one, counts[one.name]) for one in resolved.streams if one.name in counts])}")
    log.info("Sync completed successfully")


def _in_order(syncs: Sequence[StreamSync], background: Executor) -> Iterator[StreamSync]:
    """Incremental streams one by one; then the full refreshes, which are read side by side and written one by one.

    What runs refer to, such as the deployment that they belong to, is read after them and so is there.
    """
    refreshes = [one for one in syncs if one.stream.sync_mode == "full_refresh"]
    yield from (one for one in syncs if one.stream.sync_mode != "full_refresh")
    for one in refreshes:
        one.read_ahead(background)
    yield from refreshes


class _Background(ThreadPoolExecutor):
    """Threads that are not waited for when the sync ends early: their requests end with the client."""

    def __exit__(self, *failure: object) -> None:
        self.shutdown(wait=False, cancel_futures=True)


def _counted(stream: Stream, rows: int) -> str:
    """``150 flow runs``"""
    return counted(rows, stream.name.replace("_", " "), stream.singular)


def _listed(items: Sequence[str]) -> str:
    """``150 flow runs, 30 flows, and 10 deployments``"""
    if len(items) < 3:
        return " and ".join(items)
    return f"{', '.join(items[:-1])}, and {items[-1]}"
