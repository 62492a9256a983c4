"""Checkpoints kept outside the store: one that somebody else pinned, one that this service keeps on another disk.

Both are checked when the log is opened, before anything is written to it, and one that is missing refuses like one that differs: the kept
one is written before the log has a leaf, so that only an empty log may lack it. It catches a restored backup on this machine; only the
pinned one binds the operator.
"""

from pathlib import Path

from meshkit.clock import Clock
from translog.anchor import read_note, write_note
from translog.checkpoint import Checkpoint, open_checkpoint
from translog.database import Database
from translog.entries import Commit
from translog.log import Log, Seal, create
from translog.note import Signer
from translog.reader import LogReader


class Anchors:
    """Opens logs against their anchors and keeps the newest checkpoint."""

    def __init__(self, pinned: Path | None, kept: Path | None, interval_s: float, clock: Clock) -> None:
        self._pinned = pinned
        self._kept = kept
        self._interval_s = interval_s
        self._clock = clock
        self._kept_at_s = float("-inf")

    def open(self, database: Database, signer: Signer, seal: Seal, commit: Commit, now_ms: int) -> Log:
        """Open the log; raises RolledBackError, RewrittenError, NotFoundError (no checkpoint there), and what Log.open raises."""
        create(database, signer, now_ms)
        size, note = LogReader(database).checkpoint_note()
        if size == 0 and self._kept is not None and not self._kept.exists():
            self.keep(note, now=True)
        anchors = [self._checkpoint(path, signer) for path in (self._pinned, self._kept) if path is not None]
        return Log.open(database, signer=signer, seal=seal, commit=commit, now_ms=now_ms, pinned=anchors)

    def keep(self, note: str, *, now: bool = False) -> None:
        """Write the newest checkpoint, at most once an interval unless ``now``."""
        if self._kept is None:
            return
        time_s = self._clock.monotonic_s()
        if now or time_s - self._kept_at_s >= self._interval_s:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            write_note(self._kept, note)
            self._kept_at_s = time_s

    def _checkpoint(self, path: Path, signer: Signer) -> Checkpoint:
        return open_checkpoint(read_note(path), origin=signer.name, log=[signer.verifier])
