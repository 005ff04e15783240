"""The sync: reads each stream to its confirmed end, writes what changed, and checkpoints.

The cursor of a stream moves once, after its last page. Checkpoints in between make rows durable and record how far the
pass is, if its pagination can resume there. A sync that is interrupted anywhere loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.destination import Destination
from engine.failures import Failure
from engine.http.client import Client
from engine.http.threads import DaemonThreads
from engine.log import Log, RedactingLog
from engine.reading.pages import PageReader
from engine.spec.load import ResolvedSpec
from engine.state import load_state
from engine.sync.groups import StreamGroups
from engine.sync.partitions import check_keys
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
        Failure: streams could not be read completely; the message names each. Their states show how far they are. The
            other streams are complete, unless the server is down, rejects the key, or a limit is reached: that ends
            the sync at once.
    """
    spec, concurrency = resolved.spec, resolved.spec.api.concurrency
    log = RedactingLog(log, resolved.settings.secrets.redact)
    log.info(f"Starting {spec.title} sync")
    for warning in resolved.warnings:
        log.warning(warning)
    before = load_state(state, spec.api.base_url)
    check_keys(resolved, before)
    writer = Writer(destination, before, checkpoint_rows, checkpoint_seconds)
    with (
        Client(resolved, log) as client,
        PageReader(client, concurrency) as pages,
        _Background(concurrency, "reading") as background,
    ):
        try:
            groups = StreamGroups(resolved, pages, writer, log)
            groups.run(background)
        except Failure:
            writer.write_waiting()
            writer.checkpoint()
            raise
        writer.checkpoint()
        groups.check()
    log.info(f"Synced {groups}")
    log.info("Sync completed successfully")


class _Background(DaemonThreads):
    """Threads that a sync does not wait for if it ends early: their requests end with the client."""

    def __exit__(self, *failure: object) -> None:
        self.shutdown(wait=False, cancel_futures=True)
