"""A publisher and a puller that spoil hand-offs on purpose.

Each is the real one and does one thing more, as nature would: a bit of the packed bytes flips, a block lies behind the end of the
memory, a connection ends, a ticket is of another version. A short read is the publisher's doing when it does not heal, the puller's
when it does.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from typing import Any

from engine.handoff.claims import Claims
from engine.handoff.errors import Refused
from engine.handoff.link import Link
from engine.handoff.pack import BlockRef
from engine.handoff.publisher import Publisher, PublishTiming
from engine.handoff.puller import Attempt, Puller
from engine.handoff.rows import RowView

Draw = Callable[[str, int], str]
Tell = Callable[[str, str], None]


class SpoilingPublisher(Publisher):
    """``draw``: kind for id and epoch, or empty; ``tell(kind, id)``: it was done; ``heals(id)``: a second pull is right."""

    def __init__(self, *arguments: Any, draw: Draw, tell: Tell, heals: Callable[[str], bool], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._draw, self._tell, self._heals = draw, tell, heals

    def reserve(self, handoff_id: str, epoch: int, tokens: int, *, first_block: int = 0, ttl_s: float = 60.0) -> None:
        """As the real one, or OVERLOADED."""
        if self._draw(handoff_id, epoch) == "overload":
            self._tell("overload", handoff_id)
            raise Refused("OVERLOADED", "on purpose")
        super().reserve(handoff_id, epoch, tokens, first_block=first_block, ttl_s=ttl_s)

    def publish(self, claims: Claims, row: RowView) -> tuple[bytes, PublishTiming]:
        """As the real one, and spoil what was published."""
        signed, timing = super().publish(claims, row)
        key, kind = (claims.handoff_id, claims.epoch), self._draw(claims.handoff_id, claims.epoch)
        if kind == "flipped_bit":
            self._flip(key)
        elif kind == "stale_epoch":
            self.abort(*key, "FENCED")
        elif kind == "expired_lease":
            with self.lock:
                self.machine.live()[key].until_s = 0.0
        elif kind == "version_skew":
            signed = self._of_next_version(signed)
        if kind in ("flipped_bit", "stale_epoch", "expired_lease", "version_skew"):
            self._tell(kind, claims.handoff_id)
        return signed, timing

    def grant(self, handoff_id: str, epoch: int, token: bytes, after: int = 0) -> tuple[int, list[BlockRef]]:
        """As the real one, with the last block behind the end of the memory, or with bytes that healed."""
        number, refs = super().grant(handoff_id, epoch, token, after)
        kind = self._draw(handoff_id, epoch)
        if kind == "short_read" and not self._heals(handoff_id):
            refs[-1] = dataclasses.replace(refs[-1], offset=self.arena.bytes - refs[-1].size_bytes + 1)
            if number == 1:
                self._tell(kind, handoff_id)
        if kind == "flipped_bit" and number == 2 and self._heals(handoff_id):
            self._flip((handoff_id, epoch))
        return number, refs

    def _flip(self, key: tuple[str, int]) -> None:
        with self.lock:
            ref = self._held[key].refs[0]
            self.arena.at(ref.offset, ref.valid_tokens)[0, 0, 0, 0] ^= 1

    def _of_next_version(self, signed: bytes) -> bytes:
        head = signed[:4] + struct.pack("!H", int.from_bytes(signed[4:6]) + 1) + signed[6:-32]
        return head + self._key().signature(head)


class SpoilingPuller(Puller):
    """Its connection ends before the first block, once for each hand-off that is drawn as a short read and that heals."""

    def __init__(self, *arguments: Any, draw: Draw, tell: Tell, heals: Callable[[str], bool], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._draw, self._tell, self._heals = draw, tell, heals

    def _land(self, link: Link, attempt: Attempt, places: list[tuple[int, int]]) -> None:
        ticket = attempt.ticket
        if attempt.number == 1 and self._draw(ticket.handoff_id, ticket.epoch) == "short_read" and self._heals(ticket.handoff_id):
            self._tell("short_read", ticket.handoff_id)
            link.close()
        super()._land(link, attempt, places)
