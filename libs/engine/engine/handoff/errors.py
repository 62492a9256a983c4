"""What a hand-off refuses or fails with. A reason is UPPER_SNAKE and API: add, never rename."""

from __future__ import annotations


class HandoffError(Exception):
    """Base. ``message`` is for people and names no content of a prompt."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(f"{reason}: {message}" if message else reason)
        self.reason = reason
        self.message = message


class TicketRefused(HandoffError):
    """The ticket is damaged, forged, of another version, or for something else than what was asked."""


class Refused(HandoffError):
    """The other end, or this one, does not do it: FENCED, EXPIRED, OVERLOADED, UNKNOWN, ID_REUSED, STALE_EPOCH, …"""


class PullFailed(HandoffError):
    """Nothing landed: CHECKSUM, SHORT_READ, GAP, PEER_GONE, STALLED, FENCED, LEASE_EXPIRED, CANCELLED, …

    All but FENCED, CANCELLED and LAYOUT_MISMATCH may be tried again with a new epoch.
    """
