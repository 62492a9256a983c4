"""vLLM's holes, stopped by ours; its deaths, typed; its cached blocks, told by our ids. Against the recorded servers, or vLLM itself."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from backends.feed import Feed
from backends.vllm.requests import REMOTE_DECODE
from engine.handoff.chain import block_ids
from finmesh.inference.v1.decode_service_pb2 import Emitted, Tokens
from finmesh.inference.v1.generation_pb2 import FINISH_REASON_STOP, Bounds, Grammar, Sampling
from finmesh.inference.v1.worker_pb2 import WORKER_STATE_ISOLATED, WORKER_STATE_READY, WORKER_STATE_STARTING
from meshkit.clock import SystemClock
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import FailedPrecondition, InvalidArgument, MeshError, Unavailable

from tests.engines import until
from tests.vllm.engines import ENVIRONMENT, Served, Servers, decode_engine, idle

from .asking import NAMESPACE, answer, prompt, to_decode, to_prefill
from .conftest import Pair, in_touch

BACK_S = 480 if ENVIRONMENT else 20
LONG = 300


class MovedClock(SystemClock):
    """This machine's, moved by ``by_s``."""

    def __init__(self) -> None:
        self.by_s = 0.0

    def now_s(self) -> float:
        return super().now_s() + self.by_s

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.by_s


async def ticket_of(pair: Pair, tokens: list[int], **changes: Any) -> bytes:
    return bytes((await pair.prefill.prefill(to_prefill(pair, tokens, **changes), 30.0)).response.ticket)


async def reason_of(pair: Pair, tokens: list[int], **changes: Any) -> str:
    with pytest.raises(MeshError) as caught:
        await answer(pair, to_decode(pair, tokens, **changes))
    return caught.value.metadata.get("because") or caught.value.reason


def asked(served: Served) -> int:
    """How many answers ours have asked this server for."""
    return sum(path.endswith("/completions") for path in served.sent)


# The holes, and what stops them


async def raw(served: Served, tokens: list[int], **changes: Any) -> tuple[int, Any]:
    """Ask a server itself, without ours."""
    neutral = {"temperature": 0, "top_p": 1, "top_k": 0, "min_p": 0, "repetition_penalty": 1, "presence_penalty": 0, "frequency_penalty": 0}
    body = {"model": "tiny", "prompt": tokens, "ignore_eos": True, "return_token_ids": True, "max_tokens": 8, **neutral, **changes}
    async with httpx2.AsyncClient(base_url=served.url, timeout=60) as client:
        response = await client.post("/v1/completions", json=body)
        return response.status_code, response.json()


async def test_the_server_itself_takes_another_prompt_a_second_time_and_a_wrong_port(vllm_servers: Servers) -> None:
    """What all of this is about. Without it the attacks below would prove nothing."""
    p, d = vllm_servers.prefill, vllm_servers.decode
    mine, other = prompt(300, seed=11), prompt(300, seed=12)
    _, alone = await raw(p, other, cache_salt="alone")
    _, read = await raw(p, mine, max_tokens=1, kv_transfer_params=REMOTE_DECODE, cache_salt="a")
    status, told = await raw(d, other, kv_transfer_params=read["kv_transfer_params"] | {"remote_num_tokens": 300}, cache_salt="b")
    assert status == 200
    assert told["choices"][0]["token_ids"] != alone["choices"][0]["token_ids"], "wrong text, without an error"
    status, _ = await raw(d, mine, kv_transfer_params=read["kv_transfer_params"] | {"remote_port": 1}, cache_salt="c")
    assert status == 200, "spent, and the port is wrong"


ATTACKS: dict[str, Callable[[Pair, list[int]], dict[str, Any]]] = {
    "PROMPT_DIGEST_MISMATCH": lambda pair, tokens: {"prompt_tokens": [*tokens[:-1], tokens[-1] ^ 1]},
    "PROMPT_TOKENS_MISMATCH": lambda pair, tokens: {"prompt_tokens": tokens[:-1]},
    "TENANT_DIGEST_MISMATCH": lambda pair, tokens: {"tenant_digest": b"x" * 32},
    "NAMESPACE_MISMATCH": lambda pair, tokens: {"namespace": b"x" * 32},
    "GRADE_MISMATCH": lambda pair, tokens: {"grade": 1},
    "REQUEST_ID_MISMATCH": lambda pair, tokens: {"request_id": "another"},
}


@pytest.mark.parametrize("why", ATTACKS)
async def test_a_ticket_is_for_what_it_was_made_for_and_the_engine_is_not_asked(vllm: Pair, vllm_servers: Servers, why: str) -> None:
    tokens = prompt(200, seed=21)
    ticket = await ticket_of(vllm, tokens)
    before = asked(vllm_servers.decode)
    assert await reason_of(vllm, tokens, ticket=ticket, **ATTACKS[why](vllm, tokens)) == why
    assert asked(vllm_servers.decode) == before
    _, handed = await answer(vllm, to_decode(vllm, tokens, ticket=ticket))
    assert len(handed) == 12, "what was refused has not spent it"


async def test_of_two_at_once_one_spends_it(vllm: Pair) -> None:
    tokens = prompt(200, seed=22)
    _, alone = await answer(vllm, to_decode(vllm, tokens))
    ticket = await ticket_of(vllm, tokens)
    both = (answer(vllm, to_decode(vllm, tokens, ticket=ticket)) for _ in range(2))
    one, two = await asyncio.gather(*both, return_exceptions=True)
    failed, right = (one, two) if isinstance(one, MeshError) else (two, one)
    assert isinstance(failed, FailedPrecondition) and failed.metadata["because"] == "SPENT"
    assert not isinstance(right, BaseException) and right[1] == alone


async def test_it_is_spent_before_the_engine_is_asked(vllm: Pair) -> None:
    """Whoever breaks off, wherever, has spent it: nobody knows what the engine fetched by then."""
    tokens = prompt(200, seed=23)
    ticket = await ticket_of(vllm, tokens)
    events = vllm.decode.decode(to_decode(vllm, tokens, LONG, ticket=ticket), 30.0)
    begun = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    begun.cancel()
    await asyncio.wait({begun})
    assert await reason_of(vllm, tokens, ticket=ticket) == "SPENT"
    await vllm.free()


async def test_a_process_that_starts_anew_takes_nothing_that_an_earlier_one_may_have_taken(vllm: Pair, vllm_servers: Servers) -> None:
    tokens = prompt(200, seed=24)
    ticket = await ticket_of(vllm, tokens)
    again = decode_engine(vllm_servers.decode, kv_events="", kv_replay="")
    async with in_touch(again) as feed:
        other = Pair("vllm", vllm.prefill, again, feed)
        assert again.description is not None and again.description.worker_id == vllm.decode.description.worker_id
        assert await reason_of(other, tokens, ticket=ticket) == "DECODE_INCARNATION_MISMATCH"
    elsewhere = decode_engine(vllm_servers.decode, "vllm-decode-2", kv_events="", kv_replay="")
    async with in_touch(elsewhere) as feed:
        assert await reason_of(Pair("vllm", vllm.prefill, elsewhere, feed), tokens, ticket=ticket) == "DECODE_WORKER_MISMATCH"


async def test_a_lower_epoch_is_fenced_where_it_is_spent(vllm: Pair) -> None:
    tokens, handoff_id = prompt(200, seed=25), uuid7()
    first, second = [await ticket_of(vllm, tokens, handoff_id=handoff_id, epoch=epoch) for epoch in (1, 2)]
    await answer(vllm, to_decode(vllm, tokens, ticket=second))
    assert await reason_of(vllm, tokens, ticket=first) == "FENCED"


async def test_a_prompt_is_read_for_somebody(vllm: Pair, vllm_servers: Servers) -> None:
    before = asked(vllm_servers.prefill)
    with pytest.raises(FailedPrecondition) as caught:
        await ticket_of(vllm, prompt(50), decode_incarnation="")
    assert (caught.value.reason, asked(vllm_servers.prefill)) == ("DECODE_UNNAMED", before)


async def test_who_looks_whether_it_is_well_gets_its_token_and_nothing_is_kept(vllm: Pair) -> None:
    """As known answers are asked for: one token, greedily, for no decode engine."""
    tokens = prompt(50, seed=29)
    _, alone = await answer(vllm, to_decode(vllm, tokens))
    how, one = Sampling(choices=1, logprobs=True), Bounds(max_output_tokens=1)
    asked_for = to_prefill(vllm, tokens, decode_worker_id="", decode_incarnation="", sampling=how, bounds=one)
    response = (await vllm.prefill.prefill(asked_for, 30.0)).response
    assert ([(token.index, token.token_id) for token in response.first_tokens], response.ticket) == (alone[:1], b"")
    assert response.first_tokens[0].logprob < 0
    assert response.finished[0].output_tokens == 1
    await until(lambda: vllm.prefill.load.kv_usage == 0, 150)


@asynccontextmanager
async def moved(pair: Pair, servers: Servers) -> AsyncIterator[tuple[Pair, MovedClock]]:
    """The decode side with a clock that moves."""
    clock = MovedClock()
    engine = decode_engine(servers.decode, clock=clock, kv_events="", kv_replay="")
    async with in_touch(engine) as feed:
        yield Pair("vllm", pair.prefill, engine, feed), clock


async def test_behind_its_lease_it_is_worth_nothing(vllm: Pair, vllm_servers: Servers) -> None:
    tokens = prompt(200, seed=26)
    async with moved(vllm, vllm_servers) as (late, clock):
        ticket = await ticket_of(late, tokens)
        clock.by_s = 600.0
        assert await reason_of(late, tokens, ticket=ticket) == "LEASE_EXPIRED"


async def test_a_first_token_behind_the_lease_is_not_believed(vllm: Pair, vllm_servers: Servers) -> None:
    """The engine stood still, or we did: by then its keys and values may be somebody else's."""
    tokens = prompt(200, seed=27)
    async with moved(vllm, vllm_servers) as (late, clock):
        ticket = await ticket_of(late, tokens)
        before = asked(vllm_servers.decode)
        vllm_servers.decode.signal(signal.SIGSTOP)
        try:
            failing = asyncio.ensure_future(reason_of(late, tokens, ticket=ticket))
            await until(lambda: asked(vllm_servers.decode) > before)
            clock.by_s = 600.0
        finally:
            vllm_servers.decode.signal(signal.SIGCONT)
        assert await failing == "LEASE_EXPIRED"


async def test_what_nobody_fetched_is_freed_by_the_engine_itself(vllm: Pair) -> None:
    request = to_prefill(vllm, prompt(400, seed=28))
    await vllm.prefill.prefill(request, 30.0)
    await until(lambda: vllm.prefill.load.kv_usage > 0)
    await vllm.prefill.abort(request.handoff_id, request.epoch)
    with pytest.raises(FailedPrecondition) as caught:
        await vllm.prefill.prefill(request, 30.0)
    assert caught.value.reason == "STALE_EPOCH"
    await until(lambda: vllm.prefill.load.kv_usage == 0, 150)


# What it can do, and what it says that it can't


async def test_several_answers_fetch_once(vllm: Pair, vllm_servers: Servers) -> None:
    tokens, how = prompt(200, seed=31), Sampling(choices=3)
    _, alone = await answer(vllm, to_decode(vllm, tokens))
    ticket = await ticket_of(vllm, tokens)
    events, _ = await answer(vllm, to_decode(vllm, tokens, ticket=ticket, sampling=how))
    written: dict[int, list[tuple[int, int]]] = {0: [], 1: [], 2: []}
    for event in events:
        for token in event.tokens if isinstance(event, Tokens) else ():
            written[token.choice].append((token.index, token.token_id))
    assert written == {0: alone, 1: alone, 2: alone}
    assert sum("kv_transfer_params" in body for body in vllm_servers.decode.bodies[-3:]) == 1
    assert events[-1].output_tokens == 36


async def test_drawn_answers_are_the_same_for_the_same_seed_and_differ_by_choice(vllm: Pair) -> None:
    tokens, how = prompt(100, seed=32), Sampling(choices=2, temperature=1.0, seed=2**64 - 5)
    written = []
    for _ in range(2):
        events, _ = await answer(vllm, to_decode(vllm, tokens, sampling=how))
        found = [token for event in events if isinstance(event, Tokens) for token in event.tokens]
        written.append([[token.token_id for token in found if token.choice == choice] for choice in range(2)])
    assert written[0] == written[1]
    assert written[0][0] != written[0][1]


async def test_an_answer_goes_on_where_another_engine_left_it(vllm: Pair) -> None:
    tokens = prompt(100, seed=33)
    _, alone = await answer(vllm, to_decode(vllm, tokens))
    emitted = [Emitted(choice=0, token_ids=[token for _, token in alone[:5]])]
    events, rest = await answer(vllm, to_decode(vllm, tokens, emitted=emitted))
    assert rest == alone[5:]
    assert events[-2].output_tokens == 12
    all_of_it = [Emitted(choice=0, token_ids=[token for _, token in alone])]
    events, rest = await answer(vllm, to_decode(vllm, tokens, emitted=all_of_it))
    assert (rest, events[-2].output_tokens) == ([], 12)


async def test_log_probabilities_and_the_end_of_an_answer(vllm: Pair) -> None:
    how = Sampling(choices=1, logprobs=True, top_logprobs=2)
    events, _ = await answer(vllm, to_decode(vllm, prompt(40, seed=34), sampling=how))
    tokens = [token for event in events if isinstance(event, Tokens) for token in event.tokens]
    assert all(token.logprob < 0 and len(token.top) == 2 and token.top[0].logprob >= token.top[1].logprob for token in tokens)
    if not ENVIRONMENT:
        events, _ = await answer(vllm, to_decode(vllm, prompt(40), 100, bounds=Bounds(max_output_tokens=100)))
        assert (events[-2].reason, events[-2].output_tokens) == (FINISH_REASON_STOP, 21)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"grammar": Grammar(json_schema='{"type": "object"}'), "emitted": [Emitted(token_ids=[5])]}, "ENGINE_LACKS_GRAMMAR_REPLAY"),
        ({"sampling": Sampling(choices=5)}, "CHOICES_TOO_MANY"),
        ({"namespace": b"short"}, "NAMESPACE_INVALID"),
        ({"grammar": Grammar(json_schema="{")}, "SCHEMA_INVALID"),
    ],
)
async def test_what_it_cannot_do_is_refused_by_name_before_any_work(
    vllm: Pair, vllm_servers: Servers, changes: dict[str, Any], reason: str
) -> None:
    before = asked(vllm_servers.decode)
    assert await reason_of(vllm, prompt(40), **changes) == reason
    assert asked(vllm_servers.decode) == before
    await vllm.free()


async def test_neither_side_has_a_grammar_of_tool_calls(vllm: Pair, vllm_servers: Servers) -> None:
    form = Grammar()
    form.calls.format = "hermes"
    before = asked(vllm_servers.prefill) + asked(vllm_servers.decode)
    assert await reason_of(vllm, prompt(40), grammar=form) == "ENGINE_LACKS_GRAMMAR"
    with pytest.raises(FailedPrecondition) as caught:
        await ticket_of(vllm, prompt(40), grammar=form)
    assert caught.value.reason == "ENGINE_LACKS_GRAMMAR"
    assert asked(vllm_servers.prefill) + asked(vllm_servers.decode) == before


async def test_a_form_that_the_engine_refuses_inside_its_stream(vllm: Pair) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await answer(vllm, to_decode(vllm, prompt(40), grammar=Grammar(json_schema='{"type": "nonsense"}')))
    assert caught.value.reason == "SCHEMA_INVALID"
    await vllm.free()


async def test_each_side_says_what_it_is_not(vllm: Pair) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        await vllm.decode.prefill(to_prefill(vllm, prompt(40)), 5.0)
    assert caught.value.reason == "ROLE_MISMATCH"
    with pytest.raises(FailedPrecondition) as caught:
        vllm.prefill.decode(to_decode(vllm, prompt(40)), 5.0)
    assert caught.value.reason == "ROLE_MISMATCH"


# What it has cached


@dataclass
class Heard:
    """What a feed tells of one worker: blocks held, and how often everything was dropped."""

    feed: Feed
    worker: str

    async def until(self, true: Callable[[set[bytes], int], bool]) -> None:
        held: set[bytes] = set()
        cleared = 0
        async with asyncio.timeout(20), aclosing(self.feed.watch({})) as news:
            async for each in news:
                if each.worker_id == self.worker and each.WhichOneof("news") == "event":
                    held = (set() if each.event.cleared else held) - set(each.event.removed) | set(each.event.stored)
                    cleared += each.event.cleared
                if true(held, cleared):
                    return


async def test_what_it_caches_is_told_by_our_ids(vllm: Pair) -> None:
    tokens, other = prompt(300, seed=41), prompt(300, seed=42)
    ids = [set(block_ids(NAMESPACE, each)[:4]) for each in (tokens, other)]  # two blocks of 128 are four of ours
    await ticket_of(vllm, tokens)
    await answer(vllm, to_decode(vllm, other))
    await Heard(vllm.feed, "vllm-prefill").until(lambda held, _: held >= ids[0] and not held & ids[1])
    await Heard(vllm.feed, "vllm-decode").until(lambda held, _: held >= ids[1])


async def test_whoever_begins_to_listen_late_is_told_what_is_held(vllm_servers: Servers) -> None:
    tokens = prompt(300, seed=43)
    ids = set(block_ids(NAMESPACE, tokens)[:4])
    quiet = decode_engine(vllm_servers.decode, kv_events="", kv_replay="")
    async with in_touch(quiet) as feed:
        await answer(Pair("vllm", quiet, quiet, feed), to_decode(Pair("vllm", quiet, quiet, feed), tokens))
    late = decode_engine(vllm_servers.decode)
    async with in_touch(late) as feed:
        await Heard(feed, "vllm-decode").until(lambda held, _: held >= ids)
        await until(lambda: late.load.cached_blocks >= 4)


async def test_what_was_lost_on_the_way_is_asked_for_again(tmp_path: Path) -> None:
    server = Served("losing", tmp_path)
    server.is_real = False
    await asyncio.to_thread(server.start)
    engine = decode_engine(server)
    try:
        async with in_touch(engine) as feed:
            pair, prompts = Pair("vllm", engine, engine, feed), [prompt(300, seed=45 + number) for number in range(3)]
            wanted = [set(block_ids(NAMESPACE, tokens)[:4]) for tokens in prompts]
            await answer(pair, to_decode(pair, prompts[0]))
            await Heard(feed, "vllm-decode").until(lambda held, _: held >= wanted[0])
            server.ask("/lose_events", True)
            await answer(pair, to_decode(pair, prompts[1]))
            server.ask("/lose_events", False)
            await answer(pair, to_decode(pair, prompts[2]))
            await Heard(feed, "vllm-decode").until(lambda held, _: held >= wanted[0] | wanted[1] | wanted[2])
    finally:
        server.kill()


async def test_all_cleared(vllm: Pair, vllm_servers: Servers) -> None:
    tokens = prompt(300, seed=44)
    ids = set(block_ids(NAMESPACE, tokens)[:4])
    await answer(vllm, to_decode(vllm, tokens))
    await Heard(vllm.feed, "vllm-decode").until(lambda held, _: held >= ids)
    await vllm.free()
    async with httpx2.AsyncClient(base_url=vllm_servers.decode.url) as client:
        assert (await client.post("/reset_prefix_cache")).status_code == 200
    await Heard(vllm.feed, "vllm-decode").until(lambda held, _: not held)


# Deaths


@asynccontextmanager
async def killed(served: Served) -> AsyncIterator[None]:
    """One server is dead meanwhile, and another start afterwards."""
    served.kill()
    try:
        yield
    finally:
        await asyncio.to_thread(served.start)


async def test_a_dead_prefill_side_is_told_at_once_and_the_decode_side_lives(vllm: Pair, vllm_servers: Servers) -> None:
    tokens = prompt(200, seed=51)
    await answer(vllm, to_decode(vllm, tokens, ticket=await ticket_of(vllm, tokens)))
    ticket, late, before = await ticket_of(vllm, tokens), await ticket_of(vllm, tokens), vllm.prefill.description.incarnation
    async with killed(vllm_servers.prefill):
        assert await reason_of(vllm, tokens, ticket=ticket, namespace=NAMESPACE) in {"PULL_FAILED", "LEASE_EXPIRED"}
        await until(lambda: vllm.prefill.load.reason == "ENGINE_LOST")  # a look that was under way may have told something else first
        assert vllm.prefill.load.state == WORKER_STATE_ISOLATED
        with pytest.raises(Unavailable) as caught:
            await ticket_of(vllm, tokens)
        assert caught.value.reason == "ENGINE_LOST"
        _, alone = await answer(vllm, to_decode(vllm, tokens))
        assert len(alone) == 12
    assert await reason_of(vllm, tokens, ticket=late) in {"PULL_FAILED", "LEASE_EXPIRED"}, "another start has another id"
    await until(lambda: vllm.prefill.load.state == WORKER_STATE_READY and vllm.prefill.description.incarnation != before, BACK_S)
    _, handed = await answer(vllm, to_decode(vllm, tokens, ticket=await ticket_of(vllm, tokens)))
    assert handed == alone
    await vllm.free()


async def test_a_prefill_side_that_stands_still_fails_the_hand_off_and_not_the_decode_side(vllm: Pair, vllm_servers: Servers) -> None:
    tokens = prompt(200, seed=56)
    hasty = decode_engine(vllm_servers.decode, kv_events="", kv_replay="", fetch_s=0.3)
    async with in_touch(hasty) as feed:
        pair = Pair("vllm", vllm.prefill, hasty, feed)
        ticket = await ticket_of(pair, tokens)
        vllm_servers.prefill.signal(signal.SIGSTOP)
        try:
            assert await reason_of(pair, tokens, ticket=ticket) == "PULL_FAILED"
            assert hasty.load.state == WORKER_STATE_READY
        finally:
            vllm_servers.prefill.signal(signal.SIGCONT)
    await until(lambda: vllm.prefill.load.state == WORKER_STATE_READY)
    await vllm.free()


async def test_an_answer_breaks_off_typed_when_its_engine_dies(vllm: Pair, vllm_servers: Servers) -> None:
    before = vllm.decode.description.incarnation

    async def broken() -> MeshError:
        while True:
            try:
                await answer(vllm, to_decode(vllm, prompt(60, seed=52), LONG))
            except MeshError as error:
                return error

    failing = asyncio.ensure_future(broken())
    await until(lambda: vllm.decode.load.rows_used > 0)
    async with killed(vllm_servers.decode):
        error = await failing
        assert (type(error), error.reason) == (Unavailable, "ENGINE_LOST")
        await until(lambda: vllm.decode.load.state == WORKER_STATE_ISOLATED)
    await until(lambda: vllm.decode.load.state == WORKER_STATE_READY, BACK_S)
    assert vllm.decode.description.incarnation != before, "what was promised there is gone"
    await Heard(vllm.feed, "vllm-decode").until(lambda held, _: not held)
    tokens = prompt(300, seed=53)
    await answer(vllm, to_decode(vllm, tokens))
    await Heard(vllm.feed, "vllm-decode").until(lambda held, _: held >= set(block_ids(NAMESPACE, tokens)[:4]))
    await vllm.free()


async def test_one_that_stands_still_is_told_and_comes_back_as_itself(vllm: Pair, vllm_servers: Servers) -> None:
    before, steps = vllm.decode.description.incarnation, vllm.decode.load.steps
    vllm_servers.decode.signal(signal.SIGSTOP)
    try:
        await until(lambda: vllm.decode.load.state == WORKER_STATE_ISOLATED)
        assert vllm.decode.load.reason == "ENGINE_HUNG"
    finally:
        vllm_servers.decode.signal(signal.SIGCONT)
    await until(lambda: vllm.decode.load.state == WORKER_STATE_READY)
    assert vllm.decode.description.incarnation == before
    await answer(vllm, to_decode(vllm, prompt(60, seed=54)))
    await until(lambda: vllm.decode.load.steps > steps)
    await vllm.free()


async def test_a_process_that_ends_in_order_leaves_nothing_running(vllm_servers: Servers) -> None:
    engine = decode_engine(vllm_servers.decode, kv_events="", kv_replay="")
    async with in_touch(engine) as feed:
        pair = Pair("vllm", engine, engine, feed)
        events = engine.decode(to_decode(pair, prompt(60, seed=55), LONG), 10.0)
        await anext(events)
    with pytest.raises(Unavailable):
        async with aclosing(events):
            async for _ in events:
                pass
    again = decode_engine(vllm_servers.decode, kv_events="", kv_replay="")
    async with in_touch(again):
        await idle(again)


async def test_one_that_serves_something_else_is_never_ready(vllm_servers: Servers) -> None:
    engine = decode_engine(vllm_servers.decode, kv_events="", kv_replay="", served_model="another")
    engine.watch(Feed(asyncio.Event()))
    running = asyncio.create_task(engine.run())
    await until(lambda: engine.load.reason == "ENGINE_MODEL_GONE")
    assert (engine.load.state, engine.description) == (WORKER_STATE_STARTING, None)
    running.cancel()
    await asyncio.wait({running})
