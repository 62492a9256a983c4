"""Checkpoints kept outside the store: one that somebody else pinned, one that this service keeps on another disk.

Both are checked when the log is opened. The kept one catches a restored backup on this machine; only the pinned one binds the operator.
"""

from collections.abc import Callable
from pathlib import Path

from meshkit.clock import Clock
from translog.anchor import check_pinned, read_note, write_note
from translog.checkpoint import Checkpoint, open_checkpoint
from translog.database import Database
from translog.log import Log
from translog.note import Signer


class Anchors:
    """Opens logs against their anchors and keeps the newest checkpoint."""

    def __init__(self, pinned: Path | None, kept: Path | None, interval_s: float, clock: Clock) -> None:
        self._pinned = pinned
        self._kept = kept
        self._interval_s = interval_s
        self._clock = clock
        self._kept_at_s = float("-inf")

    def open(self, database: Database, signer: Signer, seal: Callable[[bytes], bytes], now_ms: int) -> Log:
        """Open the log; raises RolledBackError, RewrittenError, NotFoundError (no pinned checkpoint there), and what Log.open raises."""
        pinned = self._checkpoint(self._pinned, signer) if self._pinned else None
        log = Log.open(database, signer=signer, seal=seal, now_ms=now_ms, pinned=pinned)
        if self._kept is not None and self._kept.exists():
            check_pinned(log.reader, self._checkpoint(self._kept, signer))
        return log

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
