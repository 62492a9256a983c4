"""Open-loop producer: sends each transaction at its intended time, whatever the mesh does meanwhile.

A late send still carries its intended time in `ce_time`, so that the lateness counts as latency (no coordinated omission). Duplicates
are the same bytes under the same event id, as a switch repeats a message whose answer did not come.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np
from aiokafka import AIOKafkaProducer
from finmesh.risk.v1 import transaction_pb2 as pb
from meshkit.telemetry import names, spans
from meshkit.telemetry.context import TraceContext

from simbank.driver.headers import cloud_event, is_sampled, trace_id_of
from simbank.labels import Labels
from simbank.lifecycle import Reports
from simbank.replay import Replay, duplicates_of
from simbank.schema import I64, Transactions
from simbank.translate import Translator

REQUESTED = pb.TransactionAuthorizationRequested.DESCRIPTOR.full_name
LABELLED = pb.LabelReported.DESCRIPTOR.full_name
REPORTED = pb.TransactionLifecycleReported.DESCRIPTOR.full_name
_TICK_S = 0.002


@dataclass
class Sent:
    """What went in. `acknowledged` counts distinct transactions that the brokers confirmed: each must be decided once."""

    planned: int = 0
    offered: int = 0
    acknowledged: int = 0
    duplicates: int = 0
    failed: int = 0
    late_max_s: float = 0.0
    intended_us: dict[bytes, int] = field(default_factory=dict)  # trace id to intended send time, for the watcher


Progress = Callable[[Sent], None]


class OpenLoopProducer:
    """Use as an asynchronous context manager; one instance may replay several plans, one after the other or at once."""

    def __init__(
        self, bootstrap_servers: str, translator: Translator, *, topic_prefix: str = "", run: int, sampled_share: float = 0.05
    ) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True, linger_ms=2, max_batch_size=131_072
        )
        self._translator = translator
        self._prefix = topic_prefix
        self._run = run
        self._sampled_share = sampled_share

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._producer.stop()

    async def replay(self, plan: Replay, sent: Sent, *, duplicate_share: float = 0.0, progress: Progress | None = None) -> Sent:
        """Send `plan`, filling `sent` while it goes on; returns when the brokers have answered for everything."""
        again, again_us = duplicates_of(plan, duplicate_share, np.random.default_rng(self._run & 0xFFFF_FFFF))
        row = np.concatenate([np.arange(len(plan)), again])
        due_us = np.concatenate([plan.intended_us, again_us])
        order = np.argsort(due_us, kind="stable")
        row, due_us = row[order], due_us[order]
        sent.planned += len(plan)
        acknowledged = np.zeros(len(plan), dtype=bool)
        position = 0
        while position < len(row):
            now_us = time.time_ns() // 1_000
            until = int(np.searchsorted(due_us, now_us, side="right"))
            until = min(until, position + 500)  # give the loop back to the network in between
            for index in range(position, until):
                await self._send(plan, int(row[index]), now_us, sent, acknowledged)
            if until > position and progress is not None:
                progress(sent)
            position = until
            await asyncio.sleep(0 if until < len(row) and due_us[until] <= now_us else _TICK_S)
        await self._producer.flush()
        return sent

    async def _send(self, plan: Replay, row: int, now_us: int, sent: Sent, acknowledged: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        number = int(plan.rows.transaction_id[row])
        intended = int(plan.intended_us[row])
        trace = trace_id_of(self._run, number)
        message = self._translator.request(plan.rows, row)
        repeated = trace in sent.intended_us
        sent.intended_us.setdefault(trace, intended)
        sent.offered += 1
        sent.duplicates += repeated
        if not repeated:
            sent.late_max_s = max(sent.late_max_s, (now_us - intended) / 1e6)
        answer = await self._publish(REQUESTED, message.account_id, message.SerializeToString(), trace, intended)

        def answered(future: asyncio.Future[Any]) -> None:
            if future.cancelled() or future.exception() is not None:
                sent.failed += 1
            elif not acknowledged[row]:
                acknowledged[row] = True
                sent.acknowledged += 1

        answer.add_done_callback(answered)

    async def report_labels(self, rows: Transactions, labels: Labels, chosen: I64) -> int:
        """Send the chosen labels now; returns how many the brokers confirmed."""
        messages = [self._translator.label(rows, labels, int(index)) for index in chosen]
        return await self._report(LABELLED, [(message, message.label_id) for message in messages])

    async def report_lifecycle(self, rows: Transactions, reports: Reports, chosen: I64) -> int:
        """Send the chosen lifecycle reports now; returns how many the brokers confirmed."""
        messages = [self._translator.lifecycle(rows, reports, int(index)) for index in chosen]
        return await self._report(REPORTED, [(message, message.report_id) for message in messages])

    async def _report(self, type_name: str, messages: list[tuple[Any, str]]) -> int:
        now_us = time.time_ns() // 1_000
        answers = []
        for message, event_id in messages:
            trace = trace_id_of(self._run, int(event_id[-12:], 16))
            payload = message.SerializeToString()
            answers.append(await self._publish(type_name, message.transaction.account_id, payload, trace, now_us, event_id))
        await asyncio.gather(*answers)
        return len(answers)

    async def _publish(
        self, type_name: str, key: str, payload: bytes, trace: bytes, time_us: int, event_id: str | None = None
    ) -> asyncio.Future[Any]:
        sampled = is_sampled(trace, self._sampled_share)
        headers = cloud_event(type_name, event_id or trace.hex(), time_us, trace, sampled=sampled)
        topic = self._prefix + type_name
        answer: asyncio.Future[Any] = await self._producer.send(topic, payload, key=key.encode(), headers=headers)
        if sampled:
            _record_span(answer, topic, trace)
        return answer


def _record_span(answer: asyncio.Future[Any], topic: str, trace: bytes) -> None:
    """Record the span that the headers name as parent, once the brokers have answered. A duplicate repeats it under the same id."""
    start_ns = time.time_ns()

    def answered(future: asyncio.Future[Any]) -> None:
        spans.record(
            f"send {topic}",
            TraceContext(int.from_bytes(trace, "big"), int.from_bytes(trace[:8], "big"), True),
            parent=None,
            start_ns=start_ns,
            end_ns=time.time_ns(),
            kind=spans.SpanKind.PRODUCER,
            attributes={names.MESSAGING_SYSTEM: "kafka", names.MESSAGING_DESTINATION: topic, names.MESSAGING_OPERATION_TYPE: "send"},
            error="NOT_SENT" if future.cancelled() or future.exception() is not None else None,
        )

    answer.add_done_callback(answered)
