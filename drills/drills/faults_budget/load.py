"""Who asks, and how that ends: answered, refused for want of tokens, stopped by a budget, left by the caller, or failed by name."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, aclosing

from finmesh.common.v1 import grade_pb2
from finmesh.inference.v1 import generation_pb2 as generation
from finmesh.router.v1 import router_service_pb2 as router
from finmesh_client import GatewayClient
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports, instance
from meshkit.config import TlsSettings
from meshkit.errors import MeshError
from provisioning.tokens import issuer_key, mint

from drills.faults_budget.table import COPIED, PRINCIPALS

CALLERS = 16
_DEADLINE_S = 20.0
_LEFT_SHARE, _LONG_SHARE = 0.12, 0.03


async def clients(places: Places, ports: Ports, stack: AsyncExitStack) -> list[tuple[str, GatewayClient]]:
    """A client for each principal at each gateway, with its tenant."""
    certs = places.certs
    tls = TlsSettings(authority=certs / "authority.pem", certificate=certs / "client.pem", key=certs / "client.key")
    key, found = issuer_key(certs), []
    for number in range(1, COPIED["gateway"] + 1):
        target = f"{LOOPBACK}:{ports.grpc(instance('gateway', number))}"
        for tenant, subject in PRINCIPALS:
            token = mint(key, dt.datetime.now(dt.UTC), tenant=tenant, sub=subject, roles=["assistant-user"], purposes=["staff-assistance"])
            found.append((tenant, await stack.enter_async_context(GatewayClient(target, tls, lambda _, token=token: token))))  # type: ignore[misc]
    return found


class Load:
    """Callers, each with one request after the other, until so many were asked."""

    def __init__(self, doors: Sequence[tuple[str, GatewayClient]], seed: int, requests: int, changed: Callable[[], None]) -> None:
        self._doors, self._seed, self._requests, self._changed = doors, seed, requests, changed
        self.asked = 0
        self.allowed = requests
        """How many may be asked by now: kills are spread over all requests, however fast those are answered."""
        self.may_go_on = asyncio.Event()
        self.ends: Counter[str] = Counter()

    def allow(self, requests: int) -> None:
        """Let so many be asked in all."""
        self.allowed = requests
        self.may_go_on.set()

    async def run(self) -> None:
        """Ask."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(self._call())

    async def _call(self) -> None:
        while self.asked < self._requests:
            if self.asked >= self.allowed:
                self.may_go_on.clear()
                await self.may_go_on.wait()
                continue
            number, self.asked = self.asked, self.asked + 1
            rng = random.Random(f"{self._seed} {number}")
            tenant, door = rng.choice(self._doors)
            end = await self._one(door, _request(tenant, rng), rng.random() < _LEFT_SHARE, rng.randint(0, 6))
            self.ends[end] += 1
            self._changed()
            if end not in ("answered", "left"):
                await asyncio.sleep(0.1)  # as a caller would that was told no

    async def _one(self, door: GatewayClient, request: router.GenerateRequest, leaves: bool, after: int) -> str:
        parts = 0
        try:
            async with aclosing(door.generate(request, _DEADLINE_S)) as stream:
                async for _ in stream:
                    parts += 1
                    if leaves and parts > after:
                        return "left"
        except MeshError as error:
            if error.reason == "TOKENS_EXHAUSTED":
                return "stopped" if parts else "refused"
            return error.reason
        return "answered"


def _request(tenant: str, rng: random.Random) -> router.GenerateRequest:
    output = rng.randint(300, 600) if rng.random() < _LONG_SHARE else rng.randint(1, 40)
    return router.GenerateRequest(
        tenant=tenant,
        grade=grade_pb2.DATA_GRADE_L2,
        tokens=router.TokenIds(ids=[rng.randrange(3, 300) for _ in range(rng.randint(3, 120))]),
        max_output_tokens=output,
        sampling=generation.Sampling(seed=rng.randrange(1, 1 << 40), choices=2 if rng.random() < 0.05 else 1),
        seed_set=True,
    )
