"""Connections of a puller that wait for the next pull: a handshake or a mapping of an arena takes longer than many a transfer."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress

from engine.handoff.claims import Location
from engine.handoff.errors import Refused
from engine.handoff.layout import Layout
from engine.handoff.link import Link, LinkBroken
from engine.handoff.mappings import Mappings
from engine.handoff.ticket import Ticket
from engine.handoff.tls import TlsEnd

_ELSEWHERE = frozenset({"NOT_THIS_HOST", "PEER_GONE", "STALLED", "PEER_NOT_ALLOWED"})
"""Reasons to try a ticket's next location."""


class Links:
    """Thread-safe. At most ``idle_links`` wait for each location."""

    def __init__(self, layout: Layout, tls: TlsEnd | None, io_s: float, idle_links: int) -> None:
        self._layout, self._tls, self._io_s, self._idle_links = layout, tls, io_s, idle_links
        self._lock = threading.Lock()
        self._idle: dict[Location, list[Link]] = {}
        self._closed = False
        self.mappings = Mappings()

    def new(self, location: Location) -> Link:
        """Return a new connection. Raises LinkBroken, Refused."""
        return Link(location, self._layout, self._tls, self._io_s, self.mappings)

    def to(self, ticket: Ticket) -> tuple[Link, bool]:
        """Return a connection to the publisher's incarnation, and whether it is new: by the first location that leads there.

        Raises LinkBroken when none does, Refused with the publisher's reason.
        """
        reason = LinkBroken("PEER_GONE", "no location")
        for location in ticket.locations:
            if (kept := self._kept(location)) is not None:
                if kept.incarnation == ticket.incarnation and kept.alive():
                    return kept, False
                kept.close()
            try:
                link = self.new(location)
            except LinkBroken as broken:
                if broken.reason not in _ELSEWHERE:
                    raise
                reason = LinkBroken("PEER_GONE", str(broken)) if broken.reason == "NOT_THIS_HOST" else broken
                continue
            if link.incarnation == ticket.incarnation:
                return link, True
            link.close()
            reason = LinkBroken("PEER_GONE", "another incarnation answers")
        raise reason

    def _kept(self, location: Location) -> Link | None:
        with self._lock:
            idle = self._idle.get(location)
            return idle.pop() if idle else None

    def keep(self, link: Link) -> None:
        """Let a connection wait, or close it: one that is closed, or too many."""
        with self._lock:
            idle = self._idle.setdefault(link.location, [])
            if not self._closed and not link.closed and len(idle) < self._idle_links:
                idle.append(link)
                return
        link.close()

    def warm(self, locations: Iterable[Location]) -> None:
        """Connect ahead of the first pull to the best location that leads anywhere. Failing is no error."""
        for location in locations:
            with suppress(LinkBroken, Refused):
                self.keep(self.new(location))
                return

    def prune(self) -> None:
        """Close those whose publisher is gone, and with them its memory. To be called about once a second."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for link in (each for links in idle.values() for each in links):
            if link.alive():
                self.keep(link)
            else:
                link.close()

    def close(self) -> None:
        """Close those that wait, and from now on each that would."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, {}
        for link in (each for links in idle.values() for each in links):
            link.close()
