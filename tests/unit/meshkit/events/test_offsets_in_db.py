"""Where each partition goes on, and what is lost before that: every combination of what is stored and what the broker has."""

import asyncio

import pytest
from meshkit.config import KafkaSettings
from meshkit.events.offsets_in_db import Loss, LossReason, OffsetsInDb, Position, resume
from meshkit.events.topic_ids import TopicIdentity

ONE = TopicIdentity("topic-id", frozenset({0}))


def at(offset: int, incarnation: str = "topic-id") -> Position:
    return Position(0, incarnation, offset)


@pytest.mark.parametrize(
    ("stored", "begin", "end", "position", "reason"),
    [
        (None, 0, 0, at(0), None),
        (None, 0, 9, at(0), None),
        (None, 4, 9, at(4), LossReason.RETENTION_PASSED),
        (at(5), 0, 9, at(5), None),
        (at(9), 0, 9, at(9), None),
        (at(5), 5, 9, at(5), None),
        (at(5), 6, 9, at(6), LossReason.RETENTION_PASSED),
        (at(5), 9, 9, at(9), LossReason.RETENTION_PASSED),
        (at(10), 0, 9, at(9, "topic-id+1"), LossReason.LOG_TRUNCATED),
        (at(10, "topic-id+1"), 0, 9, at(9, "topic-id+2"), LossReason.LOG_TRUNCATED),
        (at(7, "topic-id+1"), 0, 9, at(7, "topic-id+1"), None),
        (at(5, "older"), 0, 9, at(0), LossReason.TOPIC_CREATED_ANEW),
        (at(5, "older"), 3, 9, at(3), LossReason.TOPIC_CREATED_ANEW),
        (at(0, "older+3"), 0, 0, at(0), LossReason.TOPIC_CREATED_ANEW),
    ],
)
def test_resume(stored, begin, end, position, reason) -> None:
    known = {} if stored is None else {0: stored}
    due = stored or at(0)
    expected = [] if reason is None else [Loss(reason, due, position)]
    assert resume(ONE, known, {0: begin}, {0: end}) == ([position], expected)


def test_partitions_are_apart_and_new_ones_join() -> None:
    identity = TopicIdentity("topic-id", frozenset({0, 1, 2}))
    known = {0: at(5), 1: Position(1, "topic-id", 2)}
    positions, losses = resume(identity, known, {0: 0, 1: 3, 2: 0}, {0: 9, 1: 9, 2: 4})
    assert [(p.partition, p.next_offset) for p in positions] == [(0, 5), (1, 3), (2, 0)]
    assert [loss.due.partition for loss in losses] == [1]


async def test_reading_never_ends_in_silence() -> None:
    """A cancellation that nobody asked for (aiokafka lets one escape) ends the task loudly; ``stopping`` ends it quietly."""

    class Cancelling:
        async def positions(self, topic: str):
            raise asyncio.CancelledError

    stopping = asyncio.Event()
    with pytest.raises(RuntimeError, match="from inside"):
        await OffsetsInDb(KafkaSettings(), "topic", Cancelling(), None).run(stopping)

    class Waiting:
        async def positions(self, topic: str):
            stopping.set()
            await asyncio.Event().wait()

    await asyncio.wait_for(OffsetsInDb(KafkaSettings(), "topic", Waiting(), None).run(stopping), 5)


async def test_errors_of_the_sink_that_are_no_outage_end_it() -> None:
    class Tampered:
        async def positions(self, topic: str):
            raise ValueError("tampered")

    with pytest.raises(ValueError, match="tampered"):
        await OffsetsInDb(KafkaSettings(), "topic", Tampered(), None).run(asyncio.Event())
