"""One stream's part of a sync: which algorithm of engine/reading runs, with which state."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, Future
from dataclasses import replace
from functools import cached_property

from engine.log import Log
from engine.nouns import counted
from engine.reading.declared import made_by, read_by
from engine.reading.full_refresh import WholeList
from engine.reading.source import Source
from engine.reading.spool import Spool
from engine.rows.mapping import Row
from engine.state import PARENTS_MAX, Keys, KeyValue, StreamState
from engine.sync.passes import Passes
from engine.sync.sender import Sender
from engine.sync.writer import StreamWriter


class StreamSync:
    """Syncs one stream, once.

    Args:
        source: The stream on the server.
        writer: Writes rows and states.
        opened: The keys of rows that were open before this sync, by stream.
    """

    def __init__(self, source: Source, writer: StreamWriter, opened: Mapping[str, frozenset[KeyValue]]) -> None:
        self.stream = source.stream
        self._source = source
        self._writer = writer
        self._sender = Sender(source.stream, source.mapping, writer)
        self._passes = Passes(source, self._sender, writer, opened)
        self._ahead: Future[WholeList] | None = None
        self._waiting = 0  # rows of a full refresh
        self.is_postponed = False
        """Whether the table has to be truncated for it, of which other partitions have rows."""

    @property
    def was_synced(self) -> bool:
        """Whether the state has the stream, so that a sync has read it before."""
        return self._writer.was_synced

    @property
    def may_be_inaccessible(self) -> bool:
        """Whether only some servers have the stream, or what its requests are made from."""
        return self._source.has_availability

    @property
    def sent(self) -> int:
        """The number of rows that were sent, or wait to be."""
        return self._sender.sent + self._sender.held + self._waiting

    def run(self) -> None:
        """Read the stream to its end, apart from reconciliation.

        Raises:
            NotFound: the server has no such endpoint.
            Failure: the stream could not be read completely. The writer's state has what was sent.
        """
        if self.stream.sync_mode == "full_refresh":
            self._full_refresh()
        else:
            self._passes.run(self._before)
        if self._sender.deleted:
            self._source.info(f"{counted(self._sender.deleted, 'rows')} gone from the server: soft-deleted")
        if self._sender.excluded:
            changed = counted(self._sender.excluded, "changed records")
            self._source.info(f"{changed} excluded by where: soft-deleted if they were rows")
        log = self._source.info if self.sent else self._source.routine
        log(f"{counted(self._source.progress.rows, 'rows')} read, {self.sent:,} synced")
        self._writer.checkpoint_rows()

    def reconcile(self) -> None:
        """Re-read the slice of the list that is due, if the stream declares reconciliation.

        Raises:
            Failure: the slice could not be read. The writer's state has what was read of it.
        """
        self._passes.reconcile()

    def report(self, log: Log) -> None:
        """Warn of what is odd about the rows of this sync. ``log``: of what is likely the same in other partitions."""
        if self._source.skipped and self._source.parent is not None:
            rows = counted(len(self._source.skipped), self._source.parent.stream.name)
            self._source.warning(f"skipped what belongs to {rows}, as answers declares")
        if self._passes.has_too_many_parents:
            self._source.warning(
                f"its parent has more than {PARENTS_MAX:,} rows, too many to remember: each sync reads and sends all "
                "their children"
            )
        for warning in self._source.mapping.mismatch_warnings():
            log.warning(warning)
        if self._passes.has_no_dates:
            log.warning(
                f"{self.stream.name}: the server's responses have no Date header, so the newest cursor stands in for "
                "the time: the next sync can send some rows twice"
            )
        if self._sender.without_cursor and self._sender.read == self._sender.without_cursor:
            log.warning(
                f"{self.stream.name}: the cursor_field {self.stream.cursor_field} is NULL in every record, so each "
                f"sync sends all of them; the first has the key {self._sender.first_without_cursor}"
            )

    def read_ahead(self, executor: Executor) -> None:
        """Start to read a full refresh in another thread. Nothing is written before :meth:`run`."""
        self._source.routine(f"reading {self._source.what}, all rows")
        self._ahead = executor.submit(WholeList, self._source, self._before.rows)

    def _full_refresh(self) -> None:
        """Bring the table to the state of the whole list, which is read to its end first."""
        ahead, self._ahead = self._ahead, None
        with ahead.result() if ahead else WholeList(self._source, self._before.rows) as rows:
            if rows.is_unchanged:
                self._save(rows)
            else:
                self.is_postponed = not self._send_difference(rows)

    def _send_difference(self, rows: WholeList) -> bool:
        """Send the rows that changed, and delete those that are gone.

        Returns False if which rows are gone is not known, and the table has rows of other partitions, too.
        """
        deleted, is_first = rows.deleted(), self._before.rows is None
        is_alone = self._writer.partition is None
        if deleted is None and not is_first and not is_alone:
            return False
        elsewhere = self._writer.known_elsewhere()
        meanwhile, after = (
            replace(self._before, rows=state) for state in (rows.state_meanwhile(elsewhere), rows.state(elsewhere))
        )
        changed = rows.changed() if is_alone else self._kept(rows)
        if is_first:
            self._sender.truncate()

        def write() -> None:
            if deleted is None and not is_first:
                self._sender.truncate()
            for key in deleted or ():
                self._sender.delete_key(key)
            self._sender.write(changed)
            self._waiting = 0
            self._writer.save(after)

        if is_first and is_alone:  # if the sync is killed, the next one truncates the table again
            write()
        else:
            self._writer.write_once_listed(self._waiting, lambda: meanwhile, write)
        return True

    def _kept(self, rows: WholeList) -> Spool[Row]:
        """The rows that changed, which can wait longer than the list is kept."""
        kept: Spool[Row] = Spool()
        for row in rows.changed():
            kept.extend([row])
            self._waiting += 1
        return kept

    def start_over_if_changed(self) -> None:
        """If all partitions were read by another declaration, let all of them start over."""
        made = made_by(self._source)
        found = {state.made_by for state in (self._writer.state, *self._writer.others())} - {None}
        if found and made not in found and self._writer.start_over(made_by=made):
            self._warn_of_change()

    def _warn_of_change(self) -> None:
        self._source.warning(
            "its declaration has changed (table, primary key, cursor, endpoint, body, query, records or parent): "
            "reading it again from the start"
        )

    def truncate_table(self) -> None:
        """Truncate a table that partitions share, and forget what each knows of it."""
        self._writer.truncate_for_all()

    def whole_list(self) -> WholeList:
        """All rows of a full refresh, for a table of which it is not known which rows it has."""
        return WholeList(self._source, None)

    def list_all(self, rows: WholeList) -> None:
        """Note the rows that are about to be sent to a table that was truncated."""
        listed = rows.state_meanwhile(self._writer.known_elsewhere())
        self._writer.save(replace(self._writer.state, rows=listed))

    def send_all(self, rows: WholeList) -> None:
        """Send all rows, to a table that was truncated."""
        self.is_postponed = False
        self._sender.write(rows.changed())
        self._save(rows)

    def _save(self, rows: WholeList) -> None:
        if rows.is_unchanged and self._before.rows is not None and self._before.rows.versions is not None:
            self._writer.save(self._before)
            return
        self._writer.save(replace(self._before, rows=rows.state(self._writer.known_elsewhere())))

    @cached_property
    def _before(self) -> StreamState:
        """The state of the last sync, as far as what it was made by is still declared."""
        state = self._writer.state
        made, read = made_by(self._source), read_by(self._source)
        if state.made_by not in (None, made):
            self._warn_of_change()
            return StreamState(made_by=made, read_by=read)
        if state.read_by not in (None, read):
            state = _without_positions(state)
        has_open = self.stream.incremental is not None and self.stream.incremental.open is not None
        if self.stream.finds_deleted and state.keys is None and state.open and not has_open:  # of an earlier release
            state = replace(state, keys=Keys(frozenset((key,) for key in state.open)))
        if not has_open:
            state = replace(state, open=frozenset())
        if not self.stream.finds_deleted:
            state = replace(state, keys=None, surplus=None)
        if not self._source.remembers_parents:
            state = replace(state, parents=frozenset())
        return replace(state, made_by=made, read_by=read)


def _without_positions(state: StreamState) -> StreamState:
    """The state of a stream whose lists are read in another way now: a pass and a round start over."""
    current_pass, reconcile = state.current_pass, state.reconcile
    return replace(
        state,
        current_pass=replace(current_pass, position=None) if current_pass else None,
        reconcile=replace(reconcile, position=None, rows=0, again=False) if reconcile else None,
    )
