"""What became of each stream: the failure of one does not end the sync of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.failures import Failure, NotFound, SkippedList, Unauthorized, ends_sync
from engine.log import Log
from engine.nouns import counted
from engine.spec.dialect import Stream
from engine.spec.load import ResolvedSpec
from engine.sync.stream import StreamSync


class Outcome:
    """Runs the parts of a sync, and keeps the failures."""

    def __init__(self, resolved: ResolvedSpec, log: Log) -> None:
        self._resolved = resolved
        self._log = log
        self._complete: dict[str, StreamSync] = {}
        self._failed: dict[str, Failure] = {}
        self._missing: dict[str, str] = {}  # the stream that first met it, by URL
        self._inaccessible: dict[str, Unauthorized] = {}
        self._waiting: dict[str, str] = {}  # for a parent that failed, by its name
        self._skipped: set[str] = set()
        self._has_declared = False  # a stream that answers declares to be skipped

    def of(self, one: StreamSync, part: Callable[[], None]) -> None:
        """Run a part of a stream's sync. A stream whose parent failed is left for the next sync.

        Raises:
            Failure: it would meet the other streams too.
        """
        stream = one.stream
        if stream.name in {*self._failed, *self._waiting, *self._skipped}:
            return
        if stream.source is not None and self._is_left_out(one, stream.source.name):
            return
        try:
            part()
            self._complete[stream.name] = one
        except NotFound as not_found:
            self._report_missing(stream, not_found)
            self._skip(stream)
        except SkippedList as declared:
            self._log.warning(f"{declared} Skipping the stream, as answers declares.")
            self._has_declared = True
            self._skip(stream)
        except Failure as failure:
            self._fail(one, failure)

    def _is_left_out(self, one: StreamSync, parent: str) -> bool:
        """Whether a stream is not read, because the rows that its requests are made from are not."""
        name = one.stream.name
        if parent in {*self._failed, *self._waiting}:
            self._waiting[name] = parent
            self._log.warning(f"{name}: not read, because {parent} failed")
            return True
        if parent in self._inaccessible and not one.was_synced:
            self._inaccessible[name] = self._inaccessible[parent]
            self._log.warning(f"{name}: skipping, because this API key has no access to {parent}")
            self._skip(one.stream)
            return True
        return False

    def _report_missing(self, stream: Stream, not_found: NotFound) -> None:
        """Warn once of each endpoint that the server lacks, although the children of its rows lack it, too."""
        url = not_found.url
        if url in self._missing:
            self._log.info(f"{stream.name}: skipping, because the server has no {self._missing[url]}")
            return
        none = f"none of {not_found.of} has this endpoint: " if not_found.of else ""
        self._log.warning(f"{stream.name}: {none}{url} not found; skipping.")
        self._missing[url] = stream.name

    def _fail(self, one: StreamSync, failure: Failure) -> None:
        stream = one.stream
        if ends_sync(failure):
            raise failure
        # Not every key has access to what only some servers have, such as the account above a workspace. A table that
        # a sync has filled was accessible, so that the key has lost the access: a failure.
        if isinstance(failure, Unauthorized) and one.may_be_inaccessible and not one.was_synced:
            self._log.warning(f"{stream.name}: this API key has no access; skipping. {failure}")
            self._inaccessible[stream.name] = failure
            self._skip(stream)
            return
        self._log.warning(f"{stream.name} failed, so the sync fails once the other streams are read. {failure}")
        self._complete.pop(stream.name, None)
        self._failed[stream.name] = failure

    def _skip(self, stream: Stream) -> None:
        self._skipped.add(stream.name)
        self._complete.pop(stream.name, None)

    def check(self) -> None:
        """Raise the failures of the streams as one, if there are any.

        Raises:
            Failure: some streams failed, or the server has none of the endpoints.
        """
        for one in self._complete.values():
            one.report()
        if self._failed:
            raise self._failures()
        if not self._complete and self._inaccessible:
            raise next(iter(self._inaccessible.values()))
        if not self._complete and not self._has_declared:
            warning = " ".join(self._resolved.settings.warnings)
            settings = " and ".join(self._resolved.settings_behind("api.base_url")) or "api.base_url"
            missing = ", ".join(self._missing)
            raise Failure(f"none of the endpoints exists: {missing}. Check {settings}. {warning}".rstrip())

    def _failures(self) -> Failure:
        reasons = [str(failure) for failure in self._failed.values()]
        reasons += [f"{name}: not read, because {parent} failed." for name, parent in self._waiting.items()]
        if len(reasons) == 1:
            return next(iter(self._failed.values()))
        failed = ", ".join([*self._failed, *self._waiting])
        others = "The others are, and the" if self._complete.keys() - self._waiting.keys() else "The"
        return Failure(
            f"{len(reasons)} of {len(self._resolved.streams)} streams are not complete ({failed}). {others} next sync "
            "goes on where these stopped.\n" + "\n".join(reasons)
        )

    def __str__(self) -> str:
        """``150 flow runs, 30 flows, and 10 deployments``"""
        complete = [self._complete[one.name] for one in self._resolved.streams if one.name in self._complete]
        return _listed([_counted(one.stream, one.sent) for one in complete])


def _counted(stream: Stream, rows: int) -> str:
    """``150 flow runs``"""
    return counted(rows, stream.name.replace("_", " "), stream.singular)


def _listed(items: Sequence[str]) -> str:
    """``150 flow runs, 30 flows, and 10 deployments``"""
    if len(items) < 3:
        return " and ".join(items)
    return f"{', '.join(items[:-1])}, and {items[-1]}"
