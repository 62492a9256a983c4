from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import pytest
from finmesh.risk.v1 import transaction_pb2 as pb
from simbank.driver import producer as module
from simbank.driver.producer import OpenLoopProducer, Sent
from simbank.history import History
from simbank.replay import plan_replay
from simbank.translate import Translator


class FakeKafka:
    """Takes the place of the broker's client: keeps what it is given, refuses every `fail_every`th record."""

    fail_every = 0

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.records: list[tuple[str, bytes, bytes, dict[str, bytes]]] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def flush(self) -> None:
        await asyncio.sleep(0)

    async def send(self, topic: str, value: bytes, *, key: bytes, headers: list[tuple[str, bytes]]) -> asyncio.Future[int]:
        self.records.append((topic, value, key, dict(headers)))
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self.fail_every and len(self.records) % self.fail_every == 0:
            answer.set_exception(ConnectionError("broker gone"))
        else:
            answer.set_result(len(self.records))
        return answer


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> type[FakeKafka]:
    made = type("Kafka", (FakeKafka,), {})
    monkeypatch.setattr(module, "AIOKafkaProducer", made)
    return made


def _plan(history: History, count: int):
    start_us = time.time_ns() // 1_000
    return plan_replay(history.transactions, rate_per_s=count * 10, seconds=0.1, start_us=start_us)


def _producer(history: History, **options: Any) -> OpenLoopProducer:
    return OpenLoopProducer("nowhere:1", Translator(history.population, run=9), run=9, **options)


async def test_every_transaction_goes_out_once_keyed_by_account_with_its_intended_time(history: History, kafka: type[FakeKafka]) -> None:
    plan, sent = _plan(history, 300), Sent()
    async with _producer(history, topic_prefix="t1.") as producer:
        await producer.replay(plan, sent)
        records = producer._producer.records
    assert (sent.planned, sent.offered, sent.acknowledged, sent.duplicates, sent.failed) == (300, 300, 300, 0, 0)
    assert {topic for topic, *_ in records} == {"t1.finmesh.risk.v1.TransactionAuthorizationRequested"}
    message = pb.TransactionAuthorizationRequested.FromString(records[0][1])
    assert records[0][2] == message.account_id.encode()
    headers = records[0][3]
    assert headers["ce_type"] == b"finmesh.risk.v1.TransactionAuthorizationRequested"
    assert headers["ce_time"].endswith(b"Z")
    trace = bytes.fromhex(headers["traceparent"].decode().split("-")[1])
    assert sent.intended_us[trace] == plan.intended_us[0]


async def test_duplicates_repeat_bytes_and_event_id_and_are_not_counted_as_distinct(history: History, kafka: type[FakeKafka]) -> None:
    plan, sent = _plan(history, 200), Sent()
    plan.intended_us[:] -= 3_000_000  # all due, duplicates included
    async with _producer(history) as producer:
        await producer.replay(plan, sent, duplicate_share=0.2)
        records = producer._producer.records
    assert 20 < sent.duplicates < 60
    assert sent.offered == 200 + sent.duplicates
    assert sent.acknowledged == 200
    by_id: dict[bytes, set[bytes]] = {}
    for _, value, _, headers in records:
        by_id.setdefault(headers["ce_id"], set()).add(value)
    assert len(by_id) == 200
    assert all(len(values) == 1 for values in by_id.values())


async def test_a_late_producer_says_so_and_keeps_the_intended_time(history: History, kafka: type[FakeKafka]) -> None:
    plan, sent = _plan(history, 50), Sent()
    plan.intended_us[:] -= 2_000_000
    async with _producer(history) as producer:
        await producer.replay(plan, sent)
    assert sent.late_max_s >= 2.0
    assert sorted(sent.intended_us.values()) == plan.intended_us.tolist()


async def test_refused_records_count_as_failed_not_as_acknowledged(history: History, kafka: type[FakeKafka]) -> None:
    kafka.fail_every = 10
    sent, reported = Sent(), []
    async with _producer(history) as producer:
        await producer.replay(_plan(history, 100), sent, progress=lambda state: reported.append(state.offered))
    assert (sent.acknowledged, sent.failed) == (90, 10)
    assert reported[-1] == 100


async def test_labels_and_reports_go_to_their_topics_with_the_accounts_key(history: History, kafka: type[FakeKafka]) -> None:
    async with _producer(history) as producer:
        assert await producer.report_labels(history.transactions, history.labels, np.arange(5)) == 5
        assert await producer.report_lifecycle(history.transactions, history.reports, np.arange(3)) == 3
        records = producer._producer.records
    assert [topic for topic, *_ in records] == ["finmesh.risk.v1.LabelReported"] * 5 + ["finmesh.risk.v1.TransactionLifecycleReported"] * 3
    label = pb.LabelReported.FromString(records[0][1])
    assert records[0][2] == label.transaction.account_id.encode()
    assert records[0][3]["ce_id"] == label.label_id.encode()


async def test_the_broker_must_confirm_with_all_replicas(history: History, kafka: type[FakeKafka]) -> None:
    producer = _producer(history)
    assert producer._producer.settings["acks"] == "all"
    assert producer._producer.settings["enable_idempotence"] is True
