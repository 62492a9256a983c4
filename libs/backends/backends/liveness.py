"""Whether an engine lives: its count of turns goes on. And how to end the process of one that does not.

Surprising:

- Nothing else counts. Triton answers that all is well while the process behind it is dead or stands still (ADR 24).
- Time that this process itself did not run (it was stopped, or starved) is not held against the engine: else whoever wakes up kills it.
- The process to end is the one whose pid and start time the engine wrote down. A pid alone is somebody else's sooner or later."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

WATCHDOG_S = 3.0
WATCHDOG_STEPS = 10
PROBE_S = 1.0
_ASLEEP_S = 1.5


class Liveness:
    """Times are of one monotonic clock."""

    def __init__(self, now_s: float) -> None:
        self._moved_s = self._looked_s = now_s
        self._turns = -1
        self._step_s = 0.0

    @property
    def limit_s(self) -> float:
        """How long the count may stand still."""
        return max(WATCHDOG_S, WATCHDOG_STEPS * self._step_s)

    def heard(self, turns: int, step_ms: float, now_s: float) -> None:
        """The engine said how far it is."""
        self._step_s = step_ms / 1000
        if turns != self._turns:
            self._turns, self._moved_s = turns, now_s

    def is_hung(self, now_s: float) -> bool:
        """Whether it stood still, or said nothing, for too long. To be asked about every `PROBE_S`."""
        asleep_s = now_s - self._looked_s - _ASLEEP_S
        self._looked_s = now_s
        if asleep_s > 0:
            self._moved_s += asleep_s
        return now_s - self._moved_s > self.limit_s


def end_process(pid_file: Path) -> int | None:
    """Kill the tritonserver that a stub named in its file; return its pid, None when it is gone or the file names nobody."""
    try:
        pid_text, start_text = pid_file.read_text(encoding="ascii").split()
        pid, start = int(pid_text), int(start_text)
        handle = os.pidfd_open(pid)
    except (OSError, ValueError):
        return None
    try:
        if start_ticks(pid) != start:
            return None
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            return pid
        return None
    finally:
        os.close(handle)


def start_ticks(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; -1 when there is none (proc(5), field 22)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return -1
