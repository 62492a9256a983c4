"""A message of the audit topic and the envelope inside it, without Kafka and protobuf."""

from dataclasses import dataclass


class UnusableError(Exception):
    """Bytes that can't be logged as what they claim to be. ``reason`` stands in the poison leaf: stable, UPPER_SNAKE."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``incarnation`` tells the topic from an earlier one of the same name; ``poison``: our code failed on it before."""

    topic: str
    partition: int
    incarnation: str
    offset: int
    value: bytes
    poison: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """Offsets ``due`` up to ``resumed`` of a partition never came. ``due`` counts in the incarnation before."""

    topic: str
    partition: int
    reason: str
    due_incarnation: str
    due: int
    incarnation: str
    resumed: int


@dataclass(frozen=True, slots=True)
class Envelope:
    """The checked content of a message: whose batch it is, its number, and the exact bytes of its records."""

    producer: str
    epoch: int
    sequence: int
    records: tuple[bytes, ...]
