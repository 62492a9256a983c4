"""The ingest process: topics of documents, the leader that reads them, the dense index, what banks are told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing

from documents.sandbox import Sandbox
from meshkit.events.dead_letter import DeadLetterWriter
from meshkit.events.health import Health
from meshkit.events.offsets_in_db import Loss, OffsetsInDb
from meshkit.events.publisher import Publisher
from meshkit.rpc.server import MeshServer
from meshkit.service import Service, load_config, run

from rag.adapters.file_grades import file_grades
from rag.adapters.kafka_announcer import KafkaAnnouncer
from rag.adapters.sandbox_parser import SandboxParser
from rag.config import SERVICE, IngestConfig
from rag.consumers.documents import SUBMITTED, WITHDRAWN, SubmittedDocuments, WithdrawnDocuments
from rag.main.legs import dense_leg, set_aside_alarm
from rag.main.parts import Parts, assemble
from rag.steps.announce import Announcements
from rag.steps.evidence import Evidence
from rag.steps.follow import Follow
from rag.steps.ingest import Ingestor
from rag.steps.legs import VectorLeg
from rag.steps.prepare import Prepare
from rag.steps.purging import Purging
from rag.usecases.on_document_submitted import OnDocumentSubmitted
from rag.usecases.on_document_withdrawn import OnDocumentWithdrawn
from rag.usecases.withdraw_document import WithdrawDocument

log = logging.getLogger(__name__)


async def main() -> None:
    """Run until SIGTERM. Exit codes: 0 stopped, 1 failed, 2 wrong configuration."""
    config = load_config(IngestConfig)
    async with Service(config, SERVICE) as service:
        await serve(config, service)


async def serve(config: IngestConfig, service: Service) -> None:
    """Build everything and serve."""
    parts = await assemble(config, service, "ingest")
    evidence = await service.add(aclosing(parts.evidence()))
    await read_topics(config, service, parts, evidence)
    announcer = KafkaAnnouncer(await service.add(aclosing(Publisher(config.kafka))), config.kafka.topic_prefix, parts.clock)
    announcements = Announcements(parts.ledger.library, parts.ledger.positions, announcer, evidence, parts.clock)
    await lead(config, service, parts, announcements)
    purging = Purging(parts.ledger.custody, parts.blobs, parts.clock)
    service.task(purging.run(), name="purging", endless=True)
    await service.run(MeshServer.of(config, config.callers, refused=parts.denials.refused))


async def read_topics(config: IngestConfig, service: Service, parts: Parts, evidence: Evidence) -> None:
    """Enrol and withdraw what comes as events."""
    publisher = await service.add(aclosing(Publisher(config.kafka)))
    dead_letters = DeadLetterWriter(publisher, parts.sealer)
    on_submitted = OnDocumentSubmitted(parts.blobs, parts.ledger.intake, parts.clock)
    on_withdrawn = OnDocumentWithdrawn(WithdrawDocument(parts.ledger.intake, evidence, parts.clock))
    for topic, sink in (
        (SUBMITTED, SubmittedDocuments(parts.ledger.positions, dead_letters, lost_alarm(service, SUBMITTED), on_submitted)),
        (WITHDRAWN, WithdrawnDocuments(parts.ledger.positions, dead_letters, lost_alarm(service, WITHDRAWN), on_withdrawn)),
    ):
        consumer = OffsetsInDb(config.kafka, topic, sink, service)
        service.task(consumer.run(service.stopping), name=topic)


def lost_alarm(health: Health, topic: str) -> Callable[[Loss], None]:
    """Return what is told of lost records: the log says which, health says so until the process ends."""

    def alarm(loss: Loss) -> None:
        due, resumed = loss.due, loss.resumed
        where = (
            f"partition {due.partition}, offsets {due.next_offset} of {due.incarnation} to {resumed.next_offset} of {resumed.incarnation}"
        )
        log.error("records of %s were gone before they were read: %s, %s", topic, loss.reason, where)
        health.degraded(f"records lost of {topic}", loss.reason)

    return alarm


async def lead(config: IngestConfig, service: Service, parts: Parts, announcements: Announcements) -> None:
    """Read documents while this process leads, follow with vectors, tell what became of them."""
    settings = config.ingest
    sandbox = await service.add(Sandbox(at_once=settings.parsers, ocr=settings.ocr))
    parser = SandboxParser(sandbox, ocr=settings.ocr)
    prepare = Prepare(parts.blobs, parser, file_grades(settings.grades), settings.chunk_pieces)

    dense = await dense_leg(config, service)

    async def beside() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(announcements.run(), name="announcements")
            if dense is not None:
                leg, alarm = VectorLeg(dense.vectors, dense.encoder), set_aside_alarm(service, "dense index")
                follow = Follow(parts.ledger.library, leg, parts.clock, follower="vectors", alarm=alarm)
                group.create_task(follow.run(), name="vectors")

    ingestor = Ingestor(
        parts.ledger.workbench,
        prepare,
        parts.clock,
        owner=parts.instance,
        lease_s=settings.lease_s,
        parallel=settings.parsers,
        attempts=settings.attempts,
        standing=lambda leads: log.info("this process leads" if leads else "another process leads"),
        beside=beside,
    )
    service.task(ingestor.run(), name="ingest", endless=True)


if __name__ == "__main__":
    run(main())
