"""Poison pills: a record that our code fails on must not stop what comes behind it, and a bad release must not drain a topic (ADR 16).

A batch whose handling raises what is no plain refusal and no reason to wait is looked at record by record. What fails alone is *poison*
when something speaks for the code: another record of the same batch is answered, or, for a single record that fails, something was
answered on this topic since the last such record was taken out. A refusal speaks for nothing. One success pays for one single record, so a
release that fails on everything takes out one record at most and then stands; one poison record in a quiet topic leaves as soon as
anything has come through, before it or behind it.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiokafka.errors import IllegalOperation, KafkaError

from meshkit.errors import DeadlineExceeded, MeshError, Overloaded, QuotaExceeded, Unavailable
from meshkit.events.health import Health
from meshkit.events.message import Record
from meshkit.telemetry import metrics, names

log = logging.getLogger(__name__)

INTERNAL_ERROR = "INTERNAL_ERROR"
Place = tuple[int, int]  # partition, offset
Poison = Mapping[Place, Exception]
NO_POISON: Poison = {}
_COMPONENT = "poison"
_NO_FAULT_OF_A_RECORD = (Unavailable, DeadlineExceeded, Overloaded, QuotaExceeded, KafkaError, IllegalOperation, OSError, MemoryError)


class FaultError(Exception):
    """Our code failed on records; ``__cause__`` says how."""


class AllFailedError(Exception):
    """Records fail and nothing speaks for the code: nothing may be taken out."""


def waits(error: Exception) -> bool:
    """Whether an error says that something needed is away: the same records come again, and are never poison for it."""
    return isinstance(error, _NO_FAULT_OF_A_RECORD)


def place_of(record: Record) -> Place:
    """Return a record's place in its topic."""
    return record.partition, record.offset


def internal_error(error: Exception) -> MeshError:
    """Return the error of a poison record's dead letter. It names type and line, never the text: that may hold personal data."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    return MeshError(f"{type(error).__name__}{where}", reason=INTERNAL_ERROR)


async def failing_alone(
    records: Sequence[Record], attempt: Callable[[Sequence[Record]], Awaitable[bool]]
) -> tuple[dict[Place, Exception], bool]:
    """Return which records of a batch fail alone, by bisection, and whether any was answered.

    ``attempt`` says whether it answered any; it raises FaultError when it fails.
    """
    parts = [records]
    found: dict[Place, Exception] = {}
    answered = False
    while parts:
        part = parts.pop()
        try:
            answered |= await attempt(part)
        except FaultError as fault:
            middle = len(part) // 2
            if middle:
                parts += [part[middle:], part[:middle]]
            else:
                assert isinstance(fault.__cause__, Exception)
                found[place_of(part[0])] = fault.__cause__
    return found, answered


class Isolation:
    """Decides for one topic in one process what is poison, and alarms: metric, log line, and a health detail until a person has looked."""

    def __init__(self, topic: str, health: Health) -> None:
        self._topic = topic
        self._health = health
        self._proven = False
        self._taken_out = metrics.meter().create_counter(
            "finmesh.events.poison", description="records that were taken out because our code failed on them"
        )

    def check(self, found: Poison, answered: bool) -> None:
        """Raise AllFailedError unless what was found may be taken out; ``answered``: another record of the batch was."""
        if answered or not found:
            return
        if len(found) > 1 or not self._proven:
            raise AllFailedError(f"nothing of a batch can be handled: {internal_error(next(iter(found.values()))).message}")
        self._proven = False

    def stored(self, poison: Poison, answered: bool) -> None:
        """Note that a batch is stored, and tell what was taken out of it."""
        self._proven |= answered
        for (partition, offset), error in poison.items():
            place = f"{self._topic}/{partition}/{offset}"
            self._taken_out.add(1, {names.MESSAGING_DESTINATION: self._topic})
            log.error(
                "a record was taken out: our code failed on it", extra={"facts": {"place": place, "error": internal_error(error).message}}
            )
            self._health.degraded(_COMPONENT, f"{INTERNAL_ERROR} {place}")
