"""A core banking system at the gateway: mutual TLS, a bearer token, one call a transaction at its intended time.

Open loop as well: a call that is due starts even when earlier ones are still out, up to `concurrency`; beyond that the wait counts as
latency, which runs from the intended time.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
import grpc.aio
import numpy as np
from finmesh.gateway.v1 import gateway_service_pb2 as gateway
from finmesh.gateway.v1 import gateway_service_pb2_grpc as gateway_grpc
from finmesh.risk.v1 import decision_pb2, transaction_pb2
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk

from simbank.replay import Replay
from simbank.translate import Translator

_OPTIONS = (
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    ("grpc.keepalive_time_ms", 30_000),  # a run is longer than the time after which a firewall forgets a connection
)


@dataclass(frozen=True)
class Credentials:
    """Files of the caller: its certificate and key, the authority that signs the gateway, and its bearer token."""

    authority: Path
    certificate: Path
    key: Path
    token: Path


@dataclass
class Calls:
    """What the gateway answered. `decision_ids` are distinct; errors are counted by status code."""

    planned: int = 0
    started: int = 0
    answered: int = 0
    replayed: int = 0
    degraded: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    decision_ids: set[str] = field(default_factory=set)

    def latency_ms(self, quantile: float) -> float:
        """A quantile of the latency in milliseconds; NaN when no call was answered."""
        return float(np.quantile(self.latencies_s, quantile) * 1e3) if self.latencies_s else float("nan")


class ScoringClient:
    """Use as an asynchronous context manager. Without credentials the channel is in clear text, for tests on loopback."""

    def __init__(self, target: str, credentials: Credentials | None, *, timeout_s: float = 0.5) -> None:
        self._target = target
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._metadata: tuple[tuple[str, str], ...] = ()

    async def __aenter__(self) -> Self:
        if self._credentials is None:
            self._channel = grpc.aio.insecure_channel(self._target, _OPTIONS)
        else:
            files = self._credentials
            tls = grpc.ssl_channel_credentials(files.authority.read_bytes(), files.key.read_bytes(), files.certificate.read_bytes())
            self._channel = grpc.aio.secure_channel(self._target, tls, _OPTIONS)
            self._metadata = (("authorization", f"Bearer {files.token.read_text().strip()}"),)
        self._stub = gateway_grpc.GatewayServiceStub(self._channel)  # type: ignore[no-untyped-call,unused-ignore]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._channel.close()

    async def score(self, transaction: transaction_pb2.TransactionAuthorizationRequested) -> risk.ScoreTransactionResponse:
        """Decide one transaction; raises grpc.aio.AioRpcError."""
        request = gateway.ScoreTransactionRequest(request=risk.ScoreTransactionRequest(transaction=transaction))
        answer = await self._stub.ScoreTransaction(request, timeout=self._timeout_s, metadata=self._metadata)
        response: risk.ScoreTransactionResponse = answer.response
        return response

    async def replay(
        self, plan: Replay, translator: Translator, *, concurrency: int = 64, progress: Callable[[Calls], None] | None = None
    ) -> Calls:
        """Call for every row of `plan` at its intended time; returns when all calls ended."""
        calls = Calls(planned=len(plan))
        slots = asyncio.Semaphore(concurrency)

        async def call(row: int) -> None:
            try:
                await self._timed(plan, translator, row, calls)
            finally:
                slots.release()
            if progress is not None:
                progress(calls)

        async with asyncio.TaskGroup() as group:
            for row in range(len(plan)):
                wait_s = int(plan.intended_us[row]) / 1e6 - time.time()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                await slots.acquire()
                calls.started += 1
                group.create_task(call(row))
        return calls

    async def _timed(self, plan: Replay, translator: Translator, row: int, calls: Calls) -> None:
        try:
            response = await self.score(translator.request(plan.rows, row))
        except grpc.aio.AioRpcError as error:
            calls.errors[error.code().name] += 1
            return
        calls.latencies_s.append(max(time.time() - int(plan.intended_us[row]) / 1e6, 0.0))
        calls.answered += 1
        calls.replayed += response.replayed
        calls.degraded += bool(response.degradations)
        calls.outcomes[decision_pb2.Outcome.Name(response.outcome).removeprefix("OUTCOME_").lower()] += 1
        calls.decision_ids.add(response.decision_id)
