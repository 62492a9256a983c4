"""The emitter: durable before it returns, or queued within bounds; nothing is lost uncounted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit.audit.emit import COMPONENT, AuditEmitter
from meshkit.audit.records import KEYS, OPERATOR_TENANT, RULES, AuditRecords, Versions
from meshkit.clock import FakeClock
from meshkit.errors import InvalidArgument, Unavailable
from meshkit.telemetry.context import TraceContext, attached
from meshkit.testing.events import MemoryEvents
from meshkit.testing.keys import batch_signer, batch_verifier

from tests.emitted import batches, records
from tests.protocol.desks import Health

SIGNER = batch_signer("gateway")


def emitter(events: MemoryEvents, health: Health | None = None, capacity: int = 4096) -> AuditEmitter:
    """An emitter of the gateway."""
    return AuditEmitter(events, "gateway/r1", SIGNER, "t-", health or Health(), capacity)  # type: ignore[arg-type]


def record(number: int) -> AuditRecord:
    """A record with an id."""
    return AuditRecord(audit_record_id=f"a-{number}", tenant="bank-a")


@asynccontextmanager
async def sending(audit: AuditEmitter) -> AsyncIterator[None]:
    """What runs beside a service."""
    task = asyncio.create_task(audit.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(true) -> None:
    """Give others their turn until something holds."""
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.001)


async def test_an_awaited_record_stands_in_the_log_before_the_call_returns() -> None:
    events = MemoryEvents()
    events.acknowledges.clear()
    audit = emitter(events)
    call = asyncio.create_task(audit.write([b"first", b"second"], [TraceContext(7, 8, True)]))
    await until(lambda: events.messages)
    assert not call.done()
    events.acknowledges.set()
    await call
    (batch,), (message,) = batches(events), events.messages
    assert (batch.producer, batch.sequence, list(batch.records)) == ("gateway/r1", 0, [b"first", b"second"])
    assert batch_verifier().problem(batch) == ""
    headers = dict(message.headers)
    assert message.topic == "t-finmesh.audit.v1.AuditBatch"
    assert headers["ce_source"] == b"/finmesh/gateway"
    assert headers["traceparent"].endswith(b"-01")


async def test_an_awaited_record_that_cannot_be_written_is_the_caller_s_to_know() -> None:
    events = MemoryEvents()
    events.down = True
    with pytest.raises(Unavailable):
        await emitter(events).write([b"first"])


@pytest.mark.parametrize("failure", ["down", "cancelled", "too large"])
async def test_after_a_failure_a_new_epoch_begins(failure: str) -> None:
    """How many batches of the old one were written is unknown: they must not look like a hole."""
    events = MemoryEvents()
    audit = emitter(events)
    await audit.write([b"before"])
    if failure == "down":
        events.down = True
        with pytest.raises(Unavailable):
            await audit.write([b"lost"])
        events.down = False
    elif failure == "cancelled":
        events.acknowledges.clear()
        call = asyncio.create_task(audit.write([b"unknown"]))
        await until(lambda: len(events.messages) == 2)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        events.acknowledges.set()
    else:
        with pytest.raises(InvalidArgument):
            await audit.write([b"x" * 60_000] * 20 + [b"x" * 70_000])
    await asyncio.sleep(0.001)
    await audit.write([b"after"])
    first, *_, last = batches(events)
    assert last.epoch > first.epoch and last.sequence == 0


async def test_queued_records_go_out_in_order_under_the_same_numbers() -> None:
    events = MemoryEvents()
    audit = emitter(events)
    async with sending(audit):
        for number in range(600):
            audit.put(record(number))
        await audit.write([record(-1).SerializeToString()])
        await until(lambda: len(records(events)) == 601)
    queued = [each.audit_record_id for each in records(events) if each.audit_record_id != "a--1"]
    assert queued == [f"a-{number}" for number in range(600)]
    assert [batch.sequence for batch in batches(events)] == list(range(len(batches(events))))


async def test_what_finds_the_queue_full_is_counted_alarms_and_is_told_by_the_next_record() -> None:
    events, health = MemoryEvents(), Health()
    events.down = True
    audit = emitter(events, health, capacity=3)
    for number in range(8):
        audit.put(record(number))
    assert health.missing == {COMPONENT: "AUDIT_QUEUE_FULL"}
    async with sending(audit):
        await until(lambda: health.missing[COMPONENT] == "EVENT_LOG_DOWN")
        events.down = False
        await until(lambda: len(records(events)) == 3 and not health.missing)
        audit.put(record(8))
        audit.put(record(9))
        await until(lambda: len(records(events)) == 5)
        await until(lambda: not health.missing)
    assert [each.audit_record_id for each in records(events)] == ["a-0", "a-1", "a-2", "a-8", "a-9"]
    assert [each.lost_before for each in records(events)] == [0, 0, 0, 5, 0]


async def test_a_write_whose_end_is_unknown_is_sent_again_with_the_same_bytes() -> None:
    """The log knows a repeated record by its bytes; other bytes under the same id would be a conflict."""
    events = MemoryEvents()
    events.acknowledges.clear()
    audit = emitter(events, capacity=1)
    async with sending(audit):
        audit.put(record(1))
        audit.put(record(2))
        await until(lambda: batches(events))
    events.acknowledges.set()
    await audit.aclose()
    first, second = batches(events)
    assert first.records == second.records and second.epoch > first.epoch


async def test_what_is_queued_at_the_end_is_flushed() -> None:
    events = MemoryEvents()
    audit = emitter(events)
    audit.put(record(1))
    await audit.aclose()
    assert [each.audit_record_id for each in records(events)] == ["a-1"]


async def test_a_flush_that_finds_no_broker_ends_and_counts(caplog: pytest.LogCaptureFixture) -> None:
    events = MemoryEvents()
    events.down = True
    audit = emitter(events)
    audit.put(record(1))
    await audit.aclose()
    assert "audit records are lost" in caplog.text


def test_a_record_that_no_leaf_holds_is_refused_at_once() -> None:
    with pytest.raises(InvalidArgument) as caught:
        emitter(MemoryEvents()).put(AuditRecord(audit_record_id="a", purpose="x" * 65_536))
    assert caught.value.reason == "AUDIT_RECORD_TOO_LARGE"


def test_a_record_begins_with_who_when_and_which_build() -> None:
    made = AuditRecords("gateway", "0.2.0+3f2c1ab", FakeClock(1_760_000_000.25))
    with attached(TraceContext(0xAB, 1, True)):
        new = made.new("农商-1")
    assert (new.producer, new.build, new.tenant) == ("gateway", "gateway/0.2.0+3f2c1ab", "农商-1")
    assert new.event_time.ToMilliseconds() == new.decided_time.ToMilliseconds() == 1_760_000_000_250
    assert new.trace_id == (0xAB).to_bytes(16, "big")
    assert made.new().tenant == OPERATOR_TENANT
    assert made.new().audit_record_id != new.audit_record_id


def test_a_version_is_recorded_when_it_comes_in_force_and_only_then() -> None:
    put: list[AuditRecord] = []
    versions = Versions(AuditRecords("risk-scoring", "development", FakeClock()), put.append)
    rules, seal = b"a" * 32, b"s" * 32
    versions.follow(RULES, lambda: rules)
    versions.follow(KEYS, lambda: seal, "seal")
    versions.follow(KEYS, lambda: b"c" * 32, "commitment")
    versions.look()
    rules = b"b" * 32
    versions.look()
    rules, seal = b"", b"t" * 32
    versions.look()
    versions.look()
    changes = [record.change.version for record in put]
    assert [(each.of, each.name, each.before_sha256[:1], each.after_sha256[:1]) for each in changes] == [
        (RULES, "", b"", b"a"),
        (KEYS, "seal", b"", b"s"),
        (KEYS, "commitment", b"", b"c"),
        (RULES, "", b"a", b"b"),
        (RULES, "", b"b", b""),
        (KEYS, "seal", b"s", b"t"),
    ]
