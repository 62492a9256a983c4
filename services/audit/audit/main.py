"""Composition root of the audit service: a flat list."""

from collections.abc import Callable

from finmesh.audit.v1 import audit_service_pb2_grpc as rpc
from meshkit.audit.batch import BatchSigner
from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.clock import SystemClock
from meshkit.crypto.keyed_ids import derive_key
from meshkit.crypto.seal import Sealer
from meshkit.events.offsets_in_db import Flush, OffsetsInDb
from meshkit.rpc.server import MeshServer
from meshkit.service import Service, load_config
from translog.note import Signer

from audit.adapters.anchors import Anchors
from audit.adapters.store import store_at
from audit.adapters.telemetry_alarms import TelemetryAlarms
from audit.adapters.translog_audit_log import TranslogAuditLog
from audit.adapters.translog_audit_reader import TranslogAuditReader
from audit.config import SERVICE, Config
from audit.consumers import AuditBatches
from audit.servicer import AuditServicer
from audit.translate import ProtobufBatchCodec
from audit.usecases.on_audit_batch import OnAuditBatch

QUARANTINE = "audit/quarantine"


def signer_of(config: Config) -> Signer:
    """The log's key: the one that is configured, or one derived from the root secret and the origin."""
    if text := config.audit.signing_key.get_secret_value():
        return Signer.parse(text)
    root = config.keys.secret.get_secret_value().encode()
    return Signer(config.audit.origin, derive_key(root, f"audit-log|{config.audit.origin}"))


async def main(config: Config | None = None) -> None:
    """Run until SIGTERM. Exit codes: 0 stopped, 1 failed (a log that was tampered with, a disk that failed), 2 wrong configuration."""
    config = config or load_config(Config)
    async with Service(config, SERVICE) as service:
        await serve(config, service)


async def serve(config: Config, service: Service, topic: Callable[..., OffsetsInDb] = OffsetsInDb) -> None:
    """Build everything and serve."""
    clock, sealer, settings = SystemClock(), Sealer(config.keys), config.audit
    store = store_at(settings.database_url.get_secret_value())
    anchors = Anchors(settings.pinned_checkpoint, settings.keep_checkpoint, settings.keep_interval_s, clock)
    log = await service.add(TranslogAuditLog(store, signer_of(config), lambda content: sealer.seal(content, QUARANTINE), anchors, clock))
    reader = await service.add(TranslogAuditReader(store))
    alarms = TelemetryAlarms()
    codec = ProtobufBatchCodec(BatchSigner(config.keys) if settings.require_signature else None)
    batches = AuditBatches(OnAuditBatch(log, codec, alarms, clock))
    flush = Flush(settings.flush_records, settings.flush_bytes, settings.flush_delay_ms)
    consumer = topic(config.kafka, AUDIT_TOPIC, batches, service, flush)
    alarms.lag = consumer.lag
    server = MeshServer(config.listen, config.tls, callers=config.callers)
    rpc.add_AuditServiceServicer_to_server(AuditServicer(reader), server)  # type: ignore[arg-type]
    service.not_ready("log", "STARTING")
    service.watch("log", reader.checkpoint, interval_s=0.5, needed=True)
    service.task(consumer.run(service.stopping), name="audit topic")
    await service.run(server)
