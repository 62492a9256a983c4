"""What is remembered of hand-offs that hold nothing any more, in bounded memory.

Surprising: an id is never taken twice although not all ids are remembered. A UUIDv7 carries its time; whoever is forgotten leaves a
watermark behind, and ids that are not younger than it are refused. Ids from the future are refused too, or one wrong clock would lift
the watermark over everybody else's.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from engine.handoff.errors import Refused

AHEAD_MS = 300_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the highest epoch of a hand-off ended. ``reason`` answers whoever comes late; ``pull_no``: the newest that was granted."""

    epoch: int
    reason: str
    pull_no: int = 0


class Outcomes:
    """At most ``most`` outcomes, the oldest forgotten first. ``wall``: Unix seconds."""

    def __init__(self, most: int, wall: Callable[[], float]) -> None:
        self._most, self._wall = most, wall
        self._known: OrderedDict[str, Outcome] = OrderedDict()
        self._forgotten_ms = 0

    def __len__(self) -> int:
        return len(self._known)

    def get(self, handoff_id: str) -> Outcome | None:
        """Return how a hand-off ended, None when that is not known."""
        return self._known.get(handoff_id)

    def put(self, handoff_id: str, outcome: Outcome) -> None:
        """Remember; only a higher epoch replaces what is known."""
        known = self._known.get(handoff_id)
        if known is not None and known.epoch >= outcome.epoch:
            return
        self._known[handoff_id] = outcome
        self._known.move_to_end(handoff_id)
        while len(self._known) > self._most:
            forgotten, _ = self._known.popitem(last=False)
            self._forgotten_ms = max(self._forgotten_ms, born_ms(forgotten))

    def admit(self, handoff_id: str) -> None:
        """Raise Refused (ID_INVALID, ID_TOO_OLD) for an id that is none, or that could be one of those forgotten."""
        born = born_ms(handoff_id)
        if born > self._wall() * 1000 + AHEAD_MS:
            raise Refused("ID_INVALID", "the id is from the future")
        if born <= self._forgotten_ms and handoff_id not in self._known:
            raise Refused("ID_TOO_OLD", "the id may have been used")


def born_ms(handoff_id: str) -> int:
    """Return when a UUIDv7 in its canonical form was made, Unix milliseconds. Raises Refused (ID_INVALID) for anything else."""
    try:
        parsed = uuid.UUID(handoff_id)
    except (ValueError, AttributeError, TypeError):
        raise Refused("ID_INVALID", "the id is no UUID") from None
    if str(parsed) != handoff_id or parsed.version != 7 or parsed.variant != uuid.RFC_4122:
        raise Refused("ID_INVALID", "the id is no UUIDv7 in its canonical form")
    return parsed.int >> 80
