"""A whole decision desk in process: real store, rules, policies, codec and records; the models and the event log are neighbours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import yaml
from meshkit.crypto.seal import Sealer
from meshkit.errors import Unavailable
from meshkit.telemetry.context import TraceContext, to_header
from meshkit.testing.keys import batch_signer, commitment_ring, payload_sealer
from risk_scoring import translate
from risk_scoring.adapters.file_policies import FilePolicies
from risk_scoring.adapters.model_files import ModelFiles, load_model_files
from risk_scoring.consumers.corrections import Corrections
from risk_scoring.consumers.transactions import StreamTopics, TransactionStream
from risk_scoring.domain.combine import Combiner
from risk_scoring.domain.decision import Request, Verdict
from risk_scoring.domain.lists import ListSnapshot
from risk_scoring.domain.observation import LoggedDecision, RecordPlace
from risk_scoring.steps.correct import Corrector
from risk_scoring.steps.decide import Decider
from risk_scoring.steps.decide_on_log import LogDecider
from risk_scoring.steps.identify import Identifier
from risk_scoring.steps.outage import Outage
from risk_scoring.steps.recall import Recall
from risk_scoring.steps.restore import Restorer
from risk_scoring.steps.score import Scorer
from risk_scoring.translate.messages import account_partition
from risk_scoring.usecases.on_label_reported import OnLabelReported
from risk_scoring.usecases.on_transaction_authorization_requested import OnTransactionAuthorizationRequested
from risk_scoring.usecases.on_transaction_lifecycle_reported import OnTransactionLifecycleReported
from risk_scoring.usecases.score_transaction import ScoreTransaction

from tests.protocol.makers import DAY, KEYS, TRACE, identifier
from tests.protocol.stores import Shelf, opened
from tests.stack import PrivateRedis

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "services/risk-scoring/rules"
PARTITIONS = 4
TOPIC_ID = bytes(range(16))
TOPICS = StreamTopics("in", "decisions", "audit")


@dataclass
class Model:
    """Answers ``scores`` in turn (the last for ever), or raises."""

    scores: list[float] = field(default_factory=lambda: [0.001])
    failure: Exception | None = None
    version: str = "7"
    sha256: bytes = bytes.fromhex("0123456789abcdef" * 4)
    asked: int = 0

    async def score(self, vectors: Any, timeout_s: float) -> Any:
        """Same score for each row."""
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return np.full(len(vectors), self.scores.pop(0) if len(self.scores) > 1 else self.scores[0])


class Health:
    """Remembers what was reported."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}
        self.changed = asyncio.Event()

    def degraded(self, component: str, reason: str) -> None:
        """A component is missing."""
        self.missing[component] = reason
        self.changed.set()

    not_ready = degraded

    def recovered(self, component: str) -> None:
        """It is back."""
        self.missing.pop(component, None)
        self.changed.set()


class EventLog:
    """Decision and audit topics in memory: what was published, in order. ``down`` refuses everything."""

    def __init__(self, lookback_from_s: float = 0.0) -> None:
        self.decisions: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        self.audits: list[bytes] = []
        self.order: list[str] = []
        self.down = False
        self.retention_s = float(32 * DAY)
        self.taken: set[int] = set()
        self.lookback_from_s = lookback_from_s
        self.before_publish: Callable[[], Any] | None = None

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the event log does not answer", reason="EVENT_LOG_DOWN")

    async def partitions(self) -> Sequence[int]:
        """Every partition."""
        self._check()
        return range(PARTITIONS)

    async def read(self, partition: int, first_offset: int) -> AsyncIterator[tuple[Sequence[LoggedDecision], int]]:
        """Everything from an offset on, in pieces of two."""
        self._check()
        held = [LoggedDecision(RecordPlace(TOPIC_ID, partition, offset), each) for offset, each in enumerate(self.decisions[partition])]
        for start in range(first_offset, max(len(held), first_offset + 1), 2):
            yield held[start : start + 2], max(min(start + 2, len(held)), first_offset)

    async def kept_s(self) -> float:
        """As told."""
        self._check()
        return self.retention_s

    def append(self, account_id: str, decision: bytes) -> int:
        """Write one decision; returns its partition."""
        partition = account_partition(account_id, PARTITIONS)
        self.decisions[partition].append(decision)
        return partition

    async def write(self, verdicts: Sequence[Verdict]) -> None:
        """DecisionPublisher: audit, then decisions."""
        self._check()
        self.audits += [verdict.audit for verdict in verdicts if verdict.audit]
        for verdict in verdicts:
            self.append(verdict.request.transaction.account_id, verdict.decision)

    def all(self) -> list[bytes]:
        """All decisions."""
        return [decision for partition in self.decisions for decision in partition]

    def first_of(self, decision_id: bytes) -> bytes | None:
        """What readers take."""
        return next((d for d in self.all() if translate.decision_id(d) == decision_id), None)


class Records:
    """DecisionRecords on an EventLog. ``at_once``: how many places one reading gets to."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.at_once = 1_000
        self.asked: list[list[RecordPlace]] = []

    async def read(self, places: Collection[RecordPlace], within_s: float) -> Mapping[RecordPlace, bytes | None]:
        """Look the places up."""
        self._log._check()
        self.asked.append(sorted(places))
        return {place: self._at(place) for place in sorted(places)[: self.at_once]}

    def _at(self, place: RecordPlace) -> bytes | None:
        held = self._log.decisions[place.partition]
        return held[place.offset] if place.topic_id == TOPIC_ID and place.offset < len(held) else None


class Publisher:
    """DecisionPublisher on an EventLog."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def publish(self, verdicts: Sequence[Verdict]) -> None:
        """Write."""
        await self._log.write(verdicts)


class OutageLog:
    """OutageLog port on an EventLog. ``lost``: the right was taken by somebody else."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.held = False
        self.entered = 0

    async def enter(self) -> None:
        """Take all partitions."""
        self._log._check()
        self.held = True
        self.entered += 1

    async def leave(self) -> None:
        """Give them back."""
        self.held = False

    async def partitions(self) -> Sequence[int]:
        """Every partition."""
        return await self._log.partitions()

    def since_s(self, partition: int) -> float:
        """From when on the log was read."""
        return self._log.lookback_from_s

    async def partition_of(self, account_id: str) -> int:
        """Kafka's default partitioner."""
        if not self.held:
            raise Unavailable("not held", reason="OUTAGE_NOT_READY")
        return account_partition(account_id, PARTITIONS)

    async def first(self, partition: int, decision_ids: Collection[bytes]) -> Mapping[bytes, bytes]:
        """First record of each id."""
        self._log._check()
        held = {translate.decision_id(decision): decision for decision in reversed(self._log.decisions[partition])}
        return {each: held[each] for each in decision_ids if each in held}

    async def publish(self, partition: int, verdicts: Sequence[Verdict]) -> None:
        """Write both."""
        self._log._check()
        if self._log.before_publish is not None:
            await self._log.before_publish()
        self._log.audits += [verdict.audit for verdict in verdicts]
        self._log.decisions[partition] += [verdict.decision for verdict in verdicts]


@dataclass
class Desk:
    """One process of risk-scoring."""

    shelf: Shelf
    served: Model
    in_process: Model
    policies: Any
    decider: Decider
    restorer: Restorer
    log: EventLog
    outage: Outage
    outage_log: OutageLog
    score: ScoreTransaction
    stream: TransactionStream
    health: Health
    codec: translate.RecordCodec
    sealer: Sealer
    records: Records

    async def decide(self, *requests: Request, published: Mapping[int, int] | None = None) -> list[Verdict]:
        """Decide one batch."""
        return await self.decider.decide(requests, published=published)

    async def streamed(self, *payments: Any, partition: int = 0, first_offset: int = 0) -> list[Any]:
        """Let the stream's handler answer messages; returns what its transaction would hold."""
        return list(await self.stream.handle(partition, records(*payments, partition=partition, first_offset=first_offset)))


def record(value: bytes, *, topic: str = "in", partition: int = 0, offset: int = 0, headers: Sequence[tuple[str, bytes]] = ()) -> Any:
    """A record as the consumer delivers it."""
    return SimpleNamespace(topic=topic, partition=partition, offset=offset, key=b"account", value=value, headers=headers, timestamp=0)


def records(*payments: Any, partition: int = 0, first_offset: int = 0) -> list[Any]:
    """Records of messages or of raw bytes."""
    headers = (to_header(TraceContext(*TRACE)),)
    values = [each if isinstance(each, bytes) else each.SerializeToString() for each in payments]
    return [record(value, partition=partition, offset=first_offset + n, headers=headers) for n, value in enumerate(values)]


def model_files() -> ModelFiles:
    """The shipped fraud model."""
    return load_model_files(ROOT / "models/repository")


def channels(folder: Path, **changes: Any) -> Path:
    """The shipped channel table with changes: ``cap={...}``, ``ecommerce={...}``."""
    document = yaml.safe_load((RULES / "channels.yaml").read_text())
    document["decline_cap"].update(changes.pop("cap", {}))
    for channel, fields in changes.items():
        document["channels"][channel].update(fields)
    path = folder / "channels.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def corrections(here: Desk, letters: Any) -> Corrections:
    """The consumer of labels and lifecycle reports on a desk."""
    ours, clock = identifier(), here.shelf.clock
    on_label, on_report = OnLabelReported(ours, clock), OnTransactionLifecycleReported(ours, clock)
    return Corrections(on_label, on_report, Corrector(here.shelf.store, here.restorer), letters)


@asynccontextmanager
async def desk(
    redis: PrivateRedis,
    *,
    prefix: str | None = None,
    log: EventLog | None = None,
    channel_file: Path = RULES / "channels.yaml",
    horizon_s: int = DAY,
    after_s: float = 0.2,
    adopt: bool = True,
    served: Any = None,
    by_place: bool = False,
    **shelf: Any,
) -> AsyncIterator[Desk]:
    """Open a desk. Desks of one ``prefix`` and ``log`` are replicas. ``served``: the model in Triton's place, a scripted one if none."""
    async with opened(redis, prefix=prefix, horizon_s=horizon_s, adopt=adopt, **shelf) as held:
        files, health, log = model_files(), Health(), log or EventLog()
        policies = FilePolicies(
            RULES / "anti-fraud.json", channel_file, RULES / "rates.yaml", files.thresholds, health, None, files.card_sha256
        )  # type: ignore[arg-type]
        served, in_process = served or Model(), Model()
        policies.lists_changed(ListSnapshot())
        combiner, codec = Combiner(files.paths, failed=policies.rules_failed), translate.RecordCodec(KEYS, commitment_ring(), "development")
        scorer = Scorer(served, in_process, health, 0.5)  # type: ignore[arg-type]
        restorer = Restorer(held.link, held.store, log, translate.restored_record, horizon_s if by_place else None)
        decider = Decider(held.store, scorer, combiner, codec, lambda: policies.current(), held.clock)
        outage_log = OutageLog(log)
        log_decider = LogDecider(outage_log, combiner, codec, policies.current, held.clock)
        outage = Outage(outage_log, restorer, log_decider, held.clock, health, after_s)  # type: ignore[arg-type]
        sealer = payload_sealer()
        identifier = Identifier(KEYS, policies.rates.to_reference_minor)
        records = Records(log)
        recall = Recall(records, translate.decision_identity)
        usecase = OnTransactionAuthorizationRequested(decider, restorer, held.store, recall)
        stream = TransactionStream(usecase, identifier, TOPICS, batch_signer(), sealer, held.clock, horizon_s)
        for partition in range(PARTITIONS if adopt else 0):
            await stream.assigned(partition, 1)
        score = ScoreTransaction(decider, held.store, restorer, Publisher(log), outage, recall, 64, 0.06)
        try:
            yield Desk(
                held,
                served,
                in_process,
                policies,
                decider,
                restorer,
                log,
                outage,
                outage_log,
                score,
                stream,
                health,
                codec,
                sealer,
                records,
            )
        finally:
            await outage.aclose()
