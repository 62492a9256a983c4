"""A small mesh of what answers from documents: no engine of language models, no scoring; a tiny encoder with random weights.

Mesh and tests share one event loop, a module's. Whoever asks has a token of the development issuer; `finmesh` is run as a person would.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import openai
from aiokafka import AIOKafkaConsumer
from encoder import tiny
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from finmesh.common.v1 import grade_pb2
from finmesh.rag.v1 import document_pb2 as documents
from finmesh.rag.v1 import events_pb2 as events
from finmesh.rag.v1 import rag_service_pb2 as rag
from finmesh_cli.proofs import record_of
from finmesh_client import GatewayClient
from google.protobuf.message import Message as Event
from localmesh import launcher
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.processes import table
from localmesh.rows import only
from localmesh.supervisor import Mesh
from meshkit.config import KafkaSettings, TlsSettings
from meshkit.errors import MeshError, NotFound
from meshkit.events.message import Message, cloud_event, partition_of
from meshkit.events.publisher import Publisher

from tests import programs
from tests.e2e.llm_mesh import after
from tests.programs import Done

TENANT = "bank-a"
ROWS = ("kafka", "redis", "milvus", "triton-encoder", "provision", "audit", "rag-ingest", "rag-rpc", "gateway")
READER, CURATOR = ("reader.jwt", "claims-handling"), ("curator.jwt", "knowledge-management")
OPERATOR, AUDITOR = ("operator.jwt", "fraud-prevention"), ("token.jwt", "fraud-prevention")
CHANGED = "finmesh.rag.v1.DocumentStateChanged"
_LOOK_S = 0.1


@dataclass
class Answer:
    """What a question got."""

    retrieved: rag.Retrieved = field(default_factory=rag.Retrieved)
    sentences: list[rag.Sentence] = field(default_factory=list)
    end: rag.AnswerEnd = field(default_factory=rag.AnswerEnd)

    @property
    def text(self) -> str:
        """All sentences."""
        return "\n".join(each.text for each in self.sentences)

    @property
    def cited(self) -> set[str]:
        """Documents that it rests on."""
        return {each.passage_id.rpartition("@")[0] for sentence in self.sentences for each in sentence.citations}


class KnowledgeMesh:
    """It is up inside `running`."""

    def __init__(self, var: Path) -> None:
        var.mkdir(parents=True)
        self.places = replace(Places.default(), var=var, encoder_model=tiny.make(var / "models"))
        self.ports = Ports.free()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[KnowledgeMesh]:
        """Start, and stop whatever happens."""
        await asyncio.to_thread(launcher.ensure_identity, self.places)
        rows = only([after(row, "gateway", "rag-rpc") for row in await asyncio.to_thread(table, self.places, self.ports)], list(ROWS))
        async with Mesh(rows, self.places.var):
            yield self

    # Whoever asks

    def client(self, who: tuple[str, str]) -> GatewayClient:
        """A client of somebody, for one purpose."""
        token, purpose = who
        certs = self.places.certs
        tls = TlsSettings(authority=certs / "authority.pem", certificate=certs / "client.pem", key=certs / "client.key")
        target = f"{LOOPBACK}:{self.ports.grpc('gateway')}"
        return GatewayClient(target, tls, lambda _: (certs / token).read_text().strip(), purpose=purpose)

    async def asked(self, who: tuple[str, str], request: Any) -> Any:
        """One request of the tenant."""
        request.tenant = TENANT
        async with self.client(who) as client:
            return await client.knowledge(request, 30.0)

    async def refused(self, who: tuple[str, str], request: Any) -> tuple[type[MeshError], str, str]:
        """How a request is refused: kind, reason, words."""
        try:
            answer = await self.asked(who, request)
        except MeshError as error:
            return type(error), error.reason, str(error)
        raise AssertionError(f"answered {answer}")

    async def answer(self, question: str, who: tuple[str, str] = READER, **fields: Any) -> Answer:
        """Ask, and read to the end."""
        found = Answer()
        request = rag.AskRequest(tenant=TENANT, question=question, grade=grade_pb2.DATA_GRADE_L2, **fields)
        async with self.client(who) as client, aclosing(client.ask(request, 30.0)) as parts:
            async for part in parts:
                if part.HasField("retrieved"):
                    found.retrieved = part.retrieved
                elif part.HasField("sentence"):
                    found.sentences.append(part.sentence)
                else:
                    found.end = part.end
        return found

    def openai(self) -> openai.AsyncOpenAI:
        """The official client at the HTTP door, as the reader."""
        certs = self.places.certs
        tls = ssl.create_default_context(cafile=str(certs / "authority.pem"))
        tls.load_cert_chain(str(certs / "client.pem"), str(certs / "client.key"))
        url = f"https://localhost:{self.ports.process('gateway')['http']}/v1"
        http = openai.DefaultAsyncHttpxClient(verify=tls, trust_env=False)
        return openai.AsyncOpenAI(base_url=url, api_key=(certs / READER[0]).read_text().strip(), http_client=http)

    async def finmesh(self, *arguments: str) -> Done:
        """Run the command; each subcommand takes the desk of those who use it."""
        own = {
            "FINMESH_VAR": str(self.places.var),
            "FINMESH_GATEWAY": f"{LOOPBACK}:{self.ports.grpc('gateway')}",
            "FINMESH_LANGUAGE": "en",
            "COLUMNS": "200",
        }
        return await programs.done(sys.executable, "-m", "finmesh_cli", *arguments, own=own)

    # What banks say by events, and hear

    async def say(self, document_id: str, event: Event) -> None:
        """Write an event of a document."""
        topic = event.DESCRIPTOR.full_name
        key = f"{TENANT}\x1f{document_id}".encode()
        async with aclosing(Publisher(self._kafka)) as publisher:
            place = partition_of(key, await publisher.partitions(topic))
            headers = cloud_event("e2e", topic, "core-banking", 0.0)
            await publisher.write([Message(topic, place, key, event.SerializeToString(), headers)])

    async def heard(self, document_id: str, *wanted: str) -> list[events.DocumentStateChanged]:
        """What was said of a document from the beginning, once it is this."""
        found: list[events.DocumentStateChanged] = []
        consumer = AIOKafkaConsumer(CHANGED, bootstrap_servers=self._kafka.bootstrap_servers, auto_offset_reset="earliest")
        await consumer.start()
        try:
            async with asyncio.timeout(30.0):
                while [_state(each.state) for each in found] != list(wanted):
                    event = events.DocumentStateChanged.FromString((await consumer.getone()).value)
                    if event.document_id == document_id:
                        found.append(event)
        except TimeoutError:
            raise AssertionError(f"heard {[_state(each.state) for each in found]} of {document_id}") from None
        finally:
            await consumer.stop()
        return found

    # What is waited for

    async def settled(self) -> int:
        """The newest sequence, once nothing waits and both legs have come so far."""

        def done(status: rag.GetStatusResponse) -> bool:
            return not status.waiting and min(status.searchable_sequence, status.vector_sequence) >= status.sequence > 0

        return int((await self.until(OPERATOR, rag.GetStatusRequest(), done)).sequence)

    async def until(self, who: tuple[str, str], request: Any, fits: Callable[[Any], bool]) -> Any:
        """The answer to a request, once it fits."""
        answer = await self.asked(who, request)
        try:
            async with asyncio.timeout(45.0):
                while not fits(answer):
                    await asyncio.sleep(_LOOK_S)
                    answer = await self.asked(who, request)
        except TimeoutError:
            raise AssertionError(f"at last it was {answer}") from None
        return answer

    async def record(self, record_id: str) -> AuditRecord:
        """A record as an auditor reads it, once it is in the log."""
        async with asyncio.timeout(30.0), self.client(AUDITOR) as auditor:
            while True:
                try:
                    found = record_of((await auditor.get_inclusion_proof(TENANT, record_id)).leaf.body)
                except NotFound:
                    await asyncio.sleep(_LOOK_S)
                    continue
                assert found is not None
                return found

    @property
    def _kafka(self) -> KafkaSettings:
        return KafkaSettings(bootstrap_servers=f"{LOOPBACK}:{self.ports.kafka}")


def _state(number: int) -> str:
    return documents.VersionState.Name(number).removeprefix("VERSION_STATE_")
