"""The sync: reads each stream to its confirmed end, writes what changed, and checkpoints.

The cursor of a stream moves once, after its last page. Checkpoints in between make rows durable and record how far the
pass is, if its pagination can resume there. A sync that is interrupted anywhere loses nothing.
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
from engine.sync.pages import PageReader
from engine.sync.reader import readers
from engine.sync.stream import StreamSync
from engine.sync.writer import CHECKPOINT_ROWS, CHECKPOINT_SECONDS, Writer


def sync(
    resolved: ResolvedSpec,
    state: Mapping[str, Any],
    destination: Destination,
    log: Log,
    *,
    checkpoint_rows: int = CHECKPOINT_ROWS,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Sync the selected streams of a connection into a destination.

    Args:
        resolved: The spec with the settings of the connection.
        state: The state of the last checkpoint; empty on the first sync.
        destination: Receives rows and checkpoints.
        log: Receives progress and warnings.
        checkpoint_rows: Checkpoint after this many rows.
        checkpoint_seconds: Checkpoint after this many seconds.

    Raises:
        Failure: a stream could not be read completely. Its state and that of the streams after it have not moved.
    """
    spec, concurrency = resolved.spec, resolved.spec.api.concurrency
    log = RedactingLog(log, resolved.settings.secrets.redact)
    log.info(f"Starting {spec.title} sync")
    for warning in resolved.settings.warnings:
        log.warning(warning)
    writer = Writer(destination, load_state(state, spec.api.base_url), checkpoint_rows, checkpoint_seconds)
    counts: dict[str, int] = {}
    missing: list[str] = []
    inaccessible: list[Unauthorized] = []
    with (
        Client(resolved, log) as client,
        PageReader(client, concurrency) as pages,
        _Background(concurrency) as background,
    ):
        reader = readers(spec, pages, log)
        syncs = [StreamSync(reader[stream.name], spec.api.lookback, writer, log) for stream in resolved.streams]
        for one in _in_order(syncs, background):
            try:
                counts[one.stream.name] = one.run()
            except NotFound as not_found:
                log.warning(f"{not_found.url} not found; skipping.")
                missing.append(not_found.url)
            except Unauthorized as forbidden:
                # Not every key has access to what only some servers have, such as the account above a workspace.
                if forbidden.status != 403 or one.stream.availability is None:
                    raise
                log.warning(f"{one.stream.name}: this API key has no access; skipping. {forbidden}")
                inaccessible.append(forbidden)
    if not counts and inaccessible:
        raise inaccessible[0]
    if not counts:
        warning = " ".join(resolved.settings.warnings)
        settings = " and ".join(resolved.settings_behind("api.base_url")) or "api.base_url"
        raise Failure(f"none of the endpoints exists: {', '.join(missing)}. Check {settings}. {warning}".rstrip())
    log.info(f"Synced {_listed([_counted(one, counts[one.name]) for one in resolved.streams if one.name in counts])}")
    log.info("Sync completed successfully")


def _in_order(syncs: Sequence[StreamSync], background: Executor) -> Iterator[StreamSync]:
    """Incremental streams one by one, then full refreshes, which are read concurrently and written one by one.

    What runs refer to, such as their deployment, is read after them, so it is there too.
    """
    refreshes = [one for one in syncs if one.stream.sync_mode == "full_refresh"]
    yield from (one for one in syncs if one.stream.sync_mode != "full_refresh")
    for one in refreshes:
        one.read_ahead(background)
    yield from refreshes


class _Background(ThreadPoolExecutor):
    """Threads that a sync does not wait for if it ends early: their requests end with the client."""

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
