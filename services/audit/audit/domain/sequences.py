"""Completeness: every producer numbers its batches, so a batch that never came leaves a hole.

A new epoch starts at 0. What a producer sent last in an epoch that ended is unknown here; the reconciliation against request counts
finds that. Repeats and late batches of an older epoch are no holes, and never set a position back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from translog.entries import Gap, ProducerPosition

from audit.domain.message import Envelope


@dataclass(slots=True)
class Sequences:
    """Positions of all producers, ahead of what is stored while a batch is being planned."""

    known: Mapping[str, ProducerPosition]
    moved: dict[str, ProducerPosition] = field(default_factory=dict)

    def follow(self, envelope: Envelope) -> Gap | None:
        """Take note of a batch; returns what is missing before it."""
        last = self.moved.get(envelope.producer) or self.known.get(envelope.producer)
        if last is not None and (envelope.epoch, envelope.sequence) <= (last.epoch, last.sequence):
            return None
        same_epoch = last is not None and envelope.epoch == last.epoch
        due = last.sequence + 1 if last is not None and same_epoch else 0
        self.moved[envelope.producer] = ProducerPosition(envelope.producer, envelope.epoch, envelope.sequence)
        if envelope.sequence == due:
            return None
        facts: dict[str, str | int] = {"producer": envelope.producer, "epoch": envelope.epoch, "due": due, "seen": envelope.sequence}
        return Gap("PRODUCER_SEQUENCE", facts)
