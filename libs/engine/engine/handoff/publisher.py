"""The publishing end: an arena, the protocol's machine and tickets, under one lock.

Surprising: packing runs outside of the lock (it takes milliseconds), as a reader that keeps its blocks whatever ends the hand-off
meanwhile; and blocks are zeroed outside of it too, between being nobody's and being free. Whoever owns it calls `sweep` about once a
second: leases end by the clock, not by a message.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, fields

from engine.handoff.arena import Arena
from engine.handoff.claims import Claims, Location
from engine.handoff.errors import Refused
from engine.handoff.machine import PACKER, Key, Lease, Machine
from engine.handoff.pack import BlockRef, pack
from engine.handoff.rows import RowView
from engine.handoff.ticket import SCHEMA_VERSION, Ticket, TicketKey, new_access_token


@dataclass(slots=True)
class _Held:
    """What one hand-off holds: places in the arena, and what was published of them."""

    places: list[int]
    tokens: int
    first_block: int
    token: bytes = field(default_factory=new_access_token)
    refs: list[BlockRef] = field(default_factory=list)
    packing: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class PublishTiming:
    """Seconds: copying and hashing, then making and signing the ticket."""

    pack_s: float
    publish_s: float


class Publisher:
    """Thread-safe. ``key``: called for each ticket, so that keys can change; ``locations``: best first, set by its server."""

    locations: tuple[Location, ...] = ()

    def __init__(
        self,
        arena: Arena,
        key: Callable[[], TicketKey],
        incarnation: str,
        *,
        lease: Lease | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.arena, self.layout, self.incarnation = arena, arena.layout, incarnation
        self.machine = Machine(clock, wall, lease)
        self.lock = threading.Lock()
        self._key, self._wall = key, wall
        self._held: dict[Key, _Held] = {}
        self._clearing: set[Key] = set()

    def reserve(self, handoff_id: str, epoch: int, tokens: int, *, first_block: int = 0, ttl_s: float = 60.0) -> None:
        """Hold room for a prompt before it is read. Raises Refused (OVERLOADED, ID_REUSED, STALE_EPOCH, …): nothing is held then."""
        blocks = self.layout.blocks(tokens) - first_block
        if tokens < 1 or first_block < 0 or blocks < 1:
            raise Refused("GAP", f"{tokens} tokens from block {first_block} on are none")
        with self.lock:
            places = self.arena.allocate(blocks)
            try:
                self.machine.reserve(handoff_id, epoch, ttl_s)
            except Refused:
                self.arena.free(places)
                raise
            self._held[handoff_id, epoch] = _Held(places, tokens, first_block)

    def start(self, handoff_id: str, epoch: int) -> None:
        """The prompt is being read. Raises Refused with the reason for which nobody wants it any more."""
        with self.lock:
            self.machine.start(handoff_id, epoch)

    def publish(self, claims: Claims, row: RowView) -> tuple[bytes, PublishTiming]:
        """Pack the row's blocks, return the signed ticket: the lease runs. Raises Refused, also when it ended meanwhile."""
        key, before = (claims.handoff_id, claims.epoch), time.perf_counter()
        row.fits(self.layout, claims.token_count)
        with self._packing(*key) as held:
            try:
                if (held.tokens, held.first_block) != (claims.token_count, claims.first_block):
                    raise Refused("GAP", "another length was reserved")
                self._pack(held, row, self.layout.blocks(held.tokens))
                packed = time.perf_counter()
                ticket = self._ticket(claims, held).sign(self._key())
                with self.lock:
                    self.machine.publish(*key)
            except BaseException:
                with self.lock:
                    self.machine.abort(*key, "NOT_PUBLISHED")
                raise
        return ticket, PublishTiming(packed - before, time.perf_counter() - packed)

    def pack_ahead(self, handoff_id: str, epoch: int, row: RowView, tokens: int) -> None:
        """Pack the whole blocks of the first ``tokens`` tokens before the rest is read: they are warm, and less is left to the end.

        Raises Refused with the reason for which nobody wants the hand-off any more.
        """
        row.fits(self.layout, tokens)
        with self._packing(handoff_id, epoch) as held:
            self._pack(held, row, min(tokens, held.tokens) // self.layout.block_tokens)

    @contextmanager
    def _packing(self, handoff_id: str, epoch: int) -> Iterator[_Held]:
        """One thread after the other packs, as a reader. Raises Refused."""
        with self.lock:
            held = self._held.get((handoff_id, epoch))
        with held.packing if held is not None else nullcontext():
            with self.lock:
                self.machine.pack(handoff_id, epoch)
                held = self._held[handoff_id, epoch]
            try:
                yield held
            finally:
                with self.lock:
                    if (handoff_id, epoch) in self._held:
                        self.machine.released(handoff_id, epoch, PACKER)

    def _pack(self, held: _Held, row: RowView, end: int) -> None:
        """Pack what is not packed yet, up to before block ``end``."""
        done = len(held.refs)
        numbers = range(held.first_block + done, max(end, held.first_block + done))
        held.refs += pack(row, held.tokens, self.arena, held.places[done : done + len(numbers)], numbers)

    def _ticket(self, claims: Claims, held: _Held) -> Ticket:
        return Ticket(
            **{each.name: getattr(claims, each.name) for each in fields(Claims)},
            schema_version=SCHEMA_VERSION,
            layout_digest=self.layout.digest,
            block_tokens=self.layout.block_tokens,
            incarnation=self.incarnation,
            checksums=tuple(ref.xxh3_64 for ref in held.refs),
            last_valid_tokens=held.refs[-1].valid_tokens,
            locations=self.locations,
            access_token=held.token,
            lease_ms=int(self.machine.lease.lease_s * 1000),
            published_unix_ms=int(self._wall() * 1000),
        )

    def abort(self, handoff_id: str, epoch: int, reason: str = "CANCELLED") -> None:
        """End this epoch and all lower ones; a transfer that runs ends its chunk, then the bytes are freed. Harmless when there is none."""
        with self.lock:
            self.machine.abort(handoff_id, epoch, reason)
        self.sweep()

    def grant(self, handoff_id: str, epoch: int, token: bytes, after: int = 0) -> tuple[int, list[BlockRef]]:
        """Let a pull begin: its number, and the blocks. The reader is held until `commit` or `released`. Raises Refused."""
        with self.lock:
            self._authorise(handoff_id, epoch, token)
            number = self.machine.grant(handoff_id, epoch, after)
            return number, list(self._held[handoff_id, epoch].refs)

    def check(self, handoff_id: str, epoch: int, pull_no: int) -> None:
        """Raise Refused with the reason for which a pull that was granted must not go on."""
        with self.lock:
            self.machine.check(handoff_id, epoch, pull_no)

    def heartbeat(self, handoff_id: str, epoch: int, token: bytes, pull_no: int) -> None:
        """Extend the lease. Raises Refused."""
        with self.lock:
            self._authorise(handoff_id, epoch, token)
            self.machine.heartbeat(handoff_id, epoch, pull_no)

    def commit(self, handoff_id: str, epoch: int, token: bytes, pull_no: int) -> None:
        """End a hand-off well. Raises Refused."""
        with self.lock:
            self._authorise(handoff_id, epoch, token)
            self.machine.commit(handoff_id, epoch, pull_no)

    def released(self, handoff_id: str, epoch: int, pull_no: int) -> None:
        """A puller said that it reads no more, or died."""
        with self.lock:
            self.machine.released(handoff_id, epoch, pull_no)

    def _authorise(self, handoff_id: str, epoch: int, token: bytes) -> None:
        """A wrong token is answered as an unknown hand-off; what is cleared has no token left, and nothing to protect but its outcome."""
        held = self._held.get((handoff_id, epoch))
        if held is not None and not hmac.compare_digest(held.token, token):
            raise Refused("UNKNOWN")

    def sweep(self) -> None:
        """End what is overdue, zero and free what ended and nobody reads."""
        with self.lock:
            self.machine.expire()
            ready = [key for key in self.machine.clearable() if key not in self._clearing]
            self._clearing.update(ready)
        for key in ready:
            self.arena.zeroise(self._held[key].places)
            with self.lock:
                self.arena.free(self._held.pop(key).places)
                self.machine.clear(*key)
                self._clearing.discard(key)

    def held(self) -> list[str]:
        """Return what is held by whom, one line each: empty when every hand-off ended and its bytes are free."""
        with self.lock:
            lines = [
                f"hand-off {handoff_id} epoch {epoch} {each.state} blocks {len(self._held[handoff_id, epoch].places)}"
                + (f" readers {sorted(each.readers)}" if each.readers else "")
                for (handoff_id, epoch), each in self.machine.live().items()
            ]
            owned = sum(len(each.places) for each in self._held.values()) * self.arena.stride_bytes
            if owned != self.arena.used_bytes:
                lines.append(f"arena {self.arena.used_bytes - owned} bytes without owner")
            return lines

    def close(self) -> None:
        """End every hand-off and give the arena back: nobody may be served any more."""
        with self.lock:
            for handoff_id, epoch in list(self.machine.live()):
                with suppress(Refused):
                    self.machine.abort(handoff_id, epoch, "CLOSED")
        self.sweep()
        self.arena.close()
