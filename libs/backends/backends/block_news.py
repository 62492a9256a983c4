"""KV events of one engine in order and without gaps, whatever the link did. Pure.

Surprising: what is told while the engine's whole state is being asked for is kept, because the two travel apart: the answer says up to
which number it holds, and only what lies behind that is told on.
"""

from __future__ import annotations

from finmesh.inference.v1.worker_pb2 import KvEvent


class BlockNews:
    """``is_behind``: a number was missed, and everything since has to be asked for again."""

    def __init__(self) -> None:
        self._seq = 0
        self._kept: list[KvEvent] | None = []
        self.is_behind = False

    def begin(self, is_same: bool) -> int:
        """Return after which number to ask; ``is_same``: of the incarnation that was heard before."""
        if not is_same:
            self._seq = 0
        if self._kept is None:
            self._kept = []
        return self._seq

    def caught_up(self, answer: list[KvEvent]) -> list[KvEvent]:
        """Take the answer; return what is news."""
        kept, self._kept, self.is_behind = self._kept or [], None, False
        return [*self.told(answer), *self.told(kept)]

    def told(self, events: list[KvEvent]) -> list[KvEvent]:
        """Take what the engine tells; return what is news."""
        if self._kept is not None:
            self._kept += events
            return []
        news = []
        for event in events:
            if event.cleared:
                self._seq = event.seq
                news.append(event)
            elif event.seq == self._seq + 1 and not self.is_behind:
                self._seq += 1
                news.append(event)
            elif event.seq > self._seq:
                self.is_behind = True
        return news
