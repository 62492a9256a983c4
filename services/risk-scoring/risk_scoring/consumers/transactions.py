"""Events in: bytes to requests, verdicts to messages. What can't be decided becomes a dead letter with its reason."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from finmesh.risk.v1.transaction_pb2 import TransactionAuthorizationRequested
from meshkit.audit.batch import BatchSigner, BatchWriter
from meshkit.audit.messages import AuditMessages
from meshkit.clock import Clock
from meshkit.crypto.seal import Sealer
from meshkit.errors import MeshError
from meshkit.events.dead_letter import rejected
from meshkit.events.message import Message, Record
from meshkit.telemetry import spans
from meshkit.telemetry.context import TraceContext, from_headers

from risk_scoring import translate
from risk_scoring.consumers import telemetry
from risk_scoring.domain.decision import Request, Verdict
from risk_scoring.domain.horizon import check_age
from risk_scoring.steps.identify import Identifier
from risk_scoring.steps.timeline import Timeline
from risk_scoring.translate.messages import decision_message
from risk_scoring.usecases.on_transaction_authorization_requested import OnTransactionAuthorizationRequested

TRANSACTION_TOPIC = "finmesh.risk.v1.TransactionAuthorizationRequested"


@dataclass(frozen=True, slots=True)
class StreamTopics:
    """Names with their environment prefix."""

    input: str
    decisions: str
    audit: str


class TransactionStream:
    """Handler of the transaction topic for `meshkit.events.exactly_once`."""

    def __init__(
        self,
        usecase: OnTransactionAuthorizationRequested,
        identifier: Identifier,
        topics: StreamTopics,
        signer: BatchSigner,
        sealer: Sealer,
        clock: Clock,
        dedupe_horizon_s: int,
    ) -> None:
        self._usecase = usecase
        self._identifier = identifier
        self._topics = topics
        self._signer = signer
        self._sealer = sealer
        self._clock = clock
        self._horizon_s = dedupe_horizon_s
        self._audit: dict[int, AuditMessages] = {}
        self._published: dict[int, int] = {}
        self._metrics = telemetry.Instruments()

    async def assigned(self, partition: int, epoch: int) -> None:
        """Begin a partition: restore what others decided for it, start a new audit epoch."""
        await self._usecase.assigned(partition)
        writer = BatchWriter(f"risk-scoring/stream/{partition}", epoch, self._signer)
        self._audit[partition] = AuditMessages(self._topics.audit, 0, writer)
        self._published.pop(partition, None)

    async def handle(self, partition: int, records: Sequence[Record]) -> Sequence[Message]:
        """Return decisions, audit batch and dead letters of one batch."""
        timeline = Timeline()
        requests: list[Request] = []
        contexts: list[tuple[Record, TraceContext]] = []
        messages: list[Message] = []
        with timeline.part("parse"):
            for record in records:
                context = from_headers(record.headers) or spans.root()
                try:
                    requests.append(self._request(partition, record, context))
                    contexts.append((record, context))
                except MeshError as error:
                    messages.append(rejected(self._sealer, record, error))
        if not requests:
            return messages
        published = {partition: self._published[partition]} if partition in self._published else {}
        verdicts = await self._usecase.decide(requests, published, timeline)
        decided: list[tuple[Verdict, TraceContext]] = []
        for verdict, (record, context) in zip(verdicts, contexts, strict=True):
            if not verdict.decision:
                messages.append(rejected(self._sealer, record, verdict.refusal))
                continue
            own = context.child()
            if verdict.friction and not own.sampled:
                own = own._replace(sampled=True)
            decided.append((verdict, own))
            messages.append(decision_message(self._topics.decisions, partition, verdict, own))
        recorded = [own for _, own in decided if own.sampled]
        telemetry.write_spans(partition, contexts, decided, timeline)
        self._metrics.batch(partition, decided, [record for record, _ in contexts], len(records) - len(decided), time.time())
        return messages + self._audit[partition].of([verdict.audit for verdict, _ in decided if verdict.audit], recorded)

    async def confirm(self, partition: int) -> None:
        """Make sure that the store still knows what is about to be committed. Raises StoreForgotten."""
        await self._usecase.confirm(partition)

    async def committed(self, partition: int, written: dict[tuple[str, int], int]) -> None:
        """Remember up to which offset the decision partition is known to hold what the store holds."""
        last = written.get((self._topics.decisions, partition))
        if last is not None:
            self._published[partition] = last

    def _request(self, partition: int, record: Record, context: TraceContext) -> Request:
        """Return the request of a record. Raises InvalidArgument, TooOld."""
        transaction = translate.transaction(translate.parse(TransactionAuthorizationRequested, record.value))
        check_age(transaction.event_time_us, self._clock.now_s(), self._horizon_s)
        return Request(
            transaction,
            self._identifier.observation(transaction),
            context,
            partition=partition,
            offset=record.offset,
        )
