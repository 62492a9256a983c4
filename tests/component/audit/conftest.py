"""The audit service in process: real gRPC, real SQLite, real log; the topic is a list that a test fills."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from audit.config import AuditSettings, Config
from audit.main import serve
from finmesh.audit.v1 import audit_service_pb2_grpc as rpc
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit.audit.batch import BatchWriter
from meshkit.config import TlsSettings
from meshkit.errors import MeshError, Unavailable
from meshkit.events.offsets_in_db import Position
from meshkit.rpc.channel import MeshChannel
from meshkit.service import Service
from meshkit.testing.keys import batch_signer
from meshkit.testing.serving import running


@dataclass
class Topic:
    """Stands for Kafka: one partition, delivered to the sink as OffsetsInDb does it."""

    values: list[bytes] = field(default_factory=list)
    writer: BatchWriter = field(default_factory=lambda: BatchWriter("risk-scoring/stream/0", 1, batch_signer()))
    stored: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, kafka: Any, topic: str, sink: Any, health: Any, flush: Any) -> "Topic":
        self.sink, self.health, self.name = sink, health, kafka.topic_prefix + topic
        return self

    def lag(self) -> int:
        return len(self.values) - self.stored

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                known = await self.sink.positions(self.name)
            except Unavailable as error:
                self.health.degraded("kafka", error.reason)
                await asyncio.sleep(0.01)
                continue
            self.stored = known[0].next_offset if 0 in known else 0
            self.health.recovered("kafka")
            await self.deliver(stopping)

    async def deliver(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            if self.stored >= len(self.values):
                await asyncio.sleep(0.005)
                continue
            rows = enumerate(self.values[self.stored :], self.stored)
            records = [SimpleNamespace(topic=self.name, partition=0, offset=n, value=v, headers=()) for n, v in rows]
            await self.sink.store(records, (), [Position(0, "topic-id", len(self.values))])
            self.stored = len(self.values)

    def send(self, *records: bytes) -> None:
        self.values += self.writer.envelopes(records)

    async def all_stored(self) -> None:
        async with asyncio.timeout(10):
            while self.stored < len(self.values):
                await asyncio.sleep(0.005)


@dataclass
class Audit:
    """A running service and its neighbours."""

    stub: Any
    channel: MeshChannel
    service: Service
    topic: Topic
    database: Path
    port: int

    async def failure(self, call: Any, request: Any, **arguments: Any) -> MeshError:
        with pytest.raises(MeshError) as caught:
            await call(request, **arguments)
        return caught.value

    async def log(self, *records: bytes) -> None:
        self.topic.send(*records)
        await self.topic.all_stored()

    async def state(self, wanted: str) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while self.service.state()["state"] != wanted:
                await asyncio.sleep(0.005)
        return self.service.state()


def record(n: int, tenant: str = "bank-a", **fields: Any) -> bytes:
    return AuditRecord(
        audit_record_id=f"a-{n}", tenant=tenant, request_id=f"r-{n // 2}", decision_id=f"d-{n // 3}", **fields
    ).SerializeToString()


StartAudit = Callable[..., Any]


@pytest.fixture
def start(tmp_path: Path) -> StartAudit:
    """Start the service: ``async with start(topic=..., pinned_checkpoint=...) as audit``."""

    @asynccontextmanager
    async def started(
        topic: Topic | None = None, tls: TlsSettings | None = None, client: TlsSettings | None = None, **settings: Any
    ) -> AsyncIterator[Audit]:
        topic = topic or Topic()
        database = tmp_path / "log" / "audit.db"
        options = {"database_url": f"sqlite:///{database}", "producers": {"risk-scoring/": "risk-scoring"}} | settings
        config = Config(listen="127.0.0.1:0", shutdown_grace_s=1, tls=tls or TlsSettings(), audit=AuditSettings(**options))
        async with (
            running(Service(config, "audit"), partial(serve, config, topic=topic)) as service,
            MeshChannel(f"127.0.0.1:{service.port}", client or tls, server_name="audit" if tls else None) as channel,
        ):
            yield Audit(rpc.AuditServiceStub(channel), channel, service, topic, database, service.port)

    return started


@pytest.fixture
async def audit(start: StartAudit) -> AsyncIterator[Audit]:
    async with start() as running_audit:
        yield running_audit
