"""What both processes are made of."""

from __future__ import annotations

import socket
from contextlib import aclosing
from dataclasses import dataclass
from uuid import uuid4

from meshkit.audit.batch import SigningKey
from meshkit.audit.denials import Denials
from meshkit.audit.records import KEYS
from meshkit.audit.trail import AuditTrail, audit_trail
from meshkit.clock import Clock, SystemClock
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import COMMITMENT, SEAL, signing
from meshkit.crypto.ring import Ring
from meshkit.crypto.seal import Sealer, SealKey
from meshkit.events.publisher import Publisher
from meshkit.service import Service

from rag.adapters.file_blobs import FileBlobs
from rag.adapters.ledger.open import Ledger, ledger_at
from rag.config import SERVICE, IngestConfig, RpcConfig
from rag.steps.evidence import Evidence
from rag.translate.records import RecordCodec


@dataclass(frozen=True, slots=True)
class Parts:
    """Adapters of one process. ``instance``: its name among its like, new with each start."""

    instance: str
    clock: Clock
    sealer: Sealer
    commitments: Ring[CommitmentKey]
    events: Publisher
    trail: AuditTrail
    denials: Denials
    ledger: Ledger
    blobs: FileBlobs

    def evidence(self) -> Evidence:
        """Return what records looks and changes; to be closed."""
        codec = RecordCodec(self.trail.records, self.commitments)
        return Evidence(codec, self.trail.emitter, self.ledger.references, self.ledger.reports)


async def assemble(config: RpcConfig | IngestConfig, service: Service, process: str) -> Parts:
    """Open ledger, originals, keys and what emits audit records. Raises FailedPrecondition for keys or a ledger's URL that are wrong."""
    clock, keys = SystemClock(), config.keys
    sealer = Sealer(service.ring(keys.seal, SEAL, SealKey, keys.reload_s))
    commitments = service.ring(keys.commitment, COMMITMENT, CommitmentKey, keys.reload_s)
    events = await service.add(aclosing(Publisher(config.kafka)))
    ring = service.ring(keys.audit_batch, signing(SERVICE), SigningKey, keys.reload_s)
    trail = await audit_trail(service, f"{SERVICE}/{process}", events, ring, config.kafka.topic_prefix, clock)
    trail.versions.follow(KEYS, lambda: commitments.hash, commitments.purpose)
    denials = await service.add(aclosing(Denials(trail.records, trail.emitter.put, None, clock)))
    service.task(denials.run(), name="denials", endless=True)
    ledger = ledger_at(config.ledger.database_url.get_secret_value(), sealer)
    await service.add(ledger.store)
    service.not_ready("ledger", "STARTING")
    service.watch("ledger", ledger.library.sequence, interval_s=0.5, needed=True)
    return Parts(
        instance=f"{process}/{socket.gethostname()}/{uuid4().hex[:8]}",
        clock=clock,
        sealer=sealer,
        commitments=commitments,
        events=events,
        trail=trail,
        denials=denials,
        ledger=ledger,
        blobs=FileBlobs(config.ledger.blobs, sealer, commitments, clock),
    )
