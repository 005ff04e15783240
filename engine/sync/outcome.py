"""What became of each stream: the failure of one does not end the sync of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final

from engine.failures import Failure, LimitReached, NotFound, ServerDown, SkippedList, Unauthorized, ends_sync
from engine.log import Log, escaped
from engine.nouns import counted
from engine.spec.dialect import Stream
from engine.spec.load import ResolvedSpec
from engine.sync.stream import StreamSync

_NAMED_MAX: Final = 10  # partitions whose failures a message has


class Outcome:
    """Runs the parts of a sync, and keeps the failures.

    Args:
        resolved: The spec.
        log: Receives warnings.
        partition: The name of the partition of which the streams are; None if they are those of the connection.
        warned: What partitions share: the streams about which one of them has warned.
    """

    def __init__(
        self, resolved: ResolvedSpec, log: Log, partition: str | None = None, warned: set[str] | None = None
    ) -> None:
        self._resolved = resolved
        self._log = log
        self.partition = partition
        self._warned = set() if warned is None else warned
        self.complete: dict[str, StreamSync] = {}
        self._failed: dict[str, Failure] = {}
        self._missing: dict[str, str] = {}  # the stream that first met it, by URL
        self._inaccessible: dict[str, Unauthorized] = {}
        self._waiting: dict[str, str] = {}  # for a parent that failed, by its name
        self._skipped: set[str] = set()
        self._has_declared = False  # a stream that answers declares to be skipped
        self.rejected: Unauthorized | None = None
        """How the server rejects the key for the whole partition."""

    def of(self, one: StreamSync, part: Callable[[], None]) -> None:
        """Run a part of a stream's sync. A stream whose parent failed is left for the next sync.

        Raises:
            Failure: it would meet the other streams too and, if they are of a partition, those of other partitions.
        """
        stream = one.stream
        if self.rejected is not None or stream.name in {*self._failed, *self._waiting, *self._skipped}:
            return
        if stream.source is not None and self._is_left_out(one, stream.source.name):
            return
        try:
            part()
            self.complete[stream.name] = one
        except NotFound as not_found:
            self._report_missing(stream, not_found)
            self._skip(stream)
        except SkippedList as declared:
            self.warning(f"{declared} Skipping the stream, as answers declares.", stream)
            self._has_declared = True
            self._skip(stream)
        except Failure as failure:
            self.fail(one, failure)

    def has_failed(self, stream: str) -> bool:
        """Whether a stream was not read to its end, so that its rows are not known."""
        return self.rejected is not None or stream in {*self._failed, *self._waiting}

    def warning(self, line: str, stream: Stream) -> None:
        """Warn of a stream that is not there; of those of many partitions, once."""
        if stream.name in self._warned:
            self._log.info(line)
            return
        self._log.warning(line)
        if self.partition is not None:
            self._warned.add(stream.name)

    def _is_left_out(self, one: StreamSync, parent: str) -> bool:
        """Whether a stream is not read, because the rows that its requests are made from are not."""
        name = one.stream.name
        if parent in {*self._failed, *self._waiting}:
            self._waiting[name] = parent
            self._log.warning(f"{name}: not read, because {parent} failed")
            return True
        if parent in self._inaccessible and not one.was_synced:
            self._inaccessible[name] = self._inaccessible[parent]
            self.warning(f"{name}: skipping, because this API key has no access to {parent}", one.stream)
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
        self.warning(f"{stream.name}: {none}{url} not found; skipping.", stream)
        self._missing[url] = stream.name

    def fail(self, one: StreamSync, failure: Failure) -> None:
        """Keep the failure of a stream.

        Raises:
            Failure: it would meet the other streams, too.
        """
        stream = one.stream
        if ends_sync(failure):
            if self.partition is None or isinstance(failure, (ServerDown, LimitReached)):
                raise failure
            assert isinstance(failure, Unauthorized)
            self.rejected = failure
        # Not every key has access to what only some servers have, such as the account above a workspace. A table that
        # a sync has filled was accessible, so that the key has lost the access: a failure.
        elif isinstance(failure, Unauthorized) and one.may_be_inaccessible and not one.was_synced:
            self.warning(f"{stream.name}: this API key has no access; skipping. {failure}", stream)
            self._inaccessible[stream.name] = failure
            self._skip(stream)
            return
        self._log.warning(f"{stream.name} failed, so the sync fails once the other streams are read. {failure}")
        self.complete.pop(stream.name, None)
        self._failed[stream.name] = failure

    def _skip(self, stream: Stream) -> None:
        self._skipped.add(stream.name)
        self.complete.pop(stream.name, None)

    def failure(self) -> Failure | None:
        """The failures of the streams as one; None if there are none.

        That the server has none of the endpoints is one, too.
        """
        if self.rejected is not None:
            return self.rejected
        if self._failed:
            return self._failures()
        if not self.complete and self._inaccessible:
            return next(iter(self._inaccessible.values()))
        if not self.complete and not self._has_declared:
            warning = " ".join(self._resolved.settings.warnings)
            settings = " and ".join(self._resolved.settings_behind("api.base_url")) or "api.base_url"
            missing = ", ".join([*self._missing][: 1 if self.partition is not None else None])
            return Failure(f"none of the endpoints exists: {missing}. Check {settings}. {warning}".rstrip())
        return None

    def _failures(self) -> Failure:
        reasons = [str(failure) for failure in self._failed.values()]
        reasons += [f"{name}: not read, because {parent} failed." for name, parent in self._waiting.items()]
        if len(reasons) == 1:
            return next(iter(self._failed.values()))
        failed = ", ".join([*self._failed, *self._waiting])
        if self.partition is not None:
            return Failure(f"{counted(len(reasons), 'streams')} failed ({failed}). {reasons[0]}")
        others = "The others are, and the" if self.complete.keys() - self._waiting.keys() else "The"
        return Failure(
            f"{len(reasons)} of {len(self._resolved.streams)} streams are not complete ({failed}). {others} next sync "
            "goes on where these stopped.\n" + "\n".join(reasons)
        )


def failure_of(outcomes: Sequence[Outcome], noun: str) -> Failure | None:
    """The failures of a connection as one, whose partitions are called so; None if there are none."""
    found = [(outcome, failure) for outcome in outcomes if (failure := outcome.failure()) is not None]
    if not found or (len(outcomes) == 1 and outcomes[0].partition is None):
        return found[0][1] if found else None
    rejected = [outcome.rejected for outcome in outcomes if outcome.partition is not None]
    if all(rejected) and rejected[0] is not None:
        return rejected[0]
    reasons = [f"{outcome.partition}: {failure}" if outcome.partition else str(failure) for outcome, failure in found]
    left = [escaped(str(outcome.partition)) for outcome, _ in found[_NAMED_MAX:]]
    more = [f"{len(left):,} more: {', '.join(left[:_NAMED_MAX])}{', ...' if len(left) > _NAMED_MAX else ''}"]
    many = sum(outcome.partition is not None for outcome, _ in found)
    if not many:
        return found[0][1]
    partitions = sum(outcome.partition is not None for outcome in outcomes)
    return Failure(
        f"{many} of {counted(partitions, noun)} are not complete. The next sync goes on where they stopped.\n"
        + "\n".join([*reasons[:_NAMED_MAX], *(more if left else [])])
    )


def synced(resolved: ResolvedSpec, outcomes: Collection[Outcome]) -> str:
    """How many rows were sent: ``150 flow runs, 30 flows, and 10 deployments``."""
    rows: Counter[str] = Counter()
    for outcome in outcomes:
        for name, one in outcome.complete.items():
            rows[name] += one.sent
    return _listed([_counted(stream, rows[stream.name]) for stream in resolved.streams if stream.name in rows])


def _counted(stream: Stream, rows: int) -> str:
    """``150 flow runs``"""
    return counted(rows, stream.name.replace("_", " "), stream.singular)


def _listed(items: Sequence[str]) -> str:
    """``150 flow runs, 30 flows, and 10 deployments``"""
    if len(items) < 3:
        return " and ".join(items)
    return f"{', '.join(items[:-1])}, and {items[-1]}"
