"""The HTTP door beside the gRPC door: first tokens at one rate, in turns, and what idle streams cost.

Gateway, Redis and Kafka are real; the router answers at once, so that what is measured is the gateway and its callers. Both callers are
Python on connections that are kept: the mesh's own gRPC client, and HTTP/1.1 written by hand, of which no more is read than the first
event, so that no client's own work is taken for the door's.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

from finmesh.common.v1 import grade_pb2
from finmesh.inference.v1 import generation_pb2 as generation
from finmesh.router.v1 import router_service_pb2 as router
from finmesh_client import GatewayClient
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports, free_ports
from localmesh.processes import table
from localmesh.rows import Row, only
from meshkit.errors import Unavailable

from bench import door_router, site
from bench.report import Figures, Target
from bench.site import Site

TARGETS = {"http_added_ttft_ms_p50": Target(max=2.0), "idle_streams_mib": Target(max=200.0)}
WORDS = {
    "http_ttft_ms_p50": "first token by HTTP, p50, ms",
    "grpc_ttft_ms_p50": "first token by gRPC, p50, ms",
    "http_ttft_ms_p99": "by HTTP, p99, ms",
    "grpc_ttft_ms_p99": "by gRPC, p99, ms",
    "http_added_ttft_ms_p50": "added by the HTTP door, p50, ms",
    "idle_streams": "idle streams held",
    "idle_streams_mib": "by which they grow the gateway (PSS), MiB",
    "idle_streams_rss_mib": "and RSS, MiB",
}
_WARM_UP = 100
_NAMES = ["kafka", "redis", "provision", "gateway"]
_TURN = [{"role": "user", "content": "请用一句话解释什么是洗钱"}]


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds` of requests at `rate_per_s` by each door, the doors taking turns; then `streams` idle ones."""

    seconds: float
    rate_per_s: float = 50.0
    streams: int = 500


async def measure(var: Path | None, plan: Plan, say: Callable[[str], None]) -> Figures:
    """Run it. Raises StartError, LookupError."""
    (port,) = free_ports(1)

    def rows(places: Places, ports: Ports) -> list[Row]:
        more = {
            "FINMESH_UPSTREAM__ROUTER": f"{LOOPBACK}:{port}",
            "FINMESH_QUOTA__GENERATE_PER_S": "10000",
            "FINMESH_QUOTA__GENERATE_BURST": "10000",
        }
        found = only(table(places, ports), _NAMES)
        return [replace(row, env={**row.env, **more}) if row.name == "gateway" else row for row in found]

    async with site.opened_with(var, rows) as at, door_router.served(at.places.certs, port):
        say(f"{plan.rate_per_s:g} requests a second by each door, in turns, for {plan.seconds:g} s")
        by_http, by_grpc = await _first_tokens(at, plan)
        say(f"{plan.streams} idle streams")
        pss_mib, rss_mib = await _idle(at, plan.streams)
    http, grpc = median(by_http) * 1e3, median(by_grpc) * 1e3
    values = {
        "http_ttft_ms_p50": http, "grpc_ttft_ms_p50": grpc,
        "http_ttft_ms_p99": _p99(by_http) * 1e3, "grpc_ttft_ms_p99": _p99(by_grpc) * 1e3,
        "http_added_ttft_ms_p50": http - grpc,
        "idle_streams": plan.streams, "idle_streams_mib": pss_mib, "idle_streams_rss_mib": rss_mib,
    }  # fmt: skip
    return Figures("the HTTP door beside the gRPC door", values, TARGETS, WORDS, {"requests by each door": str(len(by_http))})


async def _first_tokens(at: Site, plan: Plan) -> tuple[list[float], list[float]]:
    """Seconds to the first token by HTTP and by gRPC; every request is sent when it is due, whatever became of those before."""
    by_http: list[float] = []
    by_grpc: list[float] = []
    async with at.assistant() as door, _Lines(at) as lines, asyncio.TaskGroup() as group:
        await _answering(door)

        async def one(asks: Callable[[], Awaitable[None]], found: list[float], due_s: float) -> None:
            await asks()
            found.append(time.perf_counter() - due_s)

        total = _WARM_UP + 2 * round(plan.rate_per_s * plan.seconds)
        start_s = time.perf_counter() + 0.2
        for number in range(total):
            due_s = start_s + number / (2 * plan.rate_per_s)
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            is_http = number % 2 == 0
            found = [] if number < _WARM_UP else by_http if is_http else by_grpc
            group.create_task(one(lines.first_token if is_http else partial(_by_grpc, door), found, time.perf_counter()))
    return by_http, by_grpc


async def _answering(door: GatewayClient) -> None:
    """Return when the router answers. Raises TimeoutError."""
    async with asyncio.timeout(30.0):
        while True:
            try:
                return await _by_grpc(door)
            except Unavailable:
                await asyncio.sleep(0.1)


async def _by_grpc(door: GatewayClient) -> None:
    asked = router.GenerateRequest(
        tenant="bank-a", grade=grade_pb2.DATA_GRADE_L2, max_output_tokens=16, sampling=generation.Sampling(temperature=1, choices=1),
        conversation=router.Conversation(messages=[router.Message(role="user", content=_TURN[0]["content"])]),
    )  # fmt: skip
    async with aclosing(door.generate(asked, 60.0)) as parts:
        async for part in parts:
            if part.HasField("delta"):
                break


class _Lines:
    """Connections of HTTP/1.1, kept: as many as are needed at once."""

    def __init__(self, at: Site) -> None:
        certs = at.places.certs
        self._port = at.ports.process("gateway")["http"]
        self._tls = ssl.create_default_context(cafile=str(certs / "authority.pem"))
        self._tls.load_cert_chain(str(certs / "client.pem"), str(certs / "client.key"))
        self._token = (certs / "assistant.jwt").read_text().strip()
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._all = AsyncExitStack()
        self._reading: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "_Lines":
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._reading:
            await asyncio.wait(self._reading, timeout=10.0)
        await self._all.aclose()

    async def first_token(self) -> None:
        """Ask, and return with the first token; the rest is read beside."""
        line = self._free.pop() if self._free else await self.opened()
        await self._ask(line, 16)
        reading = asyncio.create_task(self._rest(line))
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)

    async def idle(self) -> None:
        """Ask for an answer that does not end, and return with its first token."""
        await self._ask(await self.opened(), door_router.IDLE_TOKENS)

    async def opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self._port, ssl=self._tls, server_hostname="localhost")
        self._all.callback(self._close, writer)  # a writer that nobody holds closes its connection
        return reader, writer

    @staticmethod
    def _close(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async def _ask(self, line: tuple[asyncio.StreamReader, asyncio.StreamWriter], tokens: int) -> None:
        body = json.dumps({"model": "scripted", "messages": _TURN, "stream": True, "max_completion_tokens": tokens}).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {self._token}\r\nx-finmesh-grade: L2\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        line[1].write(head.encode() + body)
        answer = await line[0].readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise LookupError(f"the HTTP door: {answer.decode()} {await line[0].read(2000)!r}")
        await line[0].readuntil(b"data: ")

    async def _rest(self, line: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        await line[0].readuntil(b"\r\n0\r\n\r\n")
        self._free.append(line)


async def _idle(at: Site, streams: int) -> tuple[float, float]:
    """By how many MiB that many idle streams grow the gateway: PSS and RSS. Raises LookupError when it does not hold them all."""
    pid = at.mesh.pid("gateway")
    async with _Lines(at) as lines:
        before, files = memory_mib(pid), _files(pid)
        async with asyncio.TaskGroup() as group:
            free = asyncio.Semaphore(16)

            async def one() -> None:
                async with free:
                    await lines.idle()

            for _ in range(streams):
                group.create_task(one())
        after, held = memory_mib(pid), _files(pid) - files
    if held < streams:
        raise LookupError(f"the gateway holds {held} of {streams} streams")
    return after["Pss"] - before["Pss"], after["Rss"] - before["Rss"]


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _files(pid: int) -> int:
    """Files and sockets of a process and of whatever it started."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir())) + sum(_files(child) for child in _children(pid))


def memory_mib(pid: int) -> dict[str, float]:
    """Pss and Rss of a process and of whatever it started."""
    found = {"Pss": 0.0, "Rss": 0.0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        if name in found:
            found[name] += int(value.split()[0]) / 1024
    for child in _children(pid):
        for kind, size_mib in memory_mib(child).items():
            found[kind] += size_mib
    return found


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]
