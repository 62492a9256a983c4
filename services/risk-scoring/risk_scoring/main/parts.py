"""What both processes are made of."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from uuid import uuid4

from meshkit.audit.batch import BatchSigner, SigningKey
from meshkit.audit.emit import AuditEmitter
from meshkit.clock import Clock, SystemClock
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import COMMITMENT, IDS, keys_of, signing
from meshkit.crypto.keyed_ids import KeyedIds
from meshkit.events.publisher import Publisher
from meshkit.rpc.tls import of_triton
from meshkit.service import Service
from meshkit.triton.client import TritonClient

from risk_scoring import translate
from risk_scoring.adapters.file_policies import FilePolicies
from risk_scoring.adapters.kafka_decision_log import KafkaDecisionLog
from risk_scoring.adapters.kafka_lists import KafkaLists
from risk_scoring.adapters.model_files import load_model_files
from risk_scoring.adapters.onnx_model import OnnxModel
from risk_scoring.adapters.otel_shadow_observer import OtelShadowObserver
from risk_scoring.adapters.redis_feature_store import RedisFeatureStore
from risk_scoring.adapters.redis_link import RedisLink
from risk_scoring.adapters.triton_model import TritonModel
from risk_scoring.config import RiskScoringConfig
from risk_scoring.domain.combine import Combiner
from risk_scoring.domain.features import COUNT
from risk_scoring.steps.decide import Decider
from risk_scoring.steps.identify import Identifier
from risk_scoring.steps.restore import Restorer
from risk_scoring.steps.score import Scorer

STREAM_GROUP = "risk-scoring-stream"


@dataclass(frozen=True, slots=True)
class Parts:
    """Adapters and steps of one process."""

    clock: Clock
    keys: KeyedIds
    signer: BatchSigner
    events: Publisher
    audit: AuditEmitter
    policies: FilePolicies
    link: RedisLink
    store: RedisFeatureStore
    restorer: Restorer
    identifier: Identifier
    codec: translate.RecordCodec
    combiner: Combiner
    decider: Decider


async def assemble(config: RiskScoringConfig, service: Service, process: str) -> Parts:
    """Build the parts of a process and start what follows topics and files.

    Raises FailedPrecondition when model, policies or keys are missing.
    """
    clock, keys = SystemClock(), KeyedIds(keys_of(config.keys.ids, IDS))
    commitments = service.ring(config.keys.commitment, COMMITMENT, CommitmentKey, config.keys.reload_s)
    signer = BatchSigner(service.ring(config.keys.audit_batch, signing(service.name), SigningKey, config.keys.reload_s))
    events = await service.add(aclosing(Publisher(config.kafka)))
    producer = f"risk-scoring/{process}/{uuid4().hex[:8]}"
    audit = await service.add(aclosing(AuditEmitter(events, producer, signer, config.kafka.topic_prefix, service)))
    service.task(audit.run(), name="audit emission", endless=True)
    files = load_model_files(config.model_repository, config.model_version)
    policies = FilePolicies(config.rules, config.channels, config.rates, files.thresholds, service, config.shadow_rules, files.card_sha256)
    triton = await service.add(TritonClient(config.triton.url, of_triton(config.triton)))
    link = await service.add(aclosing(RedisLink(config.redis, config.redis_prefix)))
    store = RedisFeatureStore(link, clock, config.dedupe_horizon_s)
    restorer = Restorer(link, store, KafkaDecisionLog(config.kafka), translate.restored_record)
    combiner = Combiner(files.paths, OtelShadowObserver(), policies.rules_failed)
    codec = translate.RecordCodec(keys, commitments, config.build)
    scorer = Scorer(TritonModel(triton, files), OnnxModel(files), service, config.triton.timeout_ms / 1000)
    await scorer.warm(COUNT)
    decider = Decider(store, scorer, combiner, codec, policies.current, clock)
    lists = await service.add(aclosing(KafkaLists(config.kafka)))
    service.task(lists.follow(policies.lists_changed), name="lists", endless=True)
    service.task(policies.watch(), name="policies", endless=True)
    return Parts(
        clock,
        keys,
        signer,
        events,
        audit,
        policies,
        link,
        store,
        restorer,
        Identifier(keys, policies.rates.to_reference_minor),
        codec,
        combiner,
        decider,
    )
