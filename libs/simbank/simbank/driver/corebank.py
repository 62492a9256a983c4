"""A core banking system at the gateway: one call a transaction at its intended time, and no giving up.

A call that fails with something a retry can help is repeated with the same identity until it is answered or the run is over; the answer
of any attempt is THE answer. Latency runs from the intended time of the first attempt to the reply, retries included.
"""

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from finmesh.risk.v1 import decision_pb2, transaction_pb2
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from finmesh_client import GatewayClient
from meshkit import errors
from meshkit.telemetry import spans
from meshkit.telemetry.context import TraceContext, attached

from simbank.driver.headers import is_sampled, trace_id_of
from simbank.replay import Replay
from simbank.translate import Translator

CALL_TIMEOUT_S = 1.0
IN_FLIGHT = 128
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.05, 1.0
_FINAL = (
    errors.InvalidArgument,
    errors.FailedPrecondition,
    errors.Conflict,
    errors.NotFound,
    errors.Unauthenticated,
    errors.PermissionDenied,
    errors.DataCorrupted,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the bank was told about one transaction; `digest` is the SHA-256 of the decision record in the reply."""

    decision_id: str
    digest: bytes


@dataclass
class Calls:
    """What came of the calls. `failures` counts attempts that were repeated, by reason; `refused` calls that got no answer for a reason
    that no outage explains: what may not be repeated, and internal errors to the end."""

    planned: int = 0
    started: int = 0
    replayed: int = 0
    degraded: int = 0
    replies: dict[bytes, Reply] = field(default_factory=dict)  # by trace id
    unanswered: set[bytes] = field(default_factory=set)
    failures: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)


class CoreBank:
    """`gateway` repeats nothing by itself, so that every attempt counts; `sampled_share` of the calls begin a recorded trace."""

    def __init__(self, gateway: GatewayClient, run: int, sampled_share: float = 1.0) -> None:
        self._gateway = gateway
        self._run = run
        self._sampled_share = sampled_share
        self._slots = asyncio.Semaphore(IN_FLIGHT)

    async def replay(self, plan: Replay, translator: Translator, calls: Calls, until_s: float, changed: Callable[[], None]) -> None:
        """Call for every row at its intended time; returns when each is answered or `until_s` (epoch) has come."""
        calls.planned += len(plan)
        async with asyncio.TaskGroup() as group:
            for row in range(len(plan)):
                await asyncio.sleep(max(int(plan.intended_us[row]) / 1e6 - time.time(), 0.0))
                calls.started += 1
                group.create_task(self._call(plan, translator, row, calls, until_s, changed))

    async def _call(
        self, plan: Replay, translator: Translator, row: int, calls: Calls, until_s: float, changed: Callable[[], None]
    ) -> None:
        trace = trace_id_of(self._run, int(plan.rows.transaction_id[row]))
        context = TraceContext(int.from_bytes(trace, "big"), random.getrandbits(64) or 1, is_sampled(trace, self._sampled_share))
        message = translator.request(plan.rows, row)
        start_ns = time.time_ns()
        with attached(context):
            answer = await self._until_answered(message, calls, until_s)
        if answer is None:
            calls.unanswered.add(trace)
        else:
            self._note(answer, trace, int(plan.intended_us[row]) / 1e6, calls)
        reason = None if answer is not None else "UNANSWERED"
        spans.record("authorise", context, parent=None, start_ns=start_ns, end_ns=time.time_ns(), error=reason)
        changed()

    async def _until_answered(
        self, transaction: transaction_pb2.TransactionAuthorizationRequested, calls: Calls, until_s: float
    ) -> risk.ScoreTransactionResponse | None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                async with self._slots:
                    return await self._gateway.score_transaction(transaction, CALL_TIMEOUT_S)
            except _FINAL as error:
                calls.refused[error.reason] += 1
                return None
            except errors.MeshError as error:
                calls.failures[error.reason] += 1
                wait_s = (error.retry_after_s or pause_s) * random.uniform(0.8, 1.2)
                if time.time() + wait_s >= until_s:
                    calls.refused[error.reason] += type(error) is errors.MeshError
                    return None
            await asyncio.sleep(wait_s)
            pause_s = min(pause_s * 2, _MAX_PAUSE_S)

    @staticmethod
    def _note(response: risk.ScoreTransactionResponse, trace: bytes, intended_s: float, calls: Calls) -> None:
        calls.latencies_s.append(max(time.time() - intended_s, 0.0))
        calls.replies[trace] = Reply(response.decision_id, hashlib.sha256(response.decision_record).digest())
        calls.replayed += response.replayed
        calls.degraded += bool(response.degradations)
        calls.outcomes[decision_pb2.Outcome.Name(response.outcome).removeprefix("OUTCOME_").lower()] += 1
