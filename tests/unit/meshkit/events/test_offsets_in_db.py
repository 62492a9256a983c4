"""Where each partition goes on, and what is lost before that: every combination of what is stored and what the broker has."""

import asyncio
from types import SimpleNamespace

import pytest
from meshkit.config import KafkaSettings
from meshkit.errors import Unavailable
from meshkit.events.offsets_in_db import Loss, LossReason, OffsetsInDb, Position, resume
from meshkit.events.poison import NO_POISON, place_of
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

    await asyncio.wait_for(OffsetsInDb(KafkaSettings(), "topic", Waiting(), None).run(stopping), 60)


async def test_errors_of_the_sink_that_are_no_outage_end_it() -> None:
    class Tampered:
        async def positions(self, topic: str):
            raise ValueError("tampered")

    with pytest.raises(ValueError, match="tampered"):
        await OffsetsInDb(KafkaSettings(), "topic", Tampered(), None).run(asyncio.Event())


def record(offset: int, value: bytes, partition: int = 0) -> SimpleNamespace:
    return SimpleNamespace(topic="topic", partition=partition, offset=offset, key=None, value=value, headers=())


class Sink:
    """Fails on what begins with ``bad``, refuses ``refused``; ``error`` fails for no record's sake."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.kept: list[tuple[bytes, bool]] = []

    async def positions(self, topic: str):
        return {}

    def read(self, record) -> bool:
        if record.value.startswith(b"bad"):
            raise AttributeError(record.value)
        return record.value != b"refused"

    async def store(self, records, losses, positions, poison=NO_POISON) -> None:
        if self.error is not None:
            raise self.error
        fresh = [(each.value, place_of(each) in poison) for each in records]
        assert all(taken_out or self.read(each) is not None for each, (_, taken_out) in zip(records, fresh, strict=True))
        self.kept += fresh


class Health:
    def __init__(self) -> None:
        self.missing: dict[str, str] = {}

    def degraded(self, component: str, reason: str) -> None:
        self.missing[component] = reason

    def recovered(self, component: str) -> None:
        self.missing.pop(component, None)


async def stored(sink: Sink, *batches: list[SimpleNamespace]) -> dict[str, str]:
    health = Health()
    reading = OffsetsInDb(KafkaSettings(), "topic", sink, health)
    for batch in batches:
        await reading._stored_in_the_end(batch, [at(batch[-1].offset + 1)])
    return health.missing


async def test_a_poison_record_is_kept_as_what_it_was_and_its_neighbours_are_stored() -> None:
    sink = Sink()
    assert await stored(sink, [record(0, b"1"), record(1, b"bad"), record(2, b"2")]) == {"poison": "INTERNAL_ERROR topic/0/1"}
    assert sink.kept == [(b"1", False), (b"bad", True), (b"2", False)]


@pytest.mark.parametrize("batch", [[b"bad"], [b"bad", b"bad 2"], [b"bad", b"refused"]])
async def test_a_batch_of_which_nothing_can_be_read_stands(batch) -> None:
    sink = Sink()
    with pytest.raises(Unavailable) as stands:
        await stored(sink, [record(n, value) for n, value in enumerate(batch)])
    assert stands.value.reason == "INTERNAL_ERROR"
    assert sink.kept == []


async def test_one_success_pays_for_one_single_record() -> None:
    sink = Sink()
    with pytest.raises(Unavailable):
        await stored(sink, [record(0, b"1")], [record(1, b"bad")], [record(2, b"bad")])
    assert sink.kept == [(b"1", False), (b"bad", True)]


@pytest.mark.parametrize("error", [Unavailable("away"), OSError("disk"), ValueError("tampered"), ZeroDivisionError()])
async def test_what_is_no_records_fault_is_raised_as_it_is(error) -> None:
    with pytest.raises(type(error)) as raised:
        await stored(Sink(error), [record(0, b"1"), record(1, b"2")])
    assert raised.value is error
