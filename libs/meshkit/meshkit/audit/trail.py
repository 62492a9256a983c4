"""What a process emits audit records with, put together once for all services."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from uuid import uuid4

from meshkit.audit.batch import BatchSigner, SigningKey
from meshkit.audit.emit import AuditEmitter
from meshkit.audit.records import KEYS, AuditRecords, Versions
from meshkit.clock import Clock
from meshkit.crypto.ring import Ring
from meshkit.events.publisher import Publisher
from meshkit.service import Service


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """Emitter, beginnings of records, and the versions in force, that of the signing keys among them."""

    emitter: AuditEmitter
    records: AuditRecords
    versions: Versions


async def audit_trail(
    service: Service, process: str, events: Publisher, signing: Ring[SigningKey], topic_prefix: str, clock: Clock
) -> AuditTrail:
    """Return the trail of a process, running beside the service. ``process``: how its producer's name begins, the service's first."""
    emitter = AuditEmitter(events, f"{process}/{uuid4().hex[:8]}", BatchSigner(signing), topic_prefix, service)
    records = AuditRecords(service.name, service.config.build, clock)
    versions = Versions(records, emitter.put)
    versions.follow(KEYS, lambda: signing.hash, signing.purpose)
    await service.add(aclosing(emitter))
    service.task(emitter.run(), name="audit emission", endless=True)
    service.task(versions.run(), name="versions", endless=True)
    return AuditTrail(emitter, records, versions)
