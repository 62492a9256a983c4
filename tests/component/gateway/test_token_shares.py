"""Tokens of generations are metered: held, corrected by the router's count, settled by what was used, however the call ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from finmesh.gateway.v1 import gateway_service_pb2_grpc as gateway_grpc
from gateway.adapters.redis_token_budgets import RedisTokenBudgets
from gateway.config import BudgetSettings, TokenShares
from gateway.domain import token_windows
from gateway.domain.token_limits import TokenLimits
from gateway.domain.token_shares import Held, TokenCount, Whose
from localmesh.ports import free_ports
from meshkit import errors
from meshkit.clock import SystemClock
from meshkit.rpc.channel import MeshChannel
from provisioning import tokens
from redis.asyncio import Redis

from tests.component.gateway.conftest import Door, OpenDoor, tls
from tests.component.gateway.scripted_router import ANSWER, admitted, delta, ended, finished, forever, substituted
from tests.component.gateway.test_forwarding import score
from tests.component.gateway.test_generate import USER, answer, ask
from tests.stack import PrivateRedis

SHARES = TokenShares(prompt_per_minute=1_000, output_per_minute=100)
LONG_S = 100 * 365 * 86_400


def budget(**scopes: TokenShares) -> BudgetSettings:
    """Shares of a tenant, unless others are named, and nothing else; windows of these tests never end."""
    none = TokenShares()
    shares = {"tenant": SHARES, "scenario": none, "principal": none} | scopes
    return BudgetSettings(**shares, assumed_output_tokens=20, local_fraction=1)


@pytest.fixture(autouse=True)
def one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute that ends in the middle of a test would free what was used."""
    monkeypatch.setattr(token_windows, "MINUTE_S", LONG_S)


class Nobody:
    """Hears of nothing."""

    def degraded(self, component: str, reason: str) -> None:
        pass

    not_ready = degraded

    def recovered(self, component: str) -> None:
        pass


@asynccontextmanager
async def looking(url: str, settings: BudgetSettings) -> AsyncIterator[Any]:
    """A function that says how many tokens bank-a has left, by Redis."""
    async with Redis.from_url(url) as redis:
        budgets = RedisTokenBudgets(redis, TokenLimits.of(settings.everybody).shares, settings.calendar, SystemClock(), Nobody())
        whose = Whose("bank-a", "assistant", b"?" * 16)

        async def left() -> TokenCount:
            found = await budgets.hold(whose, "look", TokenCount(), TokenCount(10**9, 10**9))
            assert isinstance(found, Held)
            await budgets.settle(whose, "look", TokenCount())
            return found.tokens

        yield left


async def until(left: Any, expected: TokenCount) -> None:
    """Return when so much is left: a call is settled behind its end."""
    async with asyncio.timeout(10):
        while await left() != expected:
            await asyncio.sleep(0.02)


async def test_what_the_last_response_says_is_what_counts(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    async with open_door(private_redis.url, budget=budget()) as door, looking(private_redis.url, budget()) as left:
        door.router.script = (admitted(prompt=30, output=90), delta("你好", output=2), finished(), ended(prompt=30, output=2))
        assert (await answer(door, ask()))[1] is None
        assert await left() == TokenCount(970, 98)


async def test_what_is_used_up_is_refused_before_anybody_works(open_door: OpenDoor) -> None:
    async with open_door(budget=budget()) as door:
        door.router.script = (admitted(output=90), ended(output=100))
        assert (await answer(door, ask()))[1] is None
        found, error = await answer(door, ask())
        assert not found and len(door.router.requests) == 1
        assert isinstance(error, errors.QuotaExceeded), "a quota, not a lack of capacity"
        assert error.reason == "TOKENS_EXHAUSTED" and error.retry_after_s
        assert (error.metadata["scope"], error.metadata["kind"], error.metadata["limit_tokens"]) == ("tenant", "output", "100")


@pytest.mark.parametrize(
    "script",
    [(admitted(prompt=1_001, output=5), forever), (admitted(), substituted(prompt=1_001, output=5), forever)],
)
async def test_the_prompts_tokens_are_there_or_the_call_ends(open_door: OpenDoor, private_redis: PrivateRedis, script: Any) -> None:
    async with open_door(private_redis.url, budget=budget()) as door, looking(private_redis.url, budget()) as left:
        door.router.script = script
        found, error = await answer(door, ask(max_output_tokens=5))
        assert found == list(script[:-2]), "the caller is not told of an admission that is none"
        assert isinstance(error, errors.QuotaExceeded) and error.reason == "TOKENS_EXHAUSTED"
        assert error.metadata["limit"] == "tenant-prompt-minute" and error.retry_after_s is None, "it never will be there"
        await door.router.ended.wait()
        assert await left() == TokenCount(1_000, 100)


async def test_a_stream_that_reaches_its_budget_is_stopped_and_says_which(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    async with open_door(private_redis.url, budget=budget()) as door, looking(private_redis.url, budget()) as left:
        said = (admitted(prompt=30, output=60, choices=2), delta("你", output=40), delta("好", output=100), delta("吗", output=101))
        door.router.script = (*said, forever)
        found, error = await answer(door, ask(max_output_tokens=60))
        assert found == list(said[:-1]), "what was sent stays sent"
        assert isinstance(error, errors.QuotaExceeded) and error.reason == "TOKENS_EXHAUSTED"
        assert error.metadata["limit"] == "tenant-output-minute" and error.retry_after_s is None
        await door.router.ended.wait()
        assert await left() == TokenCount(970, 0), "held until its record is booked"


async def test_a_stream_goes_on_with_what_others_gave_back(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    async with open_door(private_redis.url, budget=budget()) as door, looking(private_redis.url, budget()) as left:
        waiting = asyncio.Event()
        door.router.script = (admitted(prompt=10, output=80), waiting.wait, ended(prompt=10, output=1))
        first = door.stub.Generate(ask(max_output_tokens=80), metadata=door.token(roles=USER))
        await anext(first)
        going_on = asyncio.Event()
        door.router.script = (
            admitted(prompt=10, output=90),
            delta("你", output=20),
            going_on.wait,
            delta("好", output=90),
            ended(output=90),
        )
        second = door.stub.Generate(ask(max_output_tokens=90), metadata=door.token(roles=USER))
        for _ in range(2):
            await anext(second)
        waiting.set()
        async for _ in first:
            pass
        await until(left, TokenCount(980, 79))
        going_on.set()
        assert [part.response async for part in second] == [delta("好", output=90), ended(output=90)]


async def test_a_standby_is_counted_by_its_own_tokens(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    async with open_door(private_redis.url, budget=budget()) as door, looking(private_redis.url, budget()) as left:
        waiting = asyncio.Event()
        door.router.script = (admitted(prompt=10, output=20, choices=2), substituted(prompt=70, output=30), waiting.wait, ended())
        responses = door.stub.Generate(ask(), metadata=door.token(roles=USER))
        for _ in range(2):
            await anext(responses)
        assert await left() == TokenCount(930, 40), "two answers, as was admitted"
        waiting.set()


async def test_a_bound_by_bytes_refuses_nobody_whose_tokens_are_there(open_door: OpenDoor) -> None:
    async with open_door(budget=budget()) as door:
        door.router.script = (admitted(prompt=900, output=90), delta("好"), ended(prompt=900, output=1))
        assert (await answer(door, ask(text="长" * 1_200)))[1] is None


async def test_the_correction_frees_what_the_bound_held(open_door: OpenDoor) -> None:
    async with open_door(budget=budget()) as door:
        waiting = asyncio.Event()
        door.router.script = (admitted(prompt=10, output=10), waiting.wait, ended())
        first = door.stub.Generate(ask(text="长" * 300, max_output_tokens=90), metadata=door.token(roles=USER))
        await anext(first)
        door.router.script = (admitted(prompt=900, output=80), ended())
        assert (await answer(door, ask(max_output_tokens=80)))[1] is None
        waiting.set()


@pytest.mark.parametrize(
    ("script", "used"),
    [
        ((admitted(prompt=30, output=50), delta("你好", output=2), delta("世界", output=9), forever), TokenCount(30, 9)),
        (
            (admitted(prompt=30, output=50), delta("你好"), delta("世界"), forever),
            TokenCount(30, 20),
        ),  # bytes, of a router that does not count
        ((admitted(prompt=30, output=5), delta("你好" * 20), forever), TokenCount(30, 5)),
        ((admitted(prompt=30, output=50), forever), TokenCount(30, 0)),
    ],
)
async def test_a_call_that_is_left_pays_for_what_was_streamed(
    open_door: OpenDoor, private_redis: PrivateRedis, script: Any, used: TokenCount
) -> None:
    async with open_door(private_redis.url, budget=budget()) as door, looking(private_redis.url, budget()) as left:
        door.router.script = script
        async with aclosing(door.stub.Generate(ask(), metadata=door.token(roles=USER))) as responses:
            for _ in script[:-1]:
                await anext(responses)
        await door.router.ended.wait()
        await until(left, TokenCount(1_000 - used.prompt, 100 - used.output))


async def test_a_reader_that_stops_and_a_deadline_hold_nothing_afterwards(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    async with open_door(private_redis.url, budget=budget(), slow_reader_s=0.3) as door, looking(private_redis.url, budget()) as left:
        door.router.script = (admitted(prompt=30, output=50), *(delta("数" * 20_000, output=7) for _ in range(1_000)))
        responses = door.stub.Generate(ask(), metadata=door.token(roles=USER))
        await anext(responses)
        await door.router.ended.wait()
        await until(left, TokenCount(970, 93))
        with pytest.raises(errors.DeadlineExceeded):
            async for _ in responses:
                pass
        door.router.script = (admitted(prompt=70, output=50), forever)
        assert isinstance((await answer(door, ask(), timeout=0.3))[1], errors.DeadlineExceeded)
        await until(left, TokenCount(900, 93))


async def test_an_answer_outlives_redis(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    async with open_door(private_redis.url, budget=budget()) as door:

        async def kill() -> None:
            await asyncio.to_thread(private_redis.kill)

        for script in ((kill, *ANSWER), (admitted(), kill, *ANSWER[1:]), (*ANSWER[:-1], kill, ANSWER[-1])):
            door.router.script = script
            assert await answer(door, ask()) == (list(ANSWER), None)
            private_redis.start()


@pytest.mark.parametrize(
    ("before", "used"),
    [((), TokenCount()), ((admitted(prompt=30),), TokenCount()), ((admitted(prompt=30), delta("你", output=1)), TokenCount(30, 1))],
)
async def test_a_call_that_fails_pays_for_what_was_streamed(
    open_door: OpenDoor, private_redis: PrivateRedis, before: Any, used: TokenCount
) -> None:
    async with open_door(private_redis.url, budget=budget()) as door, looking(private_redis.url, budget()) as left:
        door.router.script = (*before, errors.Overloaded("full", reason="OVERLOADED", retry_after_s=1.0))
        error = (await answer(door, ask()))[1]
        assert isinstance(error, errors.Overloaded) and error.reason == "OVERLOADED", "capacity, not a quota"
        assert await left() == TokenCount(1_000 - used.prompt, 100 - used.output)


async def test_scenario_and_principal_have_their_own_shares(open_door: OpenDoor) -> None:
    settings = budget(tenant=TokenShares(), principal=TokenShares(output_per_minute=70), scenario=TokenShares(output_per_minute=100))
    async with open_door(budget=settings) as door:
        scopes = []
        for subject in ("li-si", "li-si", "wang-wu", "zhao-liu"):
            door.router.script = (admitted(output=40), ended(output=70 if subject == "li-si" else 40))
            error = (await answer(door, ask(), door.token(roles=USER, sub=subject)))[1]
            scopes.append(error.metadata["scope"] if error else "")
        assert scopes == ["", "principal", "", "scenario"]


async def test_a_call_of_no_generation_costs_no_tokens(open_door: OpenDoor) -> None:
    async with open_door(budget=budget(tenant=TokenShares(prompt_per_minute=1, output_per_minute=1))) as door:
        door.router.script = (admitted(prompt=1, output=1), ended(prompt=1, output=1))
        assert (await answer(door, ask()))[1] is None
        assert isinstance((await answer(door, ask()))[1], errors.QuotaExceeded)
        await door.stub.ScoreTransaction(score(), metadata=door.token())


async def test_a_long_call_keeps_what_it_holds(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    settings = budget().model_copy(update={"hold_s": 0.3})
    async with open_door(private_redis.url, budget=settings) as door, Redis.from_url(private_redis.url) as redis:
        door.router.script = (admitted(), forever)
        async with aclosing(door.stub.Generate(ask(), metadata=door.token(roles=USER))) as responses:
            await anext(responses)
            ends = []
            async with asyncio.timeout(10):
                while len(set(ends)) < 4:
                    held = await redis.zrange("finmesh:gateway:tokens:{bank-a}:tenant:calls", 0, -1, withscores=True)
                    assert len(held) == 1
                    ends.append(held[0][1])
                    await asyncio.sleep(0.02)
        assert ends == sorted(ends)


async def test_a_killed_gateways_tokens_are_free_again(open_door: OpenDoor, private_redis: PrivateRedis, certs: Path) -> None:
    """A gateway in a process of its own, killed in the middle of a stream that holds everything."""
    settings = budget()
    async with open_door(private_redis.url, budget=settings) as door, looking(private_redis.url, settings) as left:
        door.router.script = (admitted(prompt=900, output=100), delta("你"), forever)
        port = free_ports(1)[0]
        environment = gateways_environment(door, private_redis.url, certs, port)
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", GATEWAY, env=environment, stderr=asyncio.subprocess.DEVNULL)
        try:
            async with MeshChannel(f"127.0.0.1:{port}", tls(certs, "client"), server_name="gateway") as channel:
                stub: Any = gateway_grpc.GatewayServiceStub(channel)
                responses = stub.Generate(ask(max_output_tokens=100), metadata=door.token(roles=USER), timeout=30, wait_for_ready=True)
                assert (await anext(responses)).response == admitted(prompt=900, output=100)
                assert (await left()).output == 0
                process.send_signal(signal.SIGKILL)
                await process.wait()
                await door.router.ended.wait()
                await until(left, TokenCount(1_000, 100))
                with pytest.raises(errors.Unavailable):
                    async for _ in responses:
                        pass
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        door.router.script = ANSWER
        assert (await answer(door, ask()))[1] is None


GATEWAY = f"""
import gateway.domain.token_windows
gateway.domain.token_windows.MINUTE_S = {LONG_S}
from gateway.main.grpc import main
from meshkit.service import run
run(main())
"""


def gateways_environment(door: Door, redis_url: str, certs: Path, port: int) -> dict[str, str]:
    """Settings of a gateway before the same router and Redis, whose holds end after a second."""
    return os.environ | {
        "FINMESH_LISTEN": f"127.0.0.1:{port}",
        "FINMESH_TLS__CERTIFICATE": str(certs / "gateway.pem"),
        "FINMESH_TLS__KEY": str(certs / "gateway.key"),
        "FINMESH_TLS__AUTHORITY": str(certs / "authority.pem"),
        "FINMESH_AUTH__JWKS": str(certs / "jwks.json"),
        "FINMESH_AUTH__ISSUER": tokens.ISSUER,
        "FINMESH_AUTH__AUDIENCE": tokens.AUDIENCE,
        "FINMESH_REDIS__URL": redis_url,
        "FINMESH_REDIS__TIMEOUT_MS": "500",
        "FINMESH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "FINMESH_UPSTREAM__ROUTER": door.routers_server.address,
        "FINMESH_UPSTREAM__RISK_SCORING": "127.0.0.1:1",
        "FINMESH_UPSTREAM__AUDIT": "127.0.0.1:1",
        "FINMESH_UPSTREAM__RAG": "127.0.0.1:1",
        "FINMESH_BUDGET__TENANT__PROMPT_PER_MINUTE": str(SHARES.prompt_per_minute),
        "FINMESH_BUDGET__TENANT__OUTPUT_PER_MINUTE": str(SHARES.output_per_minute),
        "FINMESH_BUDGET__HOLD_S": "1",
    }
