"""D26. Whatever stands in a topic that we read, no handler raises and good neighbours are answered.

Headers, keys and values are arbitrary: null, repeated, not UTF-8, cut off, changed in places, nested, huge. Each topic of
deploy/topics.yaml that one of us reads has its reader here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from audit.adapters.anchors import Anchors
from audit.adapters.telemetry_alarms import TelemetryAlarms
from audit.adapters.translog_audit_log import TranslogAuditLog
from audit.config import AuditSettings
from audit.consumers import AuditBatches
from audit.main import commit_under, signer_of
from audit.translate import ProtobufBatchCodec
from audit.usecases.on_audit_batch import OnAuditBatch
from finmesh.risk.v1.decision_pb2 import FeatureDelta, TransactionDecided
from finmesh.risk.v1.list_entry_pb2 import ListEntryChanged
from finmesh.risk.v1.transaction_pb2 import LabelReported, TransactionLifecycleReported
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meshkit.audit.batch import BatchWriter
from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.clock import SystemClock
from meshkit.config import KafkaSettings
from meshkit.events.dead_letter import SUFFIX
from meshkit.events.offsets_in_db import Position
from meshkit.testing.keys import batch_signer, batch_verifier, commitment_ring, payload_sealer
from risk_scoring import translate
from risk_scoring.adapters import kafka_decision_history
from risk_scoring.adapters.lxml_pacs008 import parse_document
from risk_scoring.consumers.corrections import LIFECYCLE_TOPIC
from risk_scoring.consumers.credit_transfers import PACS008_TOPIC, CreditTransferStream
from risk_scoring.consumers.list_entries import ListEntries
from risk_scoring.consumers.transactions import TRANSACTION_TOPIC
from risk_scoring.translate.list_changes import LIST_TOPIC
from risk_scoring.translate.messages import DECISION_TOPIC, LABEL_TOPIC
from risk_scoring.translate.rule_backtests import past_decision
from risk_scoring.usecases.on_iso20022_pacs_008 import OnIso20022Pacs008
from risk_scoring.usecases.on_list_entry_changed import OnListEntryChanged
from translog.stores import store_at

from tests.protocol.desks import ROOT, Health, corrections, desk
from tests.protocol.makers import NOW, payment, request

ODD_TEXT = st.text(max_size=20) | st.sampled_from(["ce_tenant", "traceparent", "ce_id", "\\xff", "甲银行", ""])
HEADERS = st.lists(st.tuples(ODD_TEXT, st.none() | st.binary(max_size=40) | st.just(b"x" * 70_000)), max_size=6)
KEYS = st.none() | st.binary(max_size=40)


def changed(valid: bytes) -> st.SearchStrategy[bytes]:
    """The valid value with some bytes replaced, or cut off, or doubled."""
    places = st.lists(st.tuples(st.integers(0, max(len(valid) - 1, 0)), st.integers(0, 255)), min_size=1, max_size=4)

    def replaced(at: list[tuple[int, int]]) -> bytes:
        found = bytearray(valid)
        for place, byte in at:
            found[place] = byte
        return bytes(found)

    return places.map(replaced) | st.integers(0, len(valid)).map(lambda n: valid[:n]) | st.just(valid * 2)


def values(valid: bytes) -> st.SearchStrategy[bytes | None]:
    """Anything at all, and things that are nearly right."""
    return st.none() | st.binary(max_size=60) | st.just(b"\x0a" * 200_000) | changed(valid)


def records(topic: str, valid: bytes) -> st.SearchStrategy[list[Any]]:
    """Some odd records of partition 0, numbered from 1."""
    odd = st.tuples(KEYS, values(valid), HEADERS)

    def numbered(found: list[tuple[Any, Any, Any]]) -> list[Any]:
        return [record(topic, n + 1, key, value, headers) for n, (key, value, headers) in enumerate(found)]

    return st.lists(odd, min_size=1, max_size=4).map(numbered)


def record(topic: str, offset: int, key: bytes | None, value: bytes | None, headers: Any = ()) -> Any:
    """As a consumer delivers it."""
    return SimpleNamespace(topic=topic, partition=0, offset=offset, key=key, value=value, headers=headers, timestamp=-1)


class Letters:
    """Dead letters."""

    async def write(self, record: Any, error: Any) -> None:
        """Taken."""


XML = """<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"><FIToFICstmrCdtTrf><GrpHdr><MsgId>M</MsgId>
<CreDtTm>2026-11-22T10:00:00</CreDtTm><NbOfTxs>1</NbOfTxs></GrpHdr><CdtTrfTxInf><PmtId><EndToEndId>付款-1</EndToEndId></PmtId><IntrBkSttlmAmt
Ccy="CNY">12.50</IntrBkSttlmAmt><DbtrAgt><FinInstnId><BICFI>ICBKCNBJ</BICFI></FinInstnId></DbtrAgt><DbtrAcct><Id><Othr><Id>a-1</Id></Othr></Id>
</DbtrAcct><CdtrAcct><Id><Othr><Id>a-2</Id></Othr></Id></CdtrAcct></CdtTrfTxInf></FIToFICstmrCdtTrf></Document>""".encode()
LABEL = LabelReported(label_id="L", type=1, known_at=Timestamp(seconds=NOW), transaction=payment(1)).SerializeToString()
REPORT = TransactionLifecycleReported(report_id="R", type=3, event_time=Timestamp(seconds=NOW), transaction=payment(1)).SerializeToString()
ENTRY = ListEntryChanged(
    tenant="bank-a", kind=1, entity=2, entity_id="账户-1", author="cases", expires_at=Timestamp(seconds=NOW)
).SerializeToString()
DECIDED = TransactionDecided(
    decision_id="0" * 8 + "-0000-8000-8000-" + "0" * 12,
    tenant="bank-a",
    fingerprint=b"f" * 16,
    channel=3,
    delta=FeatureDelta(
        customer_key=b"c" * 16,
        counterparty_key=b"p" * 16,
        device_key=b"d" * 16,
        account_key=b"a" * 16,
        event_time_s=NOW,
        reference_amount_minor=100,
        geo_key=7,
        local_hour=9,
    ),
    decided_time=Timestamp(seconds=NOW),
).SerializeToString()
(AUDITED,) = BatchWriter("risk-scoring/stream/0", 1, batch_signer()).envelopes([b"\x0a\x01x"])
VALID = {
    TRANSACTION_TOPIC: payment(7).SerializeToString(),
    PACS008_TOPIC: XML,
    LABEL_TOPIC: LABEL,
    LIFECYCLE_TOPIC: REPORT,
    LIST_TOPIC: ENTRY,
    DECISION_TOPIC: DECIDED,
    AUDIT_TOPIC: AUDITED,
}
SETTINGS = settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all examples of a test."""
    with asyncio.Runner() as made:
        yield made


def drive(runner: asyncio.Runner, topic: str, handled: Callable[[list[Any]], Awaitable[None]]) -> None:
    """Give examples to a handler."""

    @SETTINGS
    @given(records(topic, VALID[topic]))
    def check(found: list[Any]) -> None:
        runner.run(_awaited(handled(found)))

    check()


async def _awaited(work: Awaitable[None]) -> None:
    await work


def test_every_topic_that_one_of_us_reads_is_here() -> None:
    topics = yaml.safe_load((ROOT / "deploy/topics.yaml").read_text())["topics"]
    assert set(VALID) == {topic["name"] for topic in topics if {"risk-scoring", "audit"} & set(topic["readers"])}


def test_transactions(private_redis, runner) -> None:
    context = desk(private_redis)
    here = runner.run(context.__aenter__())
    number = 1000

    async def handled(found: list[Any]) -> None:
        nonlocal number
        number += 1
        good = record(TRANSACTION_TOPIC, 9, None, payment(number).SerializeToString())
        messages = await here.stream.handle(0, [*found, good])
        assert {m.topic for m in messages} <= {"decisions", "audit", TRANSACTION_TOPIC + SUFFIX}
        wanted = request(payment(number)).decision_id
        assert wanted in {translate.decision_id(m.value) for m in messages if m.topic == "decisions"}

    try:
        drive(runner, TRANSACTION_TOPIC, handled)
    finally:
        runner.run(context.__aexit__(None, None, None))


def test_credit_transfers(runner) -> None:
    stream = CreditTransferStream(KafkaSettings(), parse_document, OnIso20022Pacs008(SystemClock()), payload_sealer())
    stream._partitions = 4
    good = record(PACS008_TOPIC, 9, None, XML, (("ce_tenant", b"bank-a"),))

    async def handled(found: list[Any]) -> None:
        messages = await stream.handle(0, [*found, good])
        assert messages[-1].topic == TRANSACTION_TOPIC
        assert {m.topic for m in messages} <= {TRANSACTION_TOPIC, PACS008_TOPIC + SUFFIX}
        assert len(messages) == len(found) + 1

    drive(runner, PACS008_TOPIC, handled)


@pytest.mark.parametrize("topic", [LABEL_TOPIC, LIFECYCLE_TOPIC])
def test_corrections(private_redis, runner, topic) -> None:
    context = desk(private_redis)
    here = runner.run(context.__aenter__())
    consumer = corrections(here, Letters())

    async def handled(found: list[Any]) -> None:
        await consumer.store(found, (), [Position(0, "id", 9)])
        assert (await consumer.positions(topic))[0].next_offset == 9

    try:
        drive(runner, topic, handled)
    finally:
        runner.run(context.__aexit__(None, None, None))


def test_decisions(private_redis, runner) -> None:
    """What restores, backtests and outages read."""
    context = desk(private_redis)
    here = runner.run(context.__aenter__())

    async def handled(found: list[Any]) -> None:
        short = TransactionDecided.FromString(DECIDED)
        short.delta.device_key = b"d"  # the script would fail on it
        here.log.decisions[0] = [short.SerializeToString(), *(each.value for each in found if each.value), DECIDED]
        await here.shelf.link.command("HDEL", here.shelf.link.prefix + "published", 0)
        await here.restorer.take_over(0)
        assert await here.shelf.store.stored_decision(translate.decision_id(DECIDED)) is not None
        kafka_decision_history._readable(found, past_decision)

    try:
        drive(runner, DECISION_TOPIC, handled)
    finally:
        runner.run(context.__aexit__(None, None, None))


def test_lists(runner) -> None:
    usecase = OnListEntryChanged(lambda lists: None)
    lists = ListEntries(KafkaSettings(), usecase, Health())
    good = record(LIST_TOPIC, 9, None, ENTRY)

    async def handled(found: list[Any]) -> None:
        lists.apply([*found, good])
        assert usecase.lists.size >= 1

    drive(runner, LIST_TOPIC, handled)


def test_audit_batches(runner, tmp_path) -> None:
    clock = SystemClock()
    store = store_at(f"sqlite:///{tmp_path / 'audit.db'}")
    log = TranslogAuditLog(store, signer_of(AuditSettings()), bytes, commit_under(commitment_ring()), Anchors(None, None, 1, clock), clock)
    sink = AuditBatches(OnAuditBatch(log, ProtobufBatchCodec(batch_verifier()), TelemetryAlarms(), clock))
    runner.run(log.__aenter__())
    offset = 0

    async def handled(found: list[Any]) -> None:
        nonlocal offset
        await sink.positions(AUDIT_TOPIC)
        for each in found:
            each.offset = offset = offset + 1
        await sink.store(found, (), [Position(0, "id", offset + 1)])
        for each in found:
            assert sink.read(each) in (True, False)

    try:
        drive(runner, AUDIT_TOPIC, handled)
    finally:
        runner.run(log.__aexit__(None, None, None))
