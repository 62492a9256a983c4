"""What both processes are made of."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from meshkit.audit.batch import BatchSigner, SigningKey
from meshkit.audit.denials import Denials
from meshkit.audit.records import CHANNELS, KEYS, RULES, SHADOW_RULES, Versions
from meshkit.audit.trail import AuditTrail, audit_trail
from meshkit.clock import Clock, SystemClock
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import COMMITMENT, IDS, keys_of, signing
from meshkit.crypto.keyed_ids import KeyedIds
from meshkit.crypto.ring import Ring
from meshkit.events.publisher import Publisher
from meshkit.rpc.tls import of_triton
from meshkit.service import Service
from meshkit.triton.client import TritonClient

from risk_scoring import translate
from risk_scoring.adapters.file_policies import FilePolicies
from risk_scoring.adapters.kafka_decision_log import KafkaDecisionLog
from risk_scoring.adapters.kafka_decision_records import KafkaDecisionRecords
from risk_scoring.adapters.model_files import load_model_files
from risk_scoring.adapters.onnx_model import OnnxModel
from risk_scoring.adapters.otel_shadow_observer import OtelShadowObserver
from risk_scoring.adapters.redis_feature_store import RedisFeatureStore
from risk_scoring.adapters.redis_link import RedisLink
from risk_scoring.adapters.triton_model import TritonModel
from risk_scoring.config import RiskScoringConfig
from risk_scoring.consumers.list_entries import ListEntries
from risk_scoring.domain.combine import Combiner
from risk_scoring.domain.features import COUNT
from risk_scoring.steps.decide import Decider
from risk_scoring.steps.identify import Identifier
from risk_scoring.steps.recall import Recall
from risk_scoring.steps.restore import Restorer
from risk_scoring.steps.score import SMALL_ROWS, Scorer
from risk_scoring.usecases.on_list_entry_changed import OnListEntryChanged

STREAM_GROUP = "risk-scoring-stream"
_PROBE_S = 5.0


@dataclass(frozen=True, slots=True)
class Parts:
    """Adapters and steps of one process."""

    clock: Clock
    keys: KeyedIds
    commitments: Ring[CommitmentKey]
    signer: BatchSigner
    events: Publisher
    trail: AuditTrail
    denials: Denials
    policies: FilePolicies
    link: RedisLink
    store: RedisFeatureStore
    restorer: Restorer
    identifier: Identifier
    codec: translate.RecordCodec
    combiner: Combiner
    decider: Decider
    recall: Recall


async def assemble(config: RiskScoringConfig, service: Service, process: str) -> Parts:
    """Build the parts of a process and start what follows topics and files.

    Raises FailedPrecondition when model, policies or keys are missing.
    """
    clock, keys = SystemClock(), KeyedIds(keys_of(config.keys.ids, IDS))
    commitments = service.ring(config.keys.commitment, COMMITMENT, CommitmentKey, config.keys.reload_s)
    ring = service.ring(config.keys.audit_batch, signing(service.name), SigningKey, config.keys.reload_s)
    events = await service.add(aclosing(Publisher(config.kafka)))
    trail = await audit_trail(service, f"risk-scoring/{process}", events, ring, config.kafka.topic_prefix, clock)
    denials = await service.add(aclosing(Denials(trail.records, trail.emitter.put, None, clock)))
    service.task(denials.run(), name="denials", endless=True)
    files = load_model_files(config.model_repository, config.model_version)
    policies = FilePolicies(
        rules=config.rules,
        channels=config.channels,
        rates=config.rates,
        model=files.thresholds,
        health=service,
        shadow_rules=config.shadow_rules,
        card_sha256=files.card_sha256,
    )
    follow_versions(trail.versions, policies, commitments)
    triton = await service.add(TritonClient(config.triton.url, of_triton(config.triton)))
    link = await service.add(aclosing(RedisLink(config.redis, config.redis_prefix)))
    store = RedisFeatureStore(link, clock, config.dedupe_horizon_s)
    restorer = Restorer(link, store, KafkaDecisionLog(config.kafka), translate.restored_record, config.by_place_s)
    records = await service.add(aclosing(KafkaDecisionRecords(config.kafka, config.decision_reads_per_s)))
    combiner = Combiner(files.paths, OtelShadowObserver(), policies.rules_failed)
    codec = translate.RecordCodec(keys, commitments, config.build)
    scorer = Scorer(TritonModel(triton, files), OnnxModel(files), service, config.triton.timeout_ms / 1000, SMALL_ROWS)
    await scorer.warm(COUNT)
    service.watch("triton", partial(scorer.probe, COUNT), interval_s=_PROBE_S)
    decider = Decider(store=store, scorer=scorer, combiner=combiner, codec=codec, snapshot=policies.current, clock=clock)
    lists = await service.add(aclosing(ListEntries(config.kafka, OnListEntryChanged(policies.lists_changed), service)))
    service.task(lists.follow(), name="lists", endless=True)
    service.task(policies.watch(), name="policies", endless=True)
    return Parts(
        clock=clock,
        keys=keys,
        commitments=commitments,
        signer=BatchSigner(ring),
        events=events,
        trail=trail,
        denials=denials,
        policies=policies,
        link=link,
        store=store,
        restorer=restorer,
        identifier=Identifier(keys, policies.rates.to_reference_minor),
        codec=codec,
        combiner=combiner,
        decider=decider,
        recall=Recall(records, translate.decision_identity),
    )


def follow_versions(versions: Versions, policies: FilePolicies, commitments: Ring[CommitmentKey]) -> None:
    """Have every version that comes in force recorded."""
    versions.follow(RULES, lambda: policies.current().rules.sha256)
    versions.follow(SHADOW_RULES, lambda: shadow.sha256 if (shadow := policies.current().shadow) else b"")
    versions.follow(CHANNELS, lambda: policies.current().channels.sha256)
    versions.follow(KEYS, lambda: commitments.hash, commitments.purpose)
