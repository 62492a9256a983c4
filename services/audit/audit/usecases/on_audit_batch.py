"""Messages of the audit topic become leaves; whatever they are, something of them is in the log.

Nothing is refused and nothing stalls: bytes that are no batch, a forged signature, a record without an id become poison leaves whose
content waits sealed. A forged batch never moves a producer's position: a huge epoch would otherwise hide the holes that follow.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from meshkit.clock import Clock
from translog.entries import Batch, Entry, Gap, NextOffset, Poison, ProducerPosition, Record, Source
from translog.errors import TranslogError
from translog.planning import Outcome

from audit.domain.message import Lost, Message, UnusableError
from audit.domain.sequences import Sequences
from audit.ports import Alarms, AuditLog, BatchCodec


class OnAuditBatch:
    """Logs messages, one transaction a call. Not for concurrent use: producers' positions are kept between calls."""

    def __init__(self, log: AuditLog, codec: BatchCodec, alarms: Alarms, clock: Clock) -> None:
        self._log = log
        self._codec = codec
        self._alarms = alarms
        self._clock = clock
        self._producers: dict[str, ProducerPosition] = {}

    async def offsets(self, topic: str) -> dict[int, NextOffset]:
        """Return where a topic goes on, by partition, and forget what was not committed."""
        offsets = {offset.partition: offset for offset in await self._log.offsets() if offset.topic == topic}
        self._producers = {position.name: position for position in await self._log.producers()}
        return offsets

    async def store(self, messages: Sequence[Message], lost: Sequence[Lost], offsets: Sequence[NextOffset]) -> None:
        """Commit messages, losses and offsets together."""
        sequences = Sequences(self._producers)
        entries: list[Entry] = [_gap(loss) for loss in lost]
        for message in messages:
            entries += self._entries(message, sequences)
        batch = Batch(tuple(entries), int(self._clock.now_s() * 1000), tuple(offsets), tuple(sequences.moved.values()))
        committed = await self._log.append(batch)
        self._producers |= sequences.moved
        self._report(committed.outcomes, committed.checkpoint.size)

    def read(self, message: Message) -> bool:
        """Say whether a message is what it claims to be; raises what our code raises on it."""
        return not any(isinstance(entry, Poison) for entry in self._entries(message, Sequences(self._producers)))

    def _entries(self, message: Message, sequences: Sequences) -> Iterator[Entry]:
        if message.poison:
            yield Poison(message.value, "INTERNAL_ERROR", _source(message))
            return
        try:
            envelope = self._codec.envelope(message.value)
        except UnusableError as error:
            yield Poison(message.value, error.reason, _source(message))
            return
        gap = sequences.follow(envelope)
        if gap is not None:
            yield Gap(gap.reason, gap.facts, _source(message))
        for position, body in enumerate(envelope.records):
            yield self._record(body, _source(message, position))

    def _record(self, body: bytes, source: Source) -> Entry:
        try:
            return Record(body, self._codec.keys_of(body), source)
        except UnusableError as error:
            return Poison(body, error.reason, source)
        except TranslogError:
            return Poison(body, "RECORD_NOT_ALLOWED", source)

    def _report(self, outcomes: Sequence[Outcome], size: int) -> None:
        leaves = Counter(outcome.kind for outcome in outcomes if not outcome.duplicate)
        self._alarms.committed(leaves, sum(outcome.duplicate for outcome in outcomes), size)


def _source(message: Message, position: int = 0) -> Source:
    return Source(message.topic, message.partition, message.incarnation, message.offset, position)


def _gap(lost: Lost) -> Gap:
    facts: dict[str, str | int] = {
        "topic": lost.topic,
        "partition": lost.partition,
        "due_topic_id": lost.due_incarnation,
        "due": lost.due,
        "topic_id": lost.incarnation,
        "resumed": lost.resumed,
    }
    return Gap(lost.reason, facts)
