"""What is known of generations that have begun and whose end is not in the audit log yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class RecordBytes(NamedTuple):
    """An audit record: its id, and the bytes that are compared and never made again."""

    id: str
    content: bytes


class Checkpoint(NamedTuple):
    """How far a generation had come at a time (µs since 1970)."""

    generation_id: str
    output_tokens: int
    at_us: int


class Orphan(NamedTuple):
    """A generation whose owner is silent. ``started``: bytes of the record of its start."""

    last: Checkpoint
    started: bytes


@dataclass(frozen=True, slots=True)
class EvidenceTiming:
    """A generation whose router was silent for ``lease_s`` is closed by another, which looks every ``sweep_s``.

    ``end_s``: how long an end is tried. ``longest_s``: no generation lives longer; one that does was forgotten by its own router.
    """

    lease_s: float = 30.0
    heartbeat_s: float = 5.0
    sweep_s: float = 5.0
    end_s: float = 5.0
    longest_s: float = 3_600.0
