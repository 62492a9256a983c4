"""Callers at the gateway, each with one request after the other: when every token came."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from finmesh.common.v1 import grade_pb2
from finmesh.inference.v1 import generation_pb2 as generation
from finmesh.router.v1 import router_service_pb2 as router
from finmesh_client import GatewayClient

TIMEOUT_S = 240.0


@dataclass
class Times:
    """Of one request: `began_s`, and when each token came, on one clock. Tokens that came in one piece have one time."""

    began_s: float
    at_s: list[float] = field(default_factory=list)
    disaggregated: bool = False
    cached_tokens: int = 0

    @property
    def ttft_ms(self) -> float:
        return (self.at_s[0] - self.began_s) * 1e3

    def itl_ms(self) -> list[float]:
        """Time between tokens; those that came in one piece share its wait."""
        gaps: list[float] = []
        since, count = self.at_s[0], 0
        for at in self.at_s[1:]:
            count += 1
            if at > since:
                gaps += [(at - since) / count * 1e3] * count
                since, count = at, 0
        return gaps


@dataclass
class Loop:
    """All requests of one measurement."""

    requests: list[Times]
    took_s: float

    @property
    def tokens(self) -> int:
        return sum(len(each.at_s) for each in self.requests)

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / self.took_s


def request(tenant: str, scenario: str, prompt: Sequence[int], new_tokens: int) -> router.GenerateRequest:
    """Greedy, of one length: end of sequence is ignored."""
    return router.GenerateRequest(
        tenant=tenant,
        scenario=scenario,
        grade=grade_pb2.DATA_GRADE_L2,
        tokens=router.TokenIds(ids=prompt),
        max_output_tokens=new_tokens,
        sampling=generation.Sampling(choices=1),
        return_token_ids=True,
        ignore_end=True,
    )


async def ask(door: GatewayClient, asked: router.GenerateRequest) -> Times:
    """One request to its end. Raises the errors of `meshkit.errors`."""
    times = Times(time.perf_counter())
    async with aclosing(door.generate(asked, TIMEOUT_S)) as parts:
        async for part in parts:
            if part.HasField("delta"):
                times.at_s += [time.perf_counter()] * len(part.delta.token_ids)
            elif part.HasField("ended"):
                times.disaggregated = part.ended.provenance.disaggregated
                times.cached_tokens = part.ended.usage.cached_tokens
    return times


async def closed_loop(door: GatewayClient, asked: Sequence[router.GenerateRequest], callers: int) -> Loop:
    """Ask everything, `callers` at a time."""
    waiting: Iterator[router.GenerateRequest] = iter(asked)
    done: list[Times] = []

    async def caller() -> None:
        done.extend([await ask(door, each) for each in waiting])

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return Loop(done, time.perf_counter() - began)
