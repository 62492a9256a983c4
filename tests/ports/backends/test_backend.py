"""What every engine behind the port does: the scripted one that other tests talk to, vLLM as it was recorded, and ours in real Tritons."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from backends import streams
from backends.port import Running
from finmesh.inference.v1 import decode_service_pb2, generation_pb2
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import FailedPrecondition, InvalidArgument, NotFound, Overloaded

from .asking import answer, prompt, to_decode, to_prefill, to_reserve
from .conftest import Pair

LONG = 400


async def test_an_answer_comes_in_order_and_ends_with_its_usage(any_pair: Pair) -> None:
    events, tokens = await answer(any_pair, to_decode(any_pair, prompt(100)))
    assert isinstance(events[0], Running)
    assert events[0].committed.worker_id == any_pair.decode.description.worker_id
    assert events[0].committed.incarnation == any_pair.decode.description.incarnation
    assert [index for index, _ in tokens] == list(range(12))
    *_, finished, usage = events
    assert (finished.reason, finished.output_tokens) == (generation_pb2.FINISH_REASON_LENGTH, 12)
    assert (usage.prompt_tokens, usage.output_tokens) == (100, 12)
    await any_pair.free()


@pytest.mark.parametrize("length", [3, 64, 130])
async def test_handed_over_equals_alone_token_for_token(pair: Pair, length: int) -> None:
    tokens = prompt(length)
    _, alone = await answer(pair, to_decode(pair, tokens))
    reservation_id = uuid7()
    first_block = await pair.decode.reserve(reservation_id, to_reserve(pair, tokens))
    published = await pair.prefill.prefill(to_prefill(pair, tokens, first_block=first_block), 10.0)
    first = [(token.index, token.token_id) for token in published.response.first_tokens]
    assert len(first) == (0 if pair.kind == "vllm" else 1), "vLLM's decode side tells the first token itself"
    ticket = published.response.ticket
    _, rest = await answer(pair, to_decode(pair, tokens, ticket=ticket, reservation_id=reservation_id))
    assert [*first, *rest] == alone
    await pair.free()


async def test_rows_are_bounded_and_come_back(any_pair: Pair) -> None:
    tokens, taken = prompt(20), [uuid7() for _ in range(any_pair.decode.description.rows)]
    for each in taken:
        await any_pair.decode.reserve(each, to_reserve(any_pair, tokens))
    with pytest.raises(Overloaded) as caught:
        await any_pair.decode.reserve(uuid7(), to_reserve(any_pair, tokens))
    assert caught.value.reason == "OVERLOADED"
    assert caught.value.retry_after_s
    await any_pair.decode.renew(taken[0], 10_000)
    for each in taken:
        await any_pair.decode.release(each)
    await any_pair.free()
    with pytest.raises(NotFound) as lost:
        await any_pair.decode.renew(taken[0], 10_000)
    assert lost.value.reason == "RESERVATION_LOST"


async def test_a_row_of_an_answer_comes_out_of_its_reservation(any_pair: Pair) -> None:
    with pytest.raises(NotFound) as caught:
        await answer(any_pair, to_decode(any_pair, prompt(20), reservation_id="never-made"))
    assert caught.value.reason == "RESERVATION_LOST"
    await any_pair.free()


async def test_a_ticket_serves_once_and_its_own_prompt(pair: Pair) -> None:
    tokens, other = prompt(80), prompt(80, seed=2)
    ticket = (await pair.prefill.prefill(to_prefill(pair, tokens), 10.0)).response.ticket

    async def spend(asked: list[int]) -> None:
        reservation_id = uuid7()
        await pair.decode.reserve(reservation_id, to_reserve(pair, asked))
        try:
            await answer(pair, to_decode(pair, asked, ticket=ticket, reservation_id=reservation_id))
        finally:
            await pair.decode.release(reservation_id)

    with pytest.raises(FailedPrecondition) as caught:
        await spend(other)
    assert caught.value.reason == "TICKET_REFUSED"
    await spend(tokens)
    with pytest.raises(FailedPrecondition) as caught:
        await spend(tokens)
    assert caught.value.reason == "TICKET_REFUSED"
    await pair.free()


async def test_a_higher_epoch_fences_the_lower(pair: Pair) -> None:
    tokens, handoff_id = prompt(70), uuid7()
    await pair.prefill.prefill(to_prefill(pair, tokens, handoff_id=handoff_id, epoch=2), 10.0)
    with pytest.raises(FailedPrecondition) as caught:
        await pair.prefill.prefill(to_prefill(pair, tokens, handoff_id=handoff_id, epoch=1), 10.0)
    assert caught.value.reason == "STALE_EPOCH"
    await pair.prefill.abort(handoff_id, 2)
    await pair.free()


@pytest.mark.parametrize("after", ["asked", "running", "tokens"])
async def test_who_stops_reading_frees_the_row(any_pair: Pair, after: str) -> None:
    async with aclosing(any_pair.decode.decode(to_decode(any_pair, prompt(60), LONG), 10.0)) as events:
        asked = asyncio.ensure_future(anext(events))
        if after == "asked":
            await asyncio.sleep(0)
            asked.cancel()
            await asyncio.wait({asked})
        else:
            assert isinstance(await asked, Running)
            if after == "tokens":
                assert isinstance(await anext(events), decode_service_pb2.Tokens)
    await any_pair.free()


@pytest.mark.parametrize("after", ["asked", "published"])
async def test_who_gives_a_prompt_up_frees_what_was_published(pair: Pair, after: str) -> None:
    request = to_prefill(pair, prompt(300))
    asked = asyncio.ensure_future(pair.prefill.prefill(request, 10.0))
    if after == "asked":
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait({asked})
    else:
        await asked
        assert pair.kind == "vllm" or await pair.prefill.held(), "vLLM frees what nobody fetched when its own lease is over"
        await pair.prefill.abort(request.handoff_id, request.epoch)
    await pair.free()


async def test_a_slow_reader_loses_its_row_and_nobody_else_waits(any_pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without patience: this model says everything it has to say before the usual tenth of a second is over."""
    monkeypatch.setattr(streams, "PATIENCE_S", 0.0)
    slow = any_pair.decode.decode(to_decode(any_pair, prompt(60), LONG), 10.0)
    begun = asyncio.ensure_future(anext(slow))
    await asyncio.wait({begun})
    _, tokens = await answer(any_pair, to_decode(any_pair, prompt(61)))
    assert len(tokens) == 12
    await any_pair.free()  # without its reader having looked
    with pytest.raises(Overloaded) as caught:
        assert isinstance(begun.result(), Running)  # on a machine that is busy it comes too late for this already
        async for _ in slow:
            pass
    assert caught.value.reason == "READER_TOO_SLOW"


@pytest.mark.parametrize(("length", "reason"), [(0, "PROMPT_EMPTY"), (512, "PROMPT_TOO_LONG"), (5000, "PROMPT_TOO_LONG")])
async def test_prompts_that_no_row_could_hold(any_pair: Pair, length: int, reason: str) -> None:
    tokens = prompt(length)
    asks = [answer(any_pair, to_decode(any_pair, tokens))]
    if any_pair.hands_over:
        asks.append(any_pair.prefill.prefill(to_prefill(any_pair, tokens), 10.0))
    for asked in asks:
        with pytest.raises(InvalidArgument) as caught:
            await asked
        assert caught.value.reason == reason
    await any_pair.free()


async def test_another_model_is_not_answered_for(any_pair: Pair) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        await answer(any_pair, to_decode(any_pair, prompt(20), model_digest=b"x" * 32))
    assert caught.value.reason == "MODEL_UNKNOWN"


async def test_watchers_are_told_what_it_is_and_how_busy(any_pair: Pair) -> None:
    async with asyncio.timeout(60), aclosing(any_pair.feed.watch({})) as news:
        seen: dict[str, set[str]] = {}
        async for each in news:
            seen.setdefault(each.worker_id, set()).add(each.WhichOneof("news"))
            assert each.incarnation
            if all(kinds >= {"description", "event", "load"} for kinds in seen.values()) and any_pair.decode.description.worker_id in seen:
                break
