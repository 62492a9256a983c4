"""Connections under load: balanced over a list, aged without a failure, made anew with a new certificate."""

import asyncio
import datetime as dt
import os
import signal
import sys
import textwrap
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from localmesh.ports import free_ports
from meshkit.config import TlsSettings
from meshkit.errors import FailedPrecondition
from meshkit.rpc import channel as rpc_channel
from meshkit.rpc.chain import current_call
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.server import MeshServer
from meshkit.testing.capture import captured_logs
from meshkit.testing.serving import serving
from provisioning import certificates

SERVICE = "finmesh.test.v1.Echo"
WHO = f"/{SERVICE}/Who"
AGE_S = 1.0


def tls(certs: Path, identity: str) -> TlsSettings:
    return TlsSettings(certificate=certs / f"{identity}.pem", key=certs / f"{identity}.key", authority=certs / "authority.pem")


class Who:
    """Answers with a name, or with the serial of the caller's certificate; a request that is not empty waits for ``release``."""

    def __init__(self, name: str = "") -> None:
        self.name = name.encode()
        self.release = asyncio.Event()
        self.waiting = asyncio.Event()
        self.connections: set[str] = set()

    async def answer(self, request: bytes, context: Any) -> bytes:
        self.connections.add(context.peer())
        answer = self.name or str(serial(current_call().context.auth_context()["x509_pem_cert"][0])).encode()
        if request:
            self.waiting.set()
            await self.release.wait()
        return answer

    def serve(self, listen: str, tls_settings: TlsSettings | None = None, **settings: Any) -> MeshServer:
        server = MeshServer(listen, tls_settings, callers={"gateway"}, **settings)
        handler = grpc.unary_unary_rpc_method_handler(self.answer)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Who": handler}),))
        return server


def serial(pem: bytes) -> int:
    return x509.load_pem_x509_certificate(pem).serial_number


class Load:
    """Ten callers who never stop; ``answers`` in order. A call that fails ends the block with its error."""

    def __init__(self, channel: MeshChannel) -> None:
        self._call = channel.unary_unary(WHO)
        self.answers: list[bytes] = []
        self._more = asyncio.Event()

    async def run(self) -> None:
        while True:
            self.answers.append(await self._call(b""))
            self._more.set()

    async def until(self, enough: Any) -> None:
        """Return when ``enough()``; the load goes on meanwhile."""
        async with asyncio.timeout(30):
            while not enough():
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def load(channel: MeshChannel) -> AsyncIterator[Load]:
    made = Load(channel)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(made.run()) for _ in range(10)]
        yield made
        for task in tasks:
            task.cancel()


async def test_an_instance_that_starts_under_load_gets_its_share_and_nothing_fails() -> None:
    a, b = free_ports(2)
    channel = MeshChannel(f"ipv4:127.0.0.1:{a},127.0.0.1:{b}", idempotent=[SERVICE])
    async with serving(Who("a").serve(f"127.0.0.1:{a}", connection_age_s=AGE_S)), channel, load(channel) as calls:
        await calls.until(lambda: len(calls.answers) > 100)
        assert set(calls.answers) == {b"a"}
        async with serving(Who("b").serve(f"127.0.0.1:{b}", connection_age_s=AGE_S)):
            loop = asyncio.get_running_loop()
            until_s = loop.time() + 2 * AGE_S
            await calls.until(lambda: loop.time() > until_s)
            since = len(calls.answers)
            await calls.until(lambda: len(calls.answers) >= since + 400)
            share = Counter(calls.answers[since : since + 400])[b"b"] / 400
            assert 0.3 <= share <= 0.7


async def test_names_are_resolved_and_balanced_as_well() -> None:
    (port,) = free_ports(1)
    async with serving(Who("a").serve(f"127.0.0.1:{port}")):
        for target in (f"dns:///localhost:{port}", f"localhost:{port}", f"127.0.0.1:{port}"):
            async with MeshChannel(target) as channel:
                assert await channel.unary_unary(WHO)(b"") == b"a"


PROGRAM = textwrap.dedent(
    """
    import asyncio, sys
    import grpc
    from meshkit.rpc.server import MeshServer

    async def who(request, context):
        await asyncio.sleep(0.05)  # calls are under way when it dies
        return b"b"

    async def main():
        server = MeshServer("127.0.0.1:" + sys.argv[1])
        handlers = {"Who": grpc.unary_unary_rpc_method_handler(who)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("finmesh.test.v1.Echo", handlers),))
        await server.start()
        await asyncio.Event().wait()

    asyncio.run(main())
    """
)


async def test_an_instance_that_dies_with_its_calls_fails_none_that_may_be_repeated() -> None:
    a, b = free_ports(2)
    channel = MeshChannel(f"ipv4:127.0.0.1:{a},127.0.0.1:{b}", idempotent=[SERVICE])
    async with serving(Who("a").serve(f"127.0.0.1:{a}")), channel, load(channel) as calls:
        for _ in range(3):
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, str(b))
            since = len(calls.answers)
            await calls.until(lambda: calls.answers[since:].count(b"b") >= 20)  # noqa: B023
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
            since = len(calls.answers)
            await calls.until(lambda: len(calls.answers) > since + 100)  # noqa: B023


async def test_a_call_that_outlives_its_connection_is_answered(certs: Path) -> None:
    who = Who()
    server = who.serve("127.0.0.1:0", tls(certs, "audit"), connection_age_s=0.2)
    async with serving(server), MeshChannel(server.address, tls(certs, "gateway"), server_name="audit") as channel:
        running = asyncio.create_task(channel.unary_unary(WHO)(b"wait"))
        await who.waiting.wait()
        async with load(channel) as calls:
            await calls.until(lambda: len(who.connections) >= 4)
        who.release.set()
        assert await running == calls.answers[0]


async def test_a_connection_that_takes_its_time_fails_no_call(certs: Path) -> None:
    """Connections end and begin all the time now, also while a machine is busy: no call may fail of a handshake of a third of a second."""
    server = Who().serve("127.0.0.1:0", tls(certs, "audit"))
    pipes: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        finally:
            writer.close()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", server.port)
        pipes.update(asyncio.create_task(copy(*ends)) for ends in ((reader, there_writer), (there_reader, writer)))

    async with serving(server), await asyncio.start_server(slow, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        async with MeshChannel(f"127.0.0.1:{port}", tls(certs, "gateway"), server_name="audit") as channel:
            assert await channel.unary_unary(WHO)(b"")
        await asyncio.gather(*pipes)


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_channel, "LOOK_S", 0.01)


def renewed(certs: Path, identity: str = "gateway") -> certificates.Pair:
    """Another certificate of the same authority, not written yet."""
    authority = certificates.read(certs, "authority")
    assert authority is not None
    return certificates.new_leaf(identity, authority, dt.datetime.now(dt.UTC))


@pytest.mark.usefixtures("looks_often")
async def test_a_new_certificate_is_shown_under_load_and_nothing_fails(certs: Path) -> None:
    server = Who().serve("127.0.0.1:0", tls(certs, "audit"))
    old, pair = serial((certs / "gateway.pem").read_bytes()), renewed(certs)
    channel = MeshChannel(server.address, tls(certs, "gateway"), server_name="audit")
    async with serving(server), channel, load(channel) as calls:
        await calls.until(lambda: len(calls.answers) > 100)
        with captured_logs() as logs:
            certificates.write_private(certs / "gateway.key", certificates.private_pem(pair.key))  # half of the change
            since = len(calls.answers)
            await calls.until(lambda: "last good version" in logs.text and len(calls.answers) > since + 200)
        certificates.write(certs, "gateway", pair)
        new = str(pair.certificate.serial_number).encode()
        await calls.until(lambda: new in calls.answers)
        assert set(calls.answers) == {str(old).encode(), new}
        since = len(calls.answers) + 10  # those that were under way
        await calls.until(lambda: len(calls.answers) > since + 100)
        assert set(calls.answers[since:]) == {new}


@pytest.mark.usefixtures("looks_often")
async def test_running_calls_end_on_the_old_channel_which_then_closes(certs: Path) -> None:
    who = Who()
    server = who.serve("127.0.0.1:0", tls(certs, "audit"))
    async with serving(server), MeshChannel(server.address, tls(certs, "gateway"), server_name="audit") as channel:
        running = asyncio.create_task(channel.unary_unary(WHO)(b"wait"))
        await who.waiting.wait()
        pair = renewed(certs)
        certificates.write(certs, "gateway", pair)
        new = str(pair.certificate.serial_number).encode()
        async with load(channel) as calls:
            await calls.until(lambda: new in calls.answers)
        (retired,) = channel._retired
        assert not running.done() and retired.channel.get_state() is grpc.ChannelConnectivity.READY
        who.release.set()
        assert await running != new
        assert channel._retired == set()
        await asyncio.gather(*channel._closing)
        assert retired.channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN


@pytest.mark.usefixtures("looks_often")
async def test_closing_ends_the_calls_of_a_retired_channel_as_well(certs: Path) -> None:
    who = Who()
    server = who.serve("127.0.0.1:0", tls(certs, "audit"))
    async with serving(server):
        async with MeshChannel(server.address, tls(certs, "gateway"), server_name="audit") as channel:
            running = asyncio.create_task(channel.unary_unary(WHO)(b"wait"))
            await who.waiting.wait()
            certificates.write(certs, "gateway", renewed(certs))
            async with load(channel) as calls:
                await calls.until(lambda: channel._retired)
        with pytest.raises(asyncio.CancelledError):
            await running


@pytest.mark.usefixtures("looks_often")
@pytest.mark.parametrize("broken", [b"", b"-----BEGIN CERT", b"\xff\x00", "证书".encode(), None])
@pytest.mark.parametrize("file", ["gateway.pem", "gateway.key", "authority.pem"])
async def test_a_broken_file_changes_nothing(certs: Path, file: str, broken: bytes | None) -> None:
    server = Who().serve("127.0.0.1:0", tls(certs, "audit"))
    async with serving(server), MeshChannel(server.address, tls(certs, "gateway"), server_name="audit") as channel:
        async with load(channel) as calls:
            await calls.until(lambda: len(calls.answers) > 10)
            with captured_logs() as logs:
                if broken is None:
                    (certs / file).unlink()
                else:
                    (certs / file).write_bytes(broken)
                await calls.until(lambda: "last good version" in logs.text)
            since = len(calls.answers)
            await calls.until(lambda: len(calls.answers) > since + 50)
        with pytest.raises(FailedPrecondition) as caught:
            MeshChannel(server.address, tls(certs, "gateway"), server_name="audit")
        assert caught.value.reason == "CERTIFICATES_INVALID"


@pytest.mark.usefixtures("looks_often")
async def test_a_new_authority_of_both_ends_and_no_failure(certs: Path, tmp_path: Path) -> None:
    """As an authority is replaced: first both are trusted everywhere, then certificates of the new one are shown."""
    server = Who().serve("127.0.0.1:0", tls(certs, "audit"), connection_age_s=0.2)
    channel = MeshChannel(server.address, tls(certs, "gateway"), server_name="audit", idempotent=[SERVICE])
    async with serving(server), channel, load(channel) as calls:
        await calls.until(lambda: len(calls.answers) > 50)
        now = dt.datetime.now(dt.UTC)
        authority = certificates.new_authority(now)
        certificates.write(tmp_path, "new", authority)
        (certs / "authority.pem").write_bytes((certs / "authority.pem").read_bytes() + (tmp_path / "new.pem").read_bytes())
        since = len(calls.answers)
        await calls.until(lambda: len(calls.answers) > since + 100 and not channel._retired)
        pairs = {name: certificates.new_leaf(name, authority, now) for name in ("audit", "gateway")}
        for name, pair in pairs.items():
            certificates.write(certs, name, pair)
        new = str(pairs["gateway"].certificate.serial_number).encode()
        await calls.until(lambda: calls.answers[-50:].count(new) == 50)
