"""The stream process: transactions in, decisions out; labels, lifecycle reports and credit transfers beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import aclosing

from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.audit.records import KEYS
from meshkit.crypto.derive import SEAL
from meshkit.crypto.seal import Sealer, SealKey
from meshkit.events.dead_letter import DeadLetterWriter
from meshkit.events.exactly_once import ExactlyOnce
from meshkit.events.offsets_in_db import Flush, OffsetsInDb
from meshkit.events.publisher import Publisher
from meshkit.rpc.server import MeshServer
from meshkit.service import Service, load_config, run

from risk_scoring import translate
from risk_scoring.adapters.lxml_pacs008 import parse_document
from risk_scoring.config import StreamConfig
from risk_scoring.consumers.compaction import Compaction
from risk_scoring.consumers.corrections import LIFECYCLE_TOPIC, Corrections
from risk_scoring.consumers.credit_transfers import PACS008_TOPIC, CreditTransferStream
from risk_scoring.consumers.transactions import TRANSACTION_TOPIC, StreamTopics, TransactionStream
from risk_scoring.main.parts import STREAM_GROUP, Parts, assemble
from risk_scoring.steps.correct import Corrector
from risk_scoring.steps.startup import until_restored
from risk_scoring.translate.messages import DECISION_TOPIC, LABEL_TOPIC
from risk_scoring.usecases.on_iso20022_pacs_008 import OnIso20022Pacs008
from risk_scoring.usecases.on_label_reported import OnLabelReported
from risk_scoring.usecases.on_transaction_authorization_requested import OnTransactionAuthorizationRequested
from risk_scoring.usecases.on_transaction_lifecycle_reported import OnTransactionLifecycleReported

_COMPACTED = Flush(records=500, bytes=64 * 1024, delay_ms=1_000)


async def main() -> None:
    """Run until SIGTERM. Exit codes: 0 stopped, 1 failed, 2 wrong configuration."""
    config = load_config(StreamConfig)
    async with Service(config, name="risk-scoring") as service:
        await serve(config, service)


async def serve(config: StreamConfig, service: Service) -> None:
    """Build everything and serve."""
    parts = await assemble(config, service, "stream")
    server = MeshServer.of(config, config.callers, refused=parts.denials.refused)
    kafka = config.kafka
    seals = service.ring(config.keys.seal, SEAL, SealKey, config.keys.reload_s)
    parts.trail.versions.follow(KEYS, lambda: seals.hash, seals.purpose)
    sealer = Sealer(seals)
    topics = StreamTopics(*(kafka.topic_prefix + topic for topic in (TRANSACTION_TOPIC, DECISION_TOPIC, AUDIT_TOPIC)))
    usecase = OnTransactionAuthorizationRequested(parts.decider, parts.restorer, parts.store, parts.recall)
    transactions = TransactionStream(
        usecase=usecase,
        identifier=parts.identifier,
        topics=topics,
        signer=parts.signer,
        sealer=sealer,
        clock=parts.clock,
        dedupe_horizon_s=config.dedupe_horizon_s,
    )
    transfers = CreditTransferStream(kafka, parse_document, OnIso20022Pacs008(parts.clock), sealer)
    letters = await service.add(aclosing(Publisher(kafka)))
    corrections = Corrections(
        OnLabelReported(parts.identifier, parts.clock),
        OnTransactionLifecycleReported(parts.identifier, parts.clock),
        Corrector(parts.store, parts.restorer),
        DeadLetterWriter(letters, sealer),
    )

    async def work() -> None:
        await until_restored(parts.link, parts.restorer, service)
        await asyncio.gather(
            ExactlyOnce(
                kafka=kafka,
                topic=TRANSACTION_TOPIC,
                group=STREAM_GROUP,
                handler=transactions,
                health=service,
                sealer=sealer,
                max_batch=config.stream_max_batch,
                linger_s=config.stream_linger_ms / 1000,
                busy_linger_s=config.stream_busy_linger_ms / 1000,
            ).run(),
            ExactlyOnce(
                kafka=kafka, topic=PACS008_TOPIC, group="risk-scoring-pacs008", handler=transfers, health=service, sealer=sealer
            ).run(),
            OffsetsInDb(kafka, LABEL_TOPIC, corrections, service).run(service.stopping),
            OffsetsInDb(kafka, LIFECYCLE_TOPIC, corrections, service).run(service.stopping),
            *compaction(config, parts, service),
        )

    service.task(work(), name="stream", endless=True)
    await service.run(server)


def compaction(config: StreamConfig, parts: Parts, service: Service) -> Iterator[Coroutine[None, None, None]]:
    """Yield what keeps old decisions by their place, where that is wanted (rule D25)."""
    if config.compact_decisions:
        sink = Compaction(parts.store, parts.restorer, translate.decision_id, parts.clock, config.compact_after_s)

        def since_s() -> float:
            return parts.clock.now_s() - config.dedupe_horizon_s

        consumer = OffsetsInDb(config.kafka, DECISION_TOPIC, sink, service, flush=_COMPACTED, since_s=since_s)
        yield consumer.run(service.stopping)


if __name__ == "__main__":
    run(main())
