"""What one generation used, as its audit record says; and where the reader of those records stands. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain.token_shares import TokenCount, Whose


@dataclass(frozen=True, slots=True)
class TokenUse:
    """``generation``: 16 bytes, what makes it count once. ``call``: the id that the gateway gave the call. ``at_s``: when it ended."""

    generation: bytes
    call: str
    whose: Whose
    used: TokenCount
    at_s: float


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the topic of audit records: partition, and what stands for the offset behind what was read; "" nothing was."""

    partition: str
    at: str
