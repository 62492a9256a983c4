"""Composition root of the audit service: a flat list."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from finmesh.audit.v1 import audit_service_pb2_grpc as rpc
from meshkit import links
from meshkit.audit.batch import BatchVerifier, SigningKey
from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.clock import SystemClock
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import AUDIT_BATCH, COMMITMENT, DEVELOPMENT_ROOT, SEAL, derive_key, signing
from meshkit.crypto.ring import Ring, key_ring_invalid, read_private
from meshkit.crypto.seal import Sealer, SealKey
from meshkit.errors import FailedPrecondition
from meshkit.events.offsets_in_db import Flush, OffsetsInDb
from meshkit.rpc.server import MeshServer
from meshkit.service import Service, load_config
from translog.entries import Commit, Commitment
from translog.errors import MalformedError
from translog.note import Signer
from translog.stores import store_at

from audit.adapters.anchors import Anchors
from audit.adapters.telemetry_alarms import TelemetryAlarms
from audit.adapters.translog_audit_log import TranslogAuditLog
from audit.adapters.translog_audit_reader import TranslogAuditReader
from audit.config import SERVICE, AuditSettings, Config
from audit.consumers import AuditBatches
from audit.servicer import AuditServicer
from audit.translate import ProtobufBatchCodec
from audit.usecases.on_audit_batch import OnAuditBatch

QUARANTINE, LOG = "audit/quarantine", "audit-log"


def signer_of(settings: AuditSettings) -> Signer:
    """The log's key: the one that is configured, or a development key of the origin. Raises FailedPrecondition (KEY_RING_INVALID)."""
    text = settings.signing_key.get_secret_value()
    if not text and settings.signing_key_file:
        text = read_private(settings.signing_key_file, LOG).decode("ascii", "replace")
    try:
        return Signer.parse(text) if text else Signer(settings.origin, derive_key(DEVELOPMENT_ROOT, f"{LOG}|{settings.origin}"))
    except MalformedError as error:
        raise key_ring_invalid(LOG, str(error)) from None


def refuse_development_key(config: Config, signer: Signer) -> None:
    """Raise FailedPrecondition when others could sign as this log, which is known outside of loopback."""
    development = Signer(config.audit.origin, derive_key(DEVELOPMENT_ROOT, f"{LOG}|{config.audit.origin}"))
    if signer.text() == development.text() and not config.allow_development_keys and links.is_exposed(config):
        raise FailedPrecondition("FINMESH_AUDIT__SIGNING_KEY_FILE: a development key, which everybody knows", reason="DEVELOPMENT_KEY")


def verifier_of(config: Config, service: Service) -> BatchVerifier:
    """Who may have signed: each workload its own producers' batches, and whoever has the shared key until that is retired."""
    keys, producers = config.keys, config.audit.producers
    if not producers:
        raise FailedPrecondition("FINMESH_AUDIT__PRODUCERS names nobody: every batch would be poison", reason="NO_PRODUCERS")
    without = sorted(set(producers.values()) - keys.audit_batch.keys()) if keys.audit_batch else []
    if without:
        why = f"FINMESH_KEYS__AUDIT_BATCH has no ring of {', '.join(without)}: its batches would be poison"
        raise FailedPrecondition(why, reason="NO_PRODUCERS")
    files: dict[str, Path | None] = {**(keys.audit_batch or dict.fromkeys(producers.values()))}
    rings = {workload: service.ring(path, signing(workload), SigningKey, keys.reload_s) for workload, path in files.items()}
    shared = keys.audit_batch_shared
    retired = shared is None and bool(keys.audit_batch)
    return BatchVerifier(rings, producers, None if retired else service.ring(shared, AUDIT_BATCH, SigningKey, keys.reload_s))


def commit_under(ring: Ring[CommitmentKey]) -> Commit:
    """Commitments to what waits in quarantine, under every key of the ring, the primary first."""

    def commit(content: bytes) -> list[Commitment]:
        primary = ring.primary
        keys = (primary, *(key for key in ring.accepted if key is not primary))
        return [Commitment(key.id, key.commit(content)) for key in keys]

    return commit


async def main(config: Config | None = None) -> None:
    """Run until SIGTERM. Exit codes: 0 stopped, 1 failed (a log that was tampered with, a disk that failed), 2 wrong configuration."""
    config = config or load_config(Config)
    async with Service(config, SERVICE) as service:
        await serve(config, service)


async def serve(config: Config, service: Service, topic: Callable[..., OffsetsInDb] = OffsetsInDb) -> None:
    """Build everything and serve."""
    clock, settings = SystemClock(), config.audit
    sealer = Sealer(service.ring(config.keys.seal, SEAL, SealKey, config.keys.reload_s))
    store = store_at(settings.database_url.get_secret_value())
    anchors = Anchors(settings.pinned_checkpoint, settings.keep_checkpoint, settings.keep_interval_s, clock)
    signer = signer_of(settings)
    refuse_development_key(config, signer)
    commit = commit_under(service.ring(config.keys.commitment, COMMITMENT, CommitmentKey, config.keys.reload_s))
    log = await service.add(
        TranslogAuditLog(
            store=store, signer=signer, seal=partial(sealer.seal, place=QUARANTINE), commit=commit, anchors=anchors, clock=clock
        )
    )
    reader = await service.add(TranslogAuditReader(store))
    alarms = TelemetryAlarms()
    codec = ProtobufBatchCodec(verifier_of(config, service) if settings.require_signature else None)
    batches = AuditBatches(OnAuditBatch(log, codec, alarms, clock))
    flush = Flush(settings.flush_records, settings.flush_bytes, settings.flush_delay_ms)
    consumer = topic(config.kafka, AUDIT_TOPIC, batches, service, flush)
    alarms.lag = consumer.lag
    server = MeshServer.of(config, config.callers)
    rpc.add_AuditServiceServicer_to_server(AuditServicer(reader), server)  # type: ignore[arg-type]
    service.not_ready("log", "STARTING")
    service.watch("log", reader.checkpoint, interval_s=0.5, needed=True)
    service.task(consumer.run(service.stopping), name="audit topic")
    await service.run(server)
