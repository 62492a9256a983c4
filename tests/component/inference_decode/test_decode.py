"""Answers over real gRPC: order, ends, frees."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from finmesh.inference.v1 import decode_service_pb2
from meshkit.errors import DeadlineExceeded, NotFound, Overloaded, Unavailable
from meshkit.testing.capture import captured_spans

from tests.scripted_engine import ScriptedEngine

from .conftest import EXPECTED, Bench, started


async def parts_of(bench: Bench, request: decode_service_pb2.DecodeRequest) -> list[decode_service_pb2.DecodeResponse]:
    async with aclosing(bench.decode.Decode(request, timeout=20)) as parts:
        return [part async for part in parts]


async def test_parts_come_in_order(bench: Bench) -> None:
    parts = await parts_of(bench, bench.request())
    kinds = [part.WhichOneof("part") for part in parts]
    assert (kinds[0], kinds[-2:]) == ("committed", ["finished", "ended"])
    assert set(kinds[1:-2]) == {"tokens"}
    assert [token.token_id for part in parts for token in part.tokens.tokens] == EXPECTED[:8]
    assert parts[0].committed.worker_id == bench.engine.worker_id
    assert parts[-1].ended.usage.output_tokens == 8
    await bench.free()


async def test_the_first_token_is_sent_alone_and_later_ones_gather() -> None:
    async with started(ScriptedEngine(pace_s=0.001), hold_ms=2_000) as bench:
        messages = [list(part.tokens.tokens) for part in await parts_of(bench, bench.request(100)) if part.HasField("tokens")]
    assert len(messages) <= 3  # not held: the first; held until the end of the answer: all others
    assert messages[0][0].index == 0
    assert [token.token_id for message in messages for token in message] == EXPECTED[:100]


async def test_a_call_that_is_cancelled_frees_its_row(bench: Bench) -> None:
    held = await bench.reserve()
    bench.engine.pace_s = 0.05
    async with aclosing(bench.decode.Decode(bench.request(400, reservation_id=held.reservation_id), timeout=20)) as parts:
        assert (await anext(parts)).HasField("committed")
        assert len(bench.engine.held_rows()) == 1
    await bench.free()


async def test_a_call_that_ends_before_its_row_runs_gives_the_reservation_back(bench: Bench) -> None:
    held = await bench.reserve()
    bench.engine.gate.clear()
    with pytest.raises(DeadlineExceeded):
        await anext(bench.decode.Decode(bench.request(reservation_id=held.reservation_id), timeout=0.3))
    await bench.free()


async def test_an_engine_that_dies_fails_what_ran_and_is_not_asked_again(bench: Bench) -> None:
    bench.engine.pace_s = 0.05
    with pytest.raises(Unavailable) as caught:
        async with aclosing(bench.decode.Decode(bench.request(400), timeout=20)) as parts:
            async for part in parts:
                if part.HasField("tokens"):
                    bench.engine.fail("ENGINE_DEAD")
    assert caught.value.reason == "ENGINE_DEAD"
    with pytest.raises(Unavailable) as refused:
        await bench.reserve(worker_id=bench.engine.worker_id)
    assert (refused.value.reason, refused.value.metadata["because"]) == ("NO_WORKER", "ENGINE_DEAD")
    async with asyncio.timeout(10):
        while bench.service.state()["state"] != "not-ready":
            await asyncio.sleep(0.02)


async def test_a_reservation_dies_with_its_engines_incarnation(bench: Bench) -> None:
    held = await bench.reserve()
    assert held.incarnation == "first"
    bench.engine.incarnation = "second"
    for asked in (
        bench.decode.RenewReservation(decode_service_pb2.RenewReservationRequest(reservation_id=held.reservation_id, ttl_ms=1_000)),
        parts_of(bench, bench.request(reservation_id=held.reservation_id)),
    ):
        with pytest.raises(NotFound) as caught:
            await asked
        assert caught.value.reason == "RESERVATION_LOST"


async def test_a_reservation_is_over_in_its_time_and_can_be_given_back(bench: Bench) -> None:
    held = await bench.reserve(ttl_ms=1)
    await asyncio.sleep(0.01)
    with pytest.raises(NotFound):
        await parts_of(bench, bench.request(reservation_id=held.reservation_id))
    for reservation_id in ((await bench.reserve()).reservation_id, "never-made"):
        await bench.decode.ReleaseReservation(decode_service_pb2.ReleaseReservationRequest(reservation_id=reservation_id))
    assert (await bench.reserve()).reservation_id in bench.engine.reservations


async def test_a_full_queue_and_a_full_engine_say_when_to_ask_again(bench: Bench) -> None:
    bench.engine.queued = 64
    for asked in (bench.reserve(), parts_of(bench, bench.request())):
        with pytest.raises(Overloaded) as caught:
            await asked
        assert caught.value.retry_after_s
    bench.engine.queued = 0
    await asyncio.gather(*(bench.reserve() for _ in range(bench.engine.rows)))
    with pytest.raises(Overloaded):
        await bench.reserve()


async def test_what_cannot_begin_in_time_is_refused_before_it_is_asked(bench: Bench) -> None:
    bench.engine.prefill_tokens_per_s = 0.1
    with pytest.raises(DeadlineExceeded) as caught:
        await parts_of(bench, bench.request())
    assert caught.value.reason == "DEADLINE_TOO_NEAR"
    assert not bench.engine.asked


async def test_the_span_of_an_answer_has_the_engines_phases_below_it(bench: Bench) -> None:
    with captured_spans() as spans:
        await parts_of(bench, bench.request())
    chat = next(span for span in spans if span.name == "chat scripted")
    assert chat.attributes is not None
    assert chat.attributes["gen_ai.usage.output_tokens"] == 8
    assert chat.attributes["gen_ai.response.finish_reasons"] == "length"
    queue = next(span for span in spans if span.name == "queue")
    assert queue.parent is not None
    assert queue.parent.span_id == chat.context.span_id


async def test_the_end_of_the_process_lets_answers_end(bench: Bench) -> None:
    bench.engine.pace_s = 0.005
    tokens = []
    async with aclosing(bench.decode.Decode(bench.request(60), timeout=20)) as parts:
        async for part in parts:
            tokens += part.tokens.tokens
            if len(tokens) == 1:
                bench.service.stop()
    assert [token.token_id for token in tokens] == EXPECTED[:60]
    with pytest.raises(Unavailable):
        await bench.decode.Reserve(decode_service_pb2.ReserveRequest(), timeout=2)
