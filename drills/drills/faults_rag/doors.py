"""Rag's door, as the gateway calls it, for the persons of a campaign."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from finmesh.common.v1 import grade_pb2
from finmesh.rag.v1 import document_pb2, rag_service_pb2_grpc
from finmesh.rag.v1 import rag_service_pb2 as rag
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from meshkit.config import TlsSettings
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import DeadlineExceeded, Overloaded, Unavailable
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.metadata import CLEARANCE, PRINCIPAL, PURPOSE, REQUEST_ID, TENANT

from drills.faults_rag.plan import BARRIER, GROUP, OTHER_GROUP, OTHER_PURPOSE, OTHER_TENANT
from drills.faults_rag.plan import PURPOSE as CLERKS_PURPOSE
from drills.faults_rag.plan import TENANT as USUAL_TENANT

PART_BYTES = 1024 * 1024
CALL_S = 15.0
AGAIN_S = 0.3
AWAY = (Unavailable, DeadlineExceeded, Overloaded)
"""What a call may say while something is down."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Person:
    """Who calls."""

    tenant: str
    principal: str
    purpose: str
    clearance: int

    def facts(self) -> list[tuple[str, str]]:
        """What the gateway says of them."""
        return [
            (TENANT, self.tenant),
            (PRINCIPAL, self.principal),
            (PURPOSE, self.purpose),
            (CLEARANCE, str(self.clearance)),
            (REQUEST_ID, uuid7()),
        ]


CLERK = Person(USUAL_TENANT, "clerk", CLERKS_PURPOSE, 2)
"""Reads some."""
SEERS = {tenant: Person(tenant, "seer", OTHER_PURPOSE, 4) for tenant in (USUAL_TENANT, OTHER_TENANT)}
"""Read everything of a tenant that anybody may read."""
CURATORS = {tenant: Person(tenant, "curator", "knowledge-management", 4) for tenant in (USUAL_TENANT, OTHER_TENANT)}


class Door:
    """Calls as somebody."""

    def __init__(self, channel: MeshChannel) -> None:
        self._stub: Any = rag_service_pb2_grpc.RagServiceStub(channel)

    async def call(self, name: str, person: Person, request: Any) -> Any:
        """One call, one answer. Raises typed errors."""
        return await getattr(self._stub, name)(request, metadata=person.facts())

    async def ask(self, person: Person, request: rag.AskRequest) -> AsyncGenerator[rag.AskResponse, None]:
        """A question's answer, piece by piece."""
        call = self._stub.Ask(request, metadata=person.facts())
        async for part in call:
            yield part

    async def hand_in(self, person: Person, description: document_pb2.DocumentDescription, content: bytes) -> document_pb2.DocumentVersion:
        """Upload and commit; the same again changes nothing and says how it stands."""
        upload_id = await self.upload(person, content)
        request = rag.CommitUploadRequest(tenant=person.tenant, upload_id=upload_id, description=description)
        committed = await self.call("CommitUpload", person, request)
        version: document_pb2.DocumentVersion = committed.version
        return version

    async def upload(self, person: Person, content: bytes) -> str:
        """Upload, from where an earlier attempt stopped."""
        sha256 = hashlib.sha256(content).digest()
        begun = await self.call(
            "BeginUpload", person, rag.BeginUploadRequest(tenant=person.tenant, size_bytes=len(content), content_sha256=sha256)
        )
        for offset in range(begun.received_bytes // PART_BYTES * PART_BYTES, len(content), PART_BYTES):
            part = content[offset : offset + PART_BYTES]
            request = rag.PutPartRequest(tenant=person.tenant, upload_id=begun.upload_id, offset=offset, part=part)
            await self.call("PutPart", person, request)
        return str(begun.upload_id)

    async def grant(self) -> None:
        """Give everybody their rights."""
        clerk = rag.SetGrantRequest(tenant=CLERK.tenant, principal=CLERK.principal, clearance=grade_pb2.DATA_GRADE_L2, groups=[GROUP])
        seers = [
            rag.SetGrantRequest(
                tenant=tenant,
                principal=seer.principal,
                clearance=grade_pb2.DATA_GRADE_L3,
                groups=[GROUP, OTHER_GROUP],
                barriers=[BARRIER],
            )
            for tenant, seer in SEERS.items()
        ]
        for request in (clerk, *seers):
            await until_done(partial(self.call, "SetGrant", CURATORS[request.tenant], request))

    async def status(self, tenant: str) -> rag.GetStatusResponse:
        """How far everything is."""
        status: rag.GetStatusResponse = await until_done(
            lambda: self.call("GetStatus", CURATORS[tenant], rag.GetStatusRequest(tenant=tenant))
        )
        return status


async def until_done(work: Callable[[], Awaitable[_T]]) -> _T:
    """Do it again until nothing is away: as a caller does who wants it done. The campaign's time bounds it."""
    while True:
        try:
            return await work()
        except AWAY:
            await asyncio.sleep(AGAIN_S)


@asynccontextmanager
async def opened(places: Places, ports: Ports) -> AsyncIterator[Door]:
    """A door that is closed afterwards."""
    certs = places.certs
    tls = TlsSettings(authority=certs / "authority.pem", certificate=certs / "gateway.pem", key=certs / "gateway.key")
    async with MeshChannel(f"{LOOPBACK}:{ports.grpc('rag-rpc')}", tls, timeout_s=CALL_S) as channel:
        yield Door(channel)


async def whole(parts: AsyncGenerator[rag.AskResponse, None]) -> list[rag.AskResponse]:
    """All parts of an answer."""
    async with aclosing(parts) as stream:
        return [part async for part in stream]
