"""Servers of the Open Inference Protocol behind the port: the mapping against the model's own word, answers, and whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from backends.accelerators import OipRow, parse
from backends.feed import Feed
from backends.oip.engine import OipEngine
from finmesh.inference.v1.decode_service_pb2 import Emitted, Tokens
from finmesh.inference.v1.generation_pb2 import FINISH_REASON_LENGTH, FINISH_REASON_STOP, Bounds, ChoiceFinished, Grammar, Sampling
from finmesh.inference.v1.worker_pb2 import WORKER_STATE_ISOLATED, WORKER_STATE_READY
from meshkit.errors import FailedPrecondition, Unavailable
from tritonclient.grpc import service_pb2 as pb

from tests.component.backends.asking import DIGEST, PROMPT, events_of, request, until
from tests.oip_server import INPUTS, OUTPUTS, OipServer, Send, oip_server, text
from tests.scripted_engine import token_of

OPTIONS = {
    "served_model": "llm",
    "input_ids": "IDS",
    "max_tokens": "MAX",
    "temperature": "TEMP",
    "seed": "SEED",
    "output_ids": "OUT",
    "finish": "FINISH",
    "first_s": 2,
    "between_s": 0.5,
}


def row(url: str, **options: Any) -> OipRow:
    fields = {
        "name": "ascend-0",
        "kind": "oip",
        "url": url,
        "roles": ["generate"],
        "vendor": "huawei",
        "device": "昇腾910B",
        "model": "pangu",
        "model_digest": DIGEST.hex(),
        "rows": 4,
        "max_len_tokens": 512,
        "zone": "local",
        "highest_grade": "L3",
        "options": {name: value for name, value in (OPTIONS | options).items() if value is not None},
    }
    found = parse(json.dumps({"version": "1", "accelerators": [fields]}).encode()).rows[0]
    assert isinstance(found, OipRow)
    return found


@asynccontextmanager
async def behind(server: OipServer, is_ready: bool = True, **options: Any) -> AsyncIterator[OipEngine]:
    made = row(server.url, **options)
    engine = OipEngine(made, made.options)
    engine.watch(Feed(asyncio.Event()))
    running = asyncio.create_task(engine.run())
    try:
        await until(lambda: not is_ready or engine.load.state == WORKER_STATE_READY)
        yield engine
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def tokens_of(events: list[Any]) -> list[tuple[int, int, int]]:
    return [(token.choice, token.index, token.token_id) for event in events if isinstance(event, Tokens) for token in event.tokens]


@pytest.mark.parametrize("options", [{}, {"cancel": True}, {"decoupled": False}], ids=["one stream", "a stream each", "at once"])
async def test_an_answer_comes_in_order_with_its_end_and_usage(options: dict[str, Any]) -> None:
    async with oip_server() as server, behind(server, **options) as engine:
        first, second = await asyncio.gather(events_of(engine), events_of(engine, request(prompt_tokens=PROMPT[::-1])))
        assert await engine.held() == []
        assert server.streams == {"cancel": 2, "decoupled": 0}.get(next(iter(options), ""), 1)
        assert server.cancelled == 0
    assert tokens_of(first) == [(0, index, token_of(PROMPT, index)) for index in range(6)]
    assert tokens_of(second) == [(0, index, token_of(PROMPT[::-1], index)) for index in range(6)]
    assert (first[-2].reason, first[-1].prompt_tokens, first[-1].output_tokens) == (FINISH_REASON_LENGTH, 20, 6)
    assert first[-1].accelerator == "huawei/昇腾910B"


async def test_sampling_choices_and_what_was_emitted_go_into_the_tensors() -> None:
    how = Sampling(choices=2, temperature=0.5, seed=7)
    said = [token_of(PROMPT, 0)]
    async with oip_server() as server, behind(server) as engine:
        events = await events_of(engine, request(sampling=how, emitted=[Emitted(choice=1, token_ids=said)]))
        values = sorted((server.values(each) for each in server.asked), key=lambda each: each["SEED"])
    assert values[0] == {"IDS": PROMPT, "MAX": [6], "TEMP": [0.5], "SEED": [7]}
    assert values[1] == {"IDS": [*PROMPT, *said], "MAX": [5], "TEMP": [0.5], "SEED": [8]}
    assert sorted(tokens_of(events))[6:] == [(1, index + 1, token_of([*PROMPT, *said], index)) for index in range(5)]
    assert {event.choice: event.output_tokens for event in events if isinstance(event, ChoiceFinished)} == {0: 6, 1: 6}


@pytest.mark.parametrize(
    ("options", "inputs", "said"),
    [
        ({"input_ids": "IDZ"}, {}, "input_ids: the model has no input IDZ"),
        ({"output_ids": "OUTZ"}, {}, "output_ids: the model has no output OUTZ"),
        ({}, {"IDS": ("FP32", [-1])}, "input_ids: IDS is FP32"),
        ({}, {"IDS": ("INT64", [-1, -1])}, "input_ids: IDS has 2 dimensions"),
        ({}, {"IDS": ("INT64", [16])}, "input_ids: IDS has room for 16"),
        ({}, {"MAX": ("INT32", [3])}, "max_tokens: MAX has 3 elements"),
        ({}, {"MASK": ("INT64", [-1])}, "the model wants an input MASK"),
        ({"batch": True}, {}, "IDS has 1 dimensions, and must have 2"),
        ({"finish": "OUT", "output_ids": "FINISH"}, {}, "output_ids: FINISH is BYTES"),
    ],
)
async def test_a_mapping_that_does_not_fit_is_never_ready_and_says_why(
    options: dict[str, Any], inputs: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with oip_server(inputs=INPUTS | inputs) as server, behind(server, is_ready=False, **options) as engine:
        await until(lambda: engine.load.reason == "MAPPING_WRONG")
        assert engine.description is None
    (facts,) = [record.facts for record in caplog.records if hasattr(record, "facts") and record.facts.get("reason") == "MAPPING_WRONG"]
    assert said in facts["why"] and facts["worker"] == "ascend-0"


async def test_what_has_no_tensor_is_refused_by_name() -> None:
    inputs = {name: each for name, each in INPUTS.items() if name in ("IDS", "MAX")}
    async with oip_server(inputs=inputs) as server, behind(server, temperature=None, seed=None) as engine:
        for changes, what in (
            ({"sampling": Sampling(temperature=1)}, "TEMPERATURE"),
            ({"sampling": Sampling(logprobs=True)}, "LOGPROBS"),
            ({"grammar": Grammar(json_schema="{}")}, "GRAMMAR"),
            ({"bounds": Bounds(max_output_tokens=2, ignore_end=True)}, "IGNORE_END"),
            ({"emitted": [Emitted(text=b"x", text_tokens=1)]}, "TEXT_REPLAY"),
        ):
            with pytest.raises(FailedPrecondition) as caught:
                await events_of(engine, request(**changes))  # type: ignore[arg-type]
            assert caught.value.reason == f"ENGINE_LACKS_{what}"
        assert not server.asked
        assert len(tokens_of(await events_of(engine))) == 6


async def test_a_model_of_text_takes_text_and_tells_text() -> None:
    prompt = "谁可以批准?"

    async def answering(request: Any, send: Send) -> None:
        assert server.values(request)["IDS"] == prompt + "经"
        for piece in ("理".encode(), b""):
            answer = pb.ModelInferResponse(id=request.id)
            answer.outputs.add(name="OUT", datatype="BYTES", shape=[1])
            answer.raw_output_contents.append(text(piece))
            await send(pb.ModelStreamInferResponse(infer_response=answer))
        await send(server.final(request))

    texts = {"inputs": {"IDS": ("BYTES", [1]), "MAX": ("INT32", [1])}, "outputs": {"OUT": ("BYTES", [1])}}
    options = {"input_ids": None, "input_text": "IDS", "output_ids": None, "output_text": "OUT"} | dict.fromkeys(
        ("temperature", "seed", "finish")
    )
    async with oip_server(answering=answering, **texts) as server, behind(server, **options) as engine:
        assert engine.description is not None and engine.description.takes_text
        emitted = Emitted(text="经".encode(), text_tokens=1)
        events = await events_of(engine, request(prompt_text=prompt, emitted=[emitted]))
        with pytest.raises(FailedPrecondition) as caught:
            await events_of(engine)
    (tokens,) = [event for event in events if isinstance(event, Tokens)]
    assert [(token.text.decode(), token.index, token.is_text_only) for token in tokens.tokens] == [("理", 1, True)]
    assert events[-2].reason == FINISH_REASON_STOP
    assert caught.value.reason == "ENGINE_LACKS_TOKEN_IDS"


async def _error(request: Any, send: Send) -> None:
    await send(pb.ModelStreamInferResponse(error_message="secret prompt", infer_response=pb.ModelInferResponse(id=request.id)))


async def _error_of_nobody(request: Any, send: Send) -> None:
    await send(pb.ModelStreamInferResponse(error_message="secret prompt"))


async def _half_an_element(request: Any, send: Send) -> None:
    wrong = OipServer.response(request, [7], b"")
    wrong.infer_response.raw_output_contents[0] = b"xyz"
    await send(wrong)
    await send(OipServer.final(request))


async def _other_type(request: Any, send: Send) -> None:
    wrong = OipServer.response(request, [7], b"")
    wrong.infer_response.outputs[0].datatype = "FP32"
    await send(wrong)
    await send(OipServer.final(request))


async def _cut_off_text(request: Any, send: Send) -> None:
    wrong = OipServer.response(request, [7], b"")
    wrong.infer_response.raw_output_contents[1] = b"\xff\xff\xff\x7f"
    await send(wrong)
    await send(OipServer.final(request))


def _says(*pieces: tuple[list[int], bytes]) -> Any:
    async def answering(request: Any, send: Send) -> None:
        for ids, finish in pieces:
            await send(OipServer.response(request, ids, finish))
        await send(OipServer.final(request))

    return answering


async def _nothing(request: Any, send: Send) -> None:
    await asyncio.sleep(1.0)
    await send(OipServer.final(request))


async def _silent_behind_the_first(request: Any, send: Send) -> None:
    await send(OipServer.response(request, [7], b""))
    await _nothing(request, send)


@pytest.mark.parametrize("cancel", [False, True])
@pytest.mark.parametrize(
    ("answering", "reason"),
    [
        (_error, "ENGINE_FAILED"),
        (_error_of_nobody, "ENGINE_FAILED"),
        (_half_an_element, "ENGINE_PROTOCOL"),
        (_other_type, "ENGINE_PROTOCOL"),
        (_cut_off_text, "ENGINE_PROTOCOL"),
        (_says(([7] * 7, b"length")), "ENGINE_PROTOCOL"),
        (_says(([-1], b"stop")), "ENGINE_PROTOCOL"),
        (_says(([7], b"stop"), ([7], b"")), "ENGINE_PROTOCOL"),
        (_says(([7], b"")), "ENGINE_PROTOCOL"),
        (_says(([7], "出错".encode())), "ENGINE_FAILED"),
        (_says(), "ENGINE_PROTOCOL"),
        (_nothing, "ENGINE_SILENT"),
        (_silent_behind_the_first, "ENGINE_SILENT"),
    ],
)
async def test_what_must_not_be_said_is_unavailable_and_the_next_is_none_the_worse(answering: Any, reason: str, cancel: bool) -> None:
    async with oip_server(answering=answering) as server, behind(server, cancel=cancel, first_s=0.4, between_s=0.4) as engine:
        with pytest.raises(Unavailable) as caught:
            await events_of(engine)
        assert caught.value.reason == reason and "secret" not in caught.value.message
        if reason == "ENGINE_SILENT" and not cancel:
            assert engine.load.rows_used == 1, "its row is taken as long as it may still be at work there"
        await until(lambda: not server.running and not engine._rooms.used)
        server.answering = None
        assert len(tokens_of(await events_of(engine))) == 6
        assert cancel or (server.streams == 1 and not server.cancelled)


async def test_who_stops_reading_cancels_nothing_and_its_row_is_taken_to_the_end() -> None:
    async with oip_server(pace_s=0.02) as server, behind(server) as engine:
        async with aclosing(engine.decode(request(most=20), 10.0)) as events:
            async for event in events:
                if isinstance(event, Tokens):
                    break
        assert engine.load.rows_used == 1 and server.running == 1
        await until(lambda: not engine._rooms.used)
        assert (server.cancelled, server.streams, server.running) == (0, 1, 0)


async def test_where_the_row_says_so_the_work_ends_with_its_reader() -> None:
    async with oip_server(pace_s=0.02) as server, behind(server, cancel=True) as engine:
        async with aclosing(engine.decode(request(most=400), 10.0)) as events:
            async for event in events:
                if isinstance(event, Tokens):
                    break
        await until(lambda: server.cancelled == 1 and not engine._rooms.used)


async def test_it_is_isolated_when_it_dies_and_back_as_another() -> None:
    async with oip_server(pace_s=0.05) as server, behind(server) as engine:
        assert engine.description is not None
        before = engine.description.incarnation
        running = asyncio.create_task(events_of(engine, request(most=100)))
        await until(lambda: server.running)
        await server.stop()
        with pytest.raises(Unavailable) as caught:
            await running
        assert caught.value.reason == "ENGINE_LOST"
        await until(lambda: engine.load.state == WORKER_STATE_ISOLATED)
        await server.start()
        await until(lambda: engine.load.state == WORKER_STATE_READY)
        assert engine.description.incarnation != before
        assert len(tokens_of(await events_of(engine))) == 6


async def test_a_model_that_is_not_ready_takes_no_work() -> None:
    async with oip_server(is_ready=False) as server, behind(server, is_ready=False) as engine:
        await until(lambda: engine.load.reason == "ENGINE_MODEL_GONE")
        server.is_ready = True
        await until(lambda: engine.load.state == WORKER_STATE_READY)


async def test_typed_contents_are_read_as_raw_ones() -> None:
    async def answering(request: Any, send: Send) -> None:
        answer = pb.ModelInferResponse(id=request.id)
        answer.outputs.add(name="OUT", datatype="INT32", shape=[2]).contents.int_contents.extend([3, 4])
        answer.outputs.add(name="FINISH", datatype="BYTES", shape=[1]).contents.bytes_contents.append(b"stop")
        await send(pb.ModelStreamInferResponse(infer_response=answer))
        await send(OipServer.final(request))

    async with oip_server(answering=answering, outputs=OUTPUTS) as server, behind(server) as engine:
        assert tokens_of(await events_of(engine)) == [(0, 0, 3), (0, 1, 4)]
