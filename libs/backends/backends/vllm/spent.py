"""What was taken once and is never taken again: tickets at the decode side, epochs at the prefill side. Pure; times of one clock.

Surprising: it is bounded by time alone in practice, because an entry is only needed while its lease could still be believed; and by number,
because whoever sends more than that is refused rather than believed.
"""

from __future__ import annotations

from meshkit.errors import FailedPrecondition, Overloaded

from backends.vllm.ticket import refused

MOST = 65_536


class Epochs:
    """The highest epoch of each hand-off that was begun, for ``keep_s`` after."""

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._seen: dict[str, tuple[int, float]] = {}

    def begin(self, handoff_id: str, epoch: int, now_s: float) -> None:
        """Take an epoch; a lower or equal one was fenced. Raises FailedPrecondition (STALE_EPOCH), Overloaded."""
        known = self._seen.get(handoff_id)
        if known is not None and epoch <= known[0]:
            raise FailedPrecondition("a newer attempt of this hand-off was begun", reason="STALE_EPOCH")
        self._keep(handoff_id, epoch, now_s)

    def spend(self, handoff_id: str, epoch: int, now_s: float) -> None:
        """Take a ticket, once. Raises FailedPrecondition (TICKET_REFUSED for one that was spent, FENCED for a lower epoch), Overloaded."""
        known = self._seen.get(handoff_id)
        if known is not None and epoch <= known[0]:
            if epoch == known[0]:
                raise refused("SPENT")
            raise FailedPrecondition("a newer attempt of this hand-off was taken", reason="FENCED")
        self._keep(handoff_id, epoch, now_s)

    def _keep(self, handoff_id: str, epoch: int, now_s: float) -> None:
        if len(self._seen) >= MOST:
            self._seen = {each: held for each, held in self._seen.items() if held[1] > now_s}
            if len(self._seen) >= MOST:
                raise Overloaded(f"{MOST} hand-offs in {self._keep_s:g} s are too many", retry_after_s=1.0)
        self._seen[handoff_id] = epoch, now_s + self._keep_s
