"""What is asked while engines die: a fixed number of callers, each with one request after the other, half at each gateway.

A request ends in one of four ways: answered, a typed error, cancelled by its caller, or hung: nothing terminal one second after its
deadline. Nothing is repeated here: what the mesh can survive by itself it must survive, and the rest must be said by name.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from finmesh.common.v1 import grade_pb2
from finmesh.inference.v1 import generation_pb2 as generation
from finmesh.router.v1 import router_service_pb2 as router
from finmesh_client import GatewayClient
from meshkit.errors import MeshError

from drills.faults_llm.plan import Ask, Phase
from drills.faults_llm.verdict import Outcome

DEADLINE_S, GRACE_S = 20.0, 1.0


class Load:
    """Callers at several gateways. `draw` says what request comes next; `done` is told how each ended."""

    def __init__(
        self,
        doors: Sequence[GatewayClient],
        tenant: str,
        prompts: Sequence[Sequence[int]],
        draw: Callable[[], Ask],
        done: Callable[[Ask, Outcome], None],
    ) -> None:
        self._doors = doors
        self._tenant = tenant
        self._prompts = prompts
        self._draw = draw
        self._done = done
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let every caller's present request be its last."""
        self._stopping.set()

    async def run(self, callers: int) -> None:
        """Ask until stopped."""
        async with asyncio.TaskGroup() as group:
            for number in range(callers):
                group.create_task(self._call(self._doors[number % len(self._doors)]), name=f"caller {number}")

    async def _call(self, door: GatewayClient) -> None:
        while not self._stopping.is_set():
            ask = self._draw()
            outcome = await self._one(door, ask)
            self._done(ask, outcome)
            if outcome.error:
                await asyncio.sleep(0.05)  # as a caller would that was told no

    async def _one(self, door: GatewayClient, ask: Ask) -> Outcome:
        answer, began_s = Answer(ask), time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE_S + GRACE_S):
                async with aclosing(door.generate(self._request(ask), DEADLINE_S)) as parts:
                    await answer.read(parts)
        except TimeoutError:
            return answer.outcome(time.monotonic() - began_s, hung=True)
        except MeshError as error:
            return answer.outcome(time.monotonic() - began_s, error=error.reason)
        return answer.outcome(time.monotonic() - began_s)

    def _request(self, ask: Ask) -> router.GenerateRequest:
        return router.GenerateRequest(
            tenant=self._tenant,
            grade=grade_pb2.DATA_GRADE_L2,
            tokens=router.TokenIds(ids=self._prompts[ask.prompt]),
            max_output_tokens=ask.output_tokens,
            sampling=generation.Sampling(temperature=ask.temperature, seed=ask.seed, choices=ask.choices),
            seed_set=True,
            return_token_ids=True,
        )


class Answer:
    """One stream as it is read: tokens of each choice, and whether its caller has gone away."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._tokens: dict[int, list[int]] = {choice: [] for choice in range(ask.choices)}
        self._cancelled = False
        self._ended: router.Ended | None = None

    async def read(self, parts: AsyncGenerator[router.GenerateResponse, None]) -> None:
        """Read to the end, or to where the caller goes away. Raises MeshError."""
        cancel, count = self._ask.cancel, 0
        if cancel is Phase.ADMISSION:
            await self._leave(parts)
            return
        async for part in parts:
            kind = part.WhichOneof("part")
            if kind == "delta":
                self._tokens[part.delta.choice] += part.delta.token_ids
                count += len(part.delta.token_ids)
            elif kind == "ended":
                self._ended = part.ended
            if cancel is Phase.PREFILL and kind == "admitted":
                await self._leave(parts)
                return
            if cancel is Phase.DECODE and count >= self._ask.after and self._ended is None:
                self._cancelled = True
                return

    async def _leave(self, parts: AsyncGenerator[router.GenerateResponse, None]) -> None:
        """Go away after the delay of the request, or as soon as something comes."""
        first = asyncio.ensure_future(anext(parts, None))
        await asyncio.wait({first}, timeout=self._ask.delay_s)
        self._cancelled = True
        if not first.done():
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
        else:
            first.result()  # a typed error is the answer; whatever else came, the caller has gone

    def outcome(self, took_s: float, error: str = "", *, hung: bool = False) -> Outcome:
        """How it ended."""
        if not (error or hung or self._cancelled) and self._ended is None:
            error = "STREAM_WITHOUT_END"
        provenance = self._ended.provenance if self._ended is not None else router.Provenance()
        return Outcome(
            number=self._ask.number,
            tokens=self._tokens,
            error=error,
            cancelled=self._cancelled and not error,
            hung=hung,
            handed_over=provenance.disaggregated,
            failovers=provenance.failovers,
            took_s=took_s,
        )
