"""A method that answers with a stream, end to end: a toy owner behind the gateway's own chain, over real sockets and mutual TLS."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import grpc
import pytest
from gateway.config import AuthSettings, GatewayConfig, QuotaSettings
from gateway.domain.route import Route, Stream
from gateway.main.grpc import serve
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from meshkit.config import RedisSettings
from meshkit.errors import DeadlineExceeded, MeshError, Overloaded, PermissionDenied, QuotaExceeded, Unavailable
from meshkit.rpc.chain import current_call
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.metadata import CallerFacts, caller_facts
from meshkit.rpc.server import MeshServer
from meshkit.service import Service
from meshkit.testing.events import MemoryEvents
from meshkit.testing.serving import running, serving
from provisioning import tokens

from tests.component.gateway.conftest import NOWHERE, bearer, tls

COUNT = "/finmesh.toy.v1.Door/Count"
PIECE = "数" * 20_000
PERMIT = """
@id("count")
permit (principal, action == Action::"Count", resource) when { principal.roles.contains("transaction-scorer") };
"""


def described() -> Any:
    """Descriptors of the owner's and the gateway's toy service, in a pool of their own."""
    file = descriptor_pb2.FileDescriptorProto(name="toy.proto", package="finmesh.toy.v1", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto

    def message(name: str, **fields: str) -> None:
        made = file.message_type.add(name=name)
        for number, (field_name, kind) in enumerate(fields.items(), 1):
            of = {"type": kinds.TYPE_STRING} if kind == "string" else {"type": kinds.TYPE_MESSAGE, "type_name": f".finmesh.toy.v1.{kind}"}
            made.field.add(name=field_name, number=number, label=kinds.LABEL_OPTIONAL, **of)

    message("Asked", tenant="string", text="string")
    message("Told", text="string")
    message("CountRequest", request="Asked")
    message("CountResponse", response="Told")
    service = file.service.add(name="Door")
    service.method.add(
        name="Count", input_type=".finmesh.toy.v1.CountRequest", output_type=".finmesh.toy.v1.CountResponse", server_streaming=True
    )
    pool = DescriptorPool()
    pool.Add(file)
    return pool.FindServiceByName("finmesh.toy.v1.Door")


SERVICE = described()
REQUEST, RESPONSE = (
    GetMessageClass(each) for each in (SERVICE.methods_by_name["Count"].input_type, SERVICE.methods_by_name["Count"].output_type)
)
ASKED, TOLD = (GetMessageClass(each.fields[0].message_type) for each in (REQUEST.DESCRIPTOR, RESPONSE.DESCRIPTOR))


@dataclass
class Owner:
    """Tells as many pieces as it is asked for; hooks stand for what happens before the piece of that number."""

    pieces: int = 3
    before: dict[int, Any] = field(default_factory=dict)
    facts: list[CallerFacts] = field(default_factory=list)
    sent: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def count(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Tell."""
        self.facts.append(caller_facts(current_call()))
        try:
            for number in range(self.pieces):
                if number in self.before:
                    await self.before[number]()
                yield TOLD(text=f"{request.text} {number} {PIECE if self.pieces > 100 else ''}")
                self.sent += 1
        finally:
            self.ended.set()


@dataclass
class Door:
    """A running gateway before an owner."""

    owner: Owner
    owners_server: MeshServer
    certs: Path
    channel: MeshChannel

    def count(self, **claims: Any) -> Any:
        """Call; an async iterator of texts."""
        request = REQUEST(request=ASKED(tenant="bank-a", text="第"))
        call = self.channel.unary_stream(COUNT, REQUEST.SerializeToString, RESPONSE.FromString)
        return call(request, metadata=bearer(self.certs, **claims))

    async def told(self, **claims: Any) -> tuple[list[str], MeshError | None]:
        """Read to the end: texts, and the error if it ended with one."""
        found: list[str] = []
        try:
            async for response in self.count(**claims):
                found.append(response.response.text.strip())  # noqa: PERF401  what came before an error counts
        except MeshError as error:
            return found, error
        return found, None


@asynccontextmanager
async def opened(certs: Path, folder: Path, owner: Owner, bounds: Stream, **settings: Any) -> AsyncIterator[Door]:
    """A gateway whose only route is the toy's."""
    upstream = MeshServer("127.0.0.1:0", tls(certs, "risk-scoring"), callers={"gateway"})
    handler = grpc.unary_stream_rpc_method_handler(owner.count, ASKED.FromString, TOLD.SerializeToString)
    upstream.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("finmesh.toy.v1.Owner", {"Count": handler}),))
    policies = folder / "policies"
    shutil.copytree(str(files("gateway") / "policies"), policies)
    (policies / "count.cedar").write_text(PERMIT)
    schema = policies / "schema.cedarschema"
    schema.write_text(schema.read_text().replace("action ScoreTransaction,", "action Count, ScoreTransaction,"))
    config = GatewayConfig(
        listen="127.0.0.1:0",
        tls=tls(certs, "gateway"),
        redis=RedisSettings(url=f"redis://{NOWHERE}/0", timeout_ms=500),
        upstream={"risk-scoring": upstream.address},
        auth=AuthSettings(jwks=certs / "jwks.json", issuer=tokens.ISSUER, audience=tokens.AUDIENCE, policies=policies),
        shutdown_grace_s=0.5,
        **settings,
    )
    routes = (Route("Count", "risk-scoring", "finmesh.toy.v1.Owner", 30.0, "read", "anti-fraud", 1, ("request", "tenant"), stream=bounds),)
    made = partial(serve, config, publisher=lambda _: MemoryEvents(), routes=routes, described=SERVICE)
    async with serving(upstream), running(Service(config, "gateway"), made) as service:
        address = f"127.0.0.1:{service.port}"
        async with MeshChannel(address, tls(certs, "client"), server_name="gateway", timeout_s=30) as channel:
            yield Door(owner, upstream, certs, channel)


PATIENT = Stream(first_s=20, between_s=20)


async def forever() -> None:
    """Nothing comes any more."""
    await asyncio.Event().wait()


async def test_every_response_arrives_and_the_owner_knows_for_whom(certs: Path, tmp_path: Path) -> None:
    async with opened(certs, tmp_path, Owner(), PATIENT) as door:
        assert await door.told() == (["第 0", "第 1", "第 2"], None)
        (facts,) = door.owner.facts
        assert (facts.tenant, facts.scenario, facts.purpose) == ("bank-a", "anti-fraud", "fraud-prevention")
        assert facts.principal and facts.request_id


async def test_an_empty_stream_is_no_error(certs: Path, tmp_path: Path) -> None:
    async with opened(certs, tmp_path, Owner(pieces=0), PATIENT) as door:
        assert await door.told() == ([], None)


@pytest.mark.parametrize("silent_before, told, reason", [(0, [], "FIRST_RESPONSE_LATE"), (2, ["第 0", "第 1"], "STREAM_STALLED")])
async def test_an_owner_that_falls_silent(certs: Path, tmp_path: Path, silent_before: int, told: list[str], reason: str) -> None:
    owner = Owner(before={silent_before: forever})
    late = reason == "FIRST_RESPONSE_LATE"
    async with opened(certs, tmp_path, owner, Stream(first_s=0.3 if late else 20, between_s=20 if late else 0.3)) as door:
        texts, error = await door.told()
        assert texts == told
        assert isinstance(error, DeadlineExceeded) and error.reason == reason
        await owner.ended.wait()


async def test_the_callers_going_away_ends_the_owners_work(certs: Path, tmp_path: Path) -> None:
    owner = Owner(before={1: forever})
    async with opened(certs, tmp_path, owner, PATIENT) as door:
        async with aclosing(door.count()) as responses:
            assert (await anext(responses)).response.text.strip() == "第 0"
        await owner.ended.wait()
        assert owner.sent == 1


async def test_the_owners_typed_error_ends_the_stream_as_it_is(certs: Path, tmp_path: Path) -> None:
    async def full() -> None:
        raise Overloaded("full", reason="QUEUE_FULL", retry_after_s=1.5)

    async with opened(certs, tmp_path, Owner(before={2: full}), PATIENT) as door:
        texts, error = await door.told()
        assert texts == ["第 0", "第 1"]
        assert isinstance(error, Overloaded) and (error.reason, error.retry_after_s) == ("QUEUE_FULL", 1.5)


async def test_an_owner_that_dies_ends_the_stream(certs: Path, tmp_path: Path) -> None:
    owner = Owner(before={1: forever})
    async with opened(certs, tmp_path, owner, PATIENT) as door:
        responses = door.count()
        await anext(responses)
        await door.owners_server.stop(0)
        with pytest.raises(Unavailable) as ended:
            await anext(responses)
        assert ended.value.retry_after_s is not None
        assert "127.0.0.1" not in ended.value.message


async def test_a_reader_that_stops_is_not_filled_up_and_ends(certs: Path, tmp_path: Path) -> None:
    owner = Owner(pieces=100_000)
    async with opened(certs, tmp_path, owner, PATIENT, slow_reader_s=0.3) as door:
        responses = door.count()
        await anext(responses)
        await owner.ended.wait()
        assert owner.sent < 2_000, "no more is asked of the owner than gRPC's windows hold"
        with pytest.raises(DeadlineExceeded) as ended:
            async for _ in responses:
                pass
        assert ended.value.reason == "READER_TOO_SLOW"


async def test_who_may_not_and_who_has_no_share_left_reach_nobody(certs: Path, tmp_path: Path) -> None:
    quota = QuotaSettings(read_per_s=0.001, read_burst=1)
    async with opened(certs, tmp_path, Owner(), PATIENT, quota=quota) as door:
        texts, error = await door.told(roles=[])
        assert texts == [] and isinstance(error, PermissionDenied)
        assert not door.owner.facts
        assert (await door.told())[1] is None
        assert isinstance((await door.told())[1], QuotaExceeded)
        assert len(door.owner.facts) == 1


async def test_the_callers_deadline_bounds_the_whole_stream(certs: Path, tmp_path: Path) -> None:
    owner = Owner(before={1: forever})
    async with opened(certs, tmp_path, owner, PATIENT) as door:
        call = door.channel.unary_stream(COUNT, REQUEST.SerializeToString, RESPONSE.FromString)
        responses = call(REQUEST(request=ASKED(tenant="bank-a", text="第")), metadata=bearer(certs), timeout=0.5)
        await anext(responses)
        with pytest.raises(DeadlineExceeded):
            await anext(responses)
        await owner.ended.wait()
