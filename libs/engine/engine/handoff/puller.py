"""The pulling end: a ticket's blocks into a row, verified, then committed.

A pull lands in the row's final place, so that committing copies nothing. Whatever goes wrong before the last checksum, everything that
landed is discarded and it is tried once more; then the caller gets `PullFailed`, which the router answers with a new epoch. Surprising:
once all is verified, a publisher that died or whose lease ran out is no reason to stop; one that says FENCED always is, because then
somebody else may hold the same request.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from engine.handoff import wire
from engine.handoff.claims import Location
from engine.handoff.errors import PullFailed, Refused
from engine.handoff.layout import Layout
from engine.handoff.link import Link, LinkBroken
from engine.handoff.links import Links
from engine.handoff.memory import Outcome, Outcomes
from engine.handoff.pack import Timing
from engine.handoff.rows import RowView
from engine.handoff.ticket import Ticket
from engine.handoff.tls import TlsEnd
from engine.handoff.wire import Kind, PullRef

AGAIN = frozenset({"CHECKSUM", "SHORT_READ", "GAP", "STALLED", "PEER_GONE", "MALFORMED"})
"""Reasons for one more pull."""


@dataclass(frozen=True, slots=True)
class PullLimits:
    """``io_s``: without progress; ``heartbeat_s``: between two; ``idle_links``: kept for each location."""

    io_s: float = 5.0
    heartbeat_s: float = 10.0
    idle_links: int = 16
    remembered: int = 16_384


@dataclass(slots=True)
class Pulled:
    """A pull that may go on. ``commit``: COMMITTED, EXPIRED or PEER_GONE; ``pull_s``: all of it, verifying included."""

    size_bytes: int
    pulls: int
    transport: str
    commit: str
    pull_s: float
    copy_s: float
    verify_s: float


@dataclass(slots=True)
class Attempt:
    """One try of a pull. ``number``: as granted, 0 before that."""

    ticket: Ticket
    row: RowView
    first_block: int
    cancelled: Callable[[], bool]
    number: int = 0
    size_bytes: int = 0
    timing: Timing = field(default_factory=Timing)

    def ref(self) -> bytes:
        return _ref(self.ticket, self.number)


class Puller:
    """Thread-safe; one pull takes the thread that asks for it. ``links``: its connections, to be pruned and closed by the owner."""

    def __init__(
        self,
        layout: Layout,
        tls: TlsEnd | None = None,
        *,
        limits: PullLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._layout, self._clock = layout, clock
        self._limits = limits or PullLimits()
        self.links = Links(layout, tls, self._limits.io_s, self._limits.idle_links)
        self._lock = threading.Lock()
        self._active: set[tuple[str, int]] = set()
        self._begun = Outcomes(self._limits.remembered, wall)
        self._spent = Outcomes(self._limits.remembered, wall)

    def pull(
        self, ticket: Ticket, landing: RowView, first_block: int = 0, cancelled: Callable[[], bool] = lambda: False
    ) -> Pulled:  # fmt: skip
        """Fill the row from block ``first_block`` on and commit. ``cancelled`` is looked at between blocks.

        Raises PullFailed; the row's tokens from ``first_block`` on are zero then.
        """
        self._begin(ticket, landing, first_block)
        before, attempt = self._clock(), Attempt(ticket, landing, first_block, cancelled)
        try:
            pulls = 1
            try:
                transport, commit = self._try(attempt)
            except PullFailed as failed:
                if failed.reason not in AGAIN or cancelled():
                    raise
                pulls = 2
                transport, commit = self._try(attempt)
            with self._lock:
                self._spent.put(ticket.handoff_id, Outcome(ticket.epoch, commit))
        finally:
            with self._lock:
                self._active.remove((ticket.handoff_id, ticket.epoch))
        return Pulled(
            size_bytes=attempt.size_bytes,
            pulls=pulls,
            transport=transport,
            commit=commit,
            pull_s=self._clock() - before,
            copy_s=attempt.timing.copy_s,
            verify_s=attempt.timing.verify_s,
        )

    def _begin(self, ticket: Ticket, landing: RowView, first_block: int) -> None:
        """Raise PullFailed for what no transfer could mend; remember the hand-off, so that a lower epoch is fenced from here on."""
        if ticket.layout_digest != self._layout.digest or ticket.block_tokens != self._layout.block_tokens:
            raise PullFailed("LAYOUT_MISMATCH")
        if not ticket.first_block <= first_block < ticket.blocks:
            raise PullFailed("GAP", f"blocks from {ticket.first_block} to {ticket.blocks} were published, {first_block} was wanted")
        try:
            landing.fits(self._layout, ticket.token_count, writable=True)
            with self._lock:
                self._begun.admit(ticket.handoff_id)
                begun, spent = self._begun.get(ticket.handoff_id), self._spent.get(ticket.handoff_id)
                if begun is not None and begun.epoch > ticket.epoch:
                    raise Refused("FENCED", "a higher epoch was pulled here")
                if spent is not None and spent.epoch >= ticket.epoch:
                    raise Refused("SPENT", "the ticket was used")
                if (ticket.handoff_id, ticket.epoch) in self._active:
                    raise Refused("SPENT", "the ticket is being used")
                self._begun.put(ticket.handoff_id, Outcome(ticket.epoch, "BEGUN"))
                self._active.add((ticket.handoff_id, ticket.epoch))
        except Refused as refused:
            raise PullFailed(refused.reason, refused.message) from refused

    def _try(self, attempt: Attempt) -> tuple[str, str]:
        """Pull once. Returns the transport and what became of the commit. Raises PullFailed; nothing that landed is left then."""
        link: Link | None = None
        try:
            link, places = self._grant(attempt)
            self._land(link, attempt, places)
            commit = self._commit(link, attempt)
        except BaseException as error:
            self._discard(attempt)
            if link is not None:
                self._release(link, attempt, error)
            if isinstance(error, LinkBroken | Refused):
                raise _failed(error) from error
            raise
        self.links.keep(link)
        return link.location.kind, commit

    def _grant(self, attempt: Attempt) -> tuple[Link, list[tuple[int, int]]]:
        """Return a connection on which the pull was granted, and (offset, valid tokens) of its blocks."""
        ticket = attempt.ticket
        while True:
            link, fresh = self.links.to(ticket)
            try:
                number, blocks = wire.manifest(link.ask(Kind.GRANT, attempt.ref(), Kind.GRANTED))
                break
            except Refused:
                self.links.keep(link)
                raise
            except LinkBroken:
                link.close()
                if fresh:
                    raise
            # an idle connection had died: try with one that is new
        attempt.number = number
        expected = [
            (ticket.valid_tokens(block) * self._layout.token_bytes, ticket.valid_tokens(block), checksum)
            for block, checksum in enumerate(ticket.checksums, ticket.first_block)
        ]
        if [(size, valid, checksum) for _, size, valid, checksum in blocks] != expected:
            self._release(link, attempt, None)
            raise Refused("GAP", "what is offered is not what the ticket names")
        return link, [(offset, valid) for offset, _, valid, _ in blocks]

    def _land(self, link: Link, attempt: Attempt, places: list[tuple[int, int]]) -> None:
        ticket, beat = attempt.ticket, self._clock()
        attempt.size_bytes = 0
        for block in range(attempt.first_block, ticket.blocks):
            if attempt.cancelled():
                raise Refused("CANCELLED")
            if self._clock() - beat >= self._limits.heartbeat_s:
                link.ask(Kind.HEARTBEAT, attempt.ref(), Kind.OK)
                beat = self._clock()
            place = block - ticket.first_block
            offset, valid = places[place]
            found = link.land(place, offset, attempt.row, block, valid, attempt.timing)
            if found != ticket.checksums[place]:
                raise Refused("CHECKSUM", f"block {block}")
            attempt.size_bytes += valid * self._layout.token_bytes

    def _commit(self, link: Link, attempt: Attempt) -> str:
        """Return COMMITTED, EXPIRED or PEER_GONE. Raises Refused for everything that must stop a verified pull."""
        self._fenced(attempt.ticket)
        try:
            try:
                link.ask(Kind.COMMIT, attempt.ref(), Kind.OK)
            except LinkBroken:
                link.close()
                with suppress(LinkBroken):
                    return self._commit_again(link.location, attempt)
                return "PEER_GONE"
        except Refused as refused:
            if refused.reason != "EXPIRED":
                raise
            return "EXPIRED"
        self._fenced(attempt.ticket)
        return "COMMITTED"

    def _commit_again(self, location: Location, attempt: Attempt) -> str:
        """The answer was lost: ask once more on a new connection. Another incarnation knows nothing, so that ours is gone."""
        again = self.links.new(location)
        try:
            if again.incarnation != attempt.ticket.incarnation:
                return "PEER_GONE"
            again.ask(Kind.COMMIT, attempt.ref(), Kind.OK)
            return "COMMITTED"
        finally:
            again.close()

    def _fenced(self, ticket: Ticket) -> None:
        with self._lock:
            begun = self._begun.get(ticket.handoff_id)
        if begun is not None and begun.epoch > ticket.epoch:
            raise Refused("FENCED", "a higher epoch came while this one was pulled")

    def _discard(self, attempt: Attempt) -> None:
        attempt.row.clear(attempt.first_block * self._layout.block_tokens, attempt.ticket.token_count)

    def _release(self, link: Link, attempt: Attempt, error: BaseException | None) -> None:
        """Tell the publisher that we read no more, by word or by the end of the connection."""
        if error is None or isinstance(error, Refused):
            with suppress(LinkBroken, Refused):
                link.ask(Kind.RELEASE, attempt.ref(), Kind.OK)
                self.links.keep(link)
                return
        link.close()

    def heartbeat(self, ticket: Ticket) -> None:
        """Extend the lease of a ticket whose pull has not begun. Raises PullFailed."""
        try:
            link, _ = self.links.to(ticket)
            try:
                link.ask(Kind.HEARTBEAT, _ref(ticket, 0), Kind.OK)
            except LinkBroken:
                link.close()
                raise
            self.links.keep(link)
        except (LinkBroken, Refused) as error:
            raise _failed(error) from error

    def held(self) -> list[str]:
        """Return pulls that run, one line each."""
        with self._lock:
            return [f"pull {handoff_id} epoch {epoch}" for handoff_id, epoch in sorted(self._active)]


def _ref(ticket: Ticket, number: int) -> bytes:
    return PullRef(uuid.UUID(ticket.handoff_id).bytes, ticket.epoch, number, ticket.access_token).packed()


def _failed(error: LinkBroken | Refused) -> PullFailed:
    return PullFailed("LEASE_EXPIRED" if error.reason == "EXPIRED" else error.reason, error.message)
