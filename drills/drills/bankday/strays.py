"""What a real stream also carries: bytes that are no message, wrong fields, events from last month or tomorrow, and one transaction
told in two ways. Each must end in the dead letters under its reason, and none may hold up what comes behind it.

Contradictions go last, when the transactions they contradict are on the topic for certain: the first one told is the one that counts.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from finmesh.risk.v1 import transaction_pb2 as pb
from simbank.driver.headers import cloud_event, trace_id_of
from simbank.driver.producer import LABELLED, REQUESTED
from simbank.replay import Replay
from simbank.translate import Translator

OF_EACH = 3
_NUMBER = 1 << 40  # above every transaction's number: strays have traces of their own
_LONG_AGO, _TOMORROW = timedelta(days=40), timedelta(days=1)


class Strays:
    """Use as an asynchronous context manager. `expected` counts dead letters by reason, once they are acknowledged."""

    def __init__(self, bootstrap_servers: str, translator: Translator, run: int) -> None:
        self.expected: Counter[str] = Counter()
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True)
        self._translator = translator
        self._run = run
        self._sent = 0

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._producer.stop()

    async def scatter(self, plan: Replay, seconds: float) -> None:
        """Send every kind but contradictions, spread over the run."""
        kinds: list[tuple[str, str, Callable[[Any], bytes]]] = [
            ("MALFORMED", REQUESTED, lambda _: b"\xff\xfe not protobuf"),
            ("INVALID_TRANSACTION", REQUESTED, _without_amount),
            ("TOO_OLD", REQUESTED, lambda message: _moved(message, -_LONG_AGO)),
            ("IN_THE_FUTURE", REQUESTED, lambda message: _moved(message, _TOMORROW)),
            ("MALFORMED", LABELLED, lambda _: b"\xff\xfe no label"),
        ]
        count = OF_EACH * len(kinds)
        for number in range(count):
            reason, topic, spoil = kinds[number % len(kinds)]
            await asyncio.sleep(max(plan.start_us / 1e6 + seconds * number / count - time.time(), 0.0))
            message = self._translator.request(plan.rows, number * len(plan) // count)
            await self._send(topic, message.account_id, spoil(message))
            self.expected[reason] += 1

    async def contradict(self, stream: Replay) -> None:
        """Send transactions that are on the stream already once more, with another amount."""
        for number in range(min(OF_EACH, len(stream))):
            message = self._translator.request(stream.rows, number * len(stream) // OF_EACH)
            message.amount.amount_minor += 1
            await self._send(REQUESTED, message.account_id, message.SerializeToString())
            self.expected["IDEMPOTENCY_CONFLICT"] += 1

    async def _send(self, topic: str, key: str, payload: bytes) -> None:
        self._sent += 1
        trace = trace_id_of(self._run, _NUMBER + self._sent)
        headers = cloud_event(topic, trace.hex(), time.time_ns() // 1_000, trace, sampled=True)
        await self._producer.send_and_wait(topic, payload, key=key.encode(), headers=headers)


def _without_amount(message: pb.TransactionAuthorizationRequested) -> bytes:
    message.amount.amount_minor = 0
    return message.SerializeToString()


def _moved(message: pb.TransactionAuthorizationRequested, by: timedelta) -> bytes:
    message.event_time.FromDatetime(message.event_time.ToDatetime() + by)
    return message.SerializeToString()
