"""Servers of OpenAI's API behind the port: what each is asked, and that what it says is an answer or a typed error in bounded time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from backends.accelerators import OpenAiRow, parse
from backends.feed import Feed
from backends.openai.engine import OpenAiEngine
from backends.port import Running
from finmesh.inference.v1.decode_service_pb2 import Emitted, ReserveRequest, Tokens
from finmesh.inference.v1.generation_pb2 import (
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    Bounds,
    ChoiceFinished,
    Grammar,
    Sampling,
    Token,
    UsageFacts,
)
from finmesh.inference.v1.worker_pb2 import WORKER_ROLE_GENERATE, WORKER_STATE_ISOLATED, WORKER_STATE_READY
from meshkit.errors import FailedPrecondition, InvalidArgument, MeshError, NotFound, Overloaded, Unavailable

from tests.component.backends.asking import DIGEST, PROMPT, events_of, request, until
from tests.openai_server import MODEL, Call, OpenAiServer, openai_server
from tests.scripted_engine import token_of

TEXT = "谁可以批准这笔交易?"


def row(url: str, **changes: Any) -> OpenAiRow:
    fields = {
        "name": "foreign-0",
        "kind": "openai",
        "url": url,
        "roles": ["generate"],
        "vendor": "acme",
        "device": "npu",
        "model": "千问",
        "model_digest": DIGEST.hex(),
        "rows": 4,
        "max_len_tokens": 512,
        "zone": "local",
        "highest_grade": "L3",
        "rated_power_w": 100,
        "options": {"served_model": MODEL, "first_s": 2, "between_s": 0.5},
    } | changes
    found = parse(json.dumps({"version": "1", "accelerators": [fields]}).encode()).rows[0]
    assert isinstance(found, OpenAiRow)
    return found


@asynccontextmanager
async def behind(server: OpenAiServer, buffer_tokens: int = 512, is_ready: bool = True, **changes: Any) -> AsyncIterator[OpenAiEngine]:
    made = row(server.url, **changes)
    engine = OpenAiEngine(made, made.options, buffer_tokens=buffer_tokens)
    engine.watch(Feed(asyncio.Event()))
    running = asyncio.create_task(engine.run())
    try:
        async with asyncio.timeout(10):
            while is_ready and engine.load.state != WORKER_STATE_READY:
                await asyncio.sleep(0.01)
        server.asked.clear()
        yield engine
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def tokens_of(events: list[Any]) -> list[Token]:
    return [token for event in events if isinstance(event, Tokens) for token in event.tokens]


async def test_an_answer_by_ids_in_order_and_with_its_usage() -> None:
    async with openai_server() as server, behind(server) as engine:
        events = await events_of(engine)
        description = engine.description
        (asked,) = server.asked
        assert await engine.held() == []
    assert description is not None and description.role == WORKER_ROLE_GENERATE
    assert (description.worker_id, description.model, description.kind, description.takes_text) == ("foreign-0", "千问", "openai", False)
    assert isinstance(events[0], Running) and events[0].committed.incarnation == description.incarnation
    assert [(token.index, token.token_id, token.is_text_only) for token in tokens_of(events)] == [
        (index, token_of(PROMPT, index), False) for index in range(6)
    ]
    *_, finished, usage = events
    assert isinstance(finished, ChoiceFinished) and isinstance(usage, UsageFacts)
    assert (finished.reason, finished.output_tokens) == (FINISH_REASON_LENGTH, 6)
    assert (usage.prompt_tokens, usage.output_tokens, usage.cached_tokens, usage.accelerator) == (20, 6, 2, "acme/npu")
    assert usage.energy_j == pytest.approx(usage.busy_ms / 1000 * 100) and not usage.energy_measured
    assert (asked["prompt"], asked["model"], asked["temperature"], asked["return_token_ids"]) == (PROMPT, MODEL, 0, True)
    assert "seed" not in asked and "top_k" not in asked


async def test_what_sampling_asks_for_is_asked_of_the_server() -> None:
    how = Sampling(choices=2, temperature=0.7, top_p=0.9, top_k=40, seed=(1 << 64) - 1, logprobs=True, top_logprobs=2)
    async with openai_server() as server, behind(server) as engine:
        asked = request(
            sampling=how, grammar=Grammar(json_schema='{"type": "object"}'), bounds=Bounds(max_output_tokens=3, ignore_end=True)
        )
        events = await events_of(engine, asked)
        first, second = sorted(server.asked, key=lambda each: -each["seed"])
    assert first | {"seed": 0} == second | {"seed": 0}
    assert (first["seed"], second["seed"]) == ((1 << 63) - 1, 0), "a choice is a seed of its own"
    assert (first["top_k"], first["ignore_eos"], first["structured_outputs"]) == (40, True, {"json": {"type": "object"}})
    assert (first["temperature"], first["top_p"]) == (pytest.approx(0.7), pytest.approx(0.9))
    for choice in (0, 1):
        told = [token for token in tokens_of(events) if token.choice == choice]
        assert [token.index for token in told] == [0, 1, 2]
        assert [(each.token_id, each.logprob) for each in told[0].top] == [(told[0].token_id, -0.25), (3, -1.5)]
    assert events[-1].output_tokens == 6 and events[-1].prompt_tokens == 20
    assert sum(isinstance(event, ChoiceFinished) for event in events) == 2


@pytest.mark.parametrize(
    ("dialect", "options", "changes", "lacking"),
    [
        ("someone", {}, {"sampling": Sampling(choices=1, temperature=1, top_k=4)}, "TOP_K"),
        ("someone", {}, {"sampling": Sampling(choices=1, logprobs=True)}, "LOGPROBS"),
        ("llamacpp", {}, {"sampling": Sampling(choices=1, top_logprobs=3)}, "LOGPROBS"),
        ("someone", {}, {"grammar": Grammar(json_schema="{}")}, "GRAMMAR"),
        ("someone", {}, {"bounds": Bounds(max_output_tokens=3, ignore_end=True)}, "IGNORE_END"),
        ("vllm", {"lacks": ["SEED"]}, {"sampling": Sampling(choices=1, temperature=1, seed=3)}, "SEED"),
        ("vllm", {"lacks": ["CHOICES"]}, {"sampling": Sampling(choices=2)}, "CHOICES"),
        ("vllm", {}, {"ticket": b"ticket"}, "HANDOFF"),
        ("vllm", {}, {"grammar": Grammar(json_schema="{}"), "emitted": [Emitted(choice=0, token_ids=[1])]}, "GRAMMAR_REPLAY"),
        ("vllm", {}, {"emitted": [Emitted(choice=0, text="说".encode(), text_tokens=1)]}, "TEXT_REPLAY"),
        ("text", {}, {}, "TOKEN_IDS"),
        ("text", {}, {"prompt_text": TEXT, "emitted": [Emitted(choice=0, token_ids=[1])]}, "TOKEN_REPLAY"),
    ],
)
async def test_what_it_can_not_do_is_refused_by_name_before_any_work(
    dialect: str, options: dict[str, Any], changes: dict[str, Any], lacking: str
) -> None:
    async with openai_server(dialect=dialect) as server, behind(server, options={"served_model": MODEL, **options}) as engine:
        with pytest.raises(FailedPrecondition) as caught:
            await events_of(engine, request(**changes))
        assert caught.value.reason == f"ENGINE_LACKS_{lacking}"
        assert not server.asked and await engine.held() == []


@pytest.mark.parametrize("dialect", ["llamacpp", "someone", "text"])
async def test_a_server_that_tells_no_ids_answers_by_text(dialect: str) -> None:
    async with openai_server(dialect=dialect) as server, behind(server) as engine:
        is_text = dialect == "text"
        assert engine.description is not None and engine.description.takes_text is is_text
        events = await events_of(engine, request(prompt_text=TEXT if is_text else ""))
        (asked,) = server.asked
    prompt = [ord(each) for each in TEXT] if is_text else PROMPT
    assert asked["prompt"] == (TEXT if is_text else PROMPT)
    assert [(token.index, token.text.decode(), token.is_text_only) for token in tokens_of(events)] == [
        (index, chr(token_of(prompt, index) + 0x4E00), True) for index in range(6)
    ]
    assert events[-1].output_tokens == 6


async def test_a_text_answer_counts_as_the_server_counts() -> None:
    async def in_one_piece(call: Call) -> None:
        await call.head()
        await call.event({"choices": [{"index": 0, "text": "可以批准", "finish_reason": "stop"}]})
        await call.event(server.usage(len(PROMPT), 5))
        await call.event(b"[DONE]")

    async with openai_server(dialect="llamacpp") as server, behind(server) as engine:
        server.answering = in_one_piece
        *_, finished, usage = await events_of(engine)
    assert (finished.reason, finished.output_tokens, usage.output_tokens) == (FINISH_REASON_STOP, 5, 5)


async def test_a_replay_goes_on_behind_what_was_told() -> None:
    said = [token_of(PROMPT, 0), token_of(PROMPT, 1)]
    async with openai_server() as server, behind(server) as engine:
        events = await events_of(engine, request(emitted=[Emitted(choice=0, token_ids=said)]))
        assert server.asked[0]["prompt"] == [*PROMPT, *said] and server.asked[0]["max_tokens"] == 4
        assert [token.index for token in tokens_of(events)] == [2, 3, 4, 5]
        assert events[-2].output_tokens == 6 and events[-1].output_tokens == 4
        full = await events_of(engine, request(most=2, emitted=[Emitted(choice=0, token_ids=said)]))
        assert (full[-2].reason, full[-1].output_tokens) == (FINISH_REASON_LENGTH, 0)
        two = request(sampling=Sampling(choices=2), emitted=[Emitted(choice=1, token_ids=said)], ended_choices=[0])
        assert {token.choice for token in tokens_of(await events_of(engine, two))} == {1}
    async with openai_server(dialect="text") as server, behind(server) as engine:
        emitted = Emitted(choice=0, text="可以".encode(), text_tokens=2)
        events = await events_of(engine, request(prompt_text=TEXT, emitted=[emitted]))
        assert server.asked[0]["prompt"] == TEXT + "可以"
        assert [token.index for token in tokens_of(events)] == [2, 3, 4, 5]
        half = Emitted(choice=0, text="可".encode()[:2], text_tokens=1)
        with pytest.raises(FailedPrecondition) as caught:
            await events_of(engine, request(prompt_text=TEXT, emitted=[half]))
        assert caught.value.reason == "ENGINE_LACKS_TEXT_REPLAY"


HONEST = {"model": MODEL, "choices": [{"index": 0, "text": "x", "token_ids": [7], "finish_reason": None}]}
END = {"model": MODEL, "choices": [{"index": 0, "text": "", "token_ids": [], "finish_reason": "stop"}]}


def choice(**changes: Any) -> dict[str, Any]:
    return {"model": MODEL, "choices": [{"index": 0, "text": "x", "token_ids": [7], "finish_reason": None} | changes]}


def usage(prompt: object, output: object) -> dict[str, Any]:
    return {"model": MODEL, "choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": output}}


SAYS: list[tuple[str, list[object], str]] = [
    ("no end", [HONEST], "ENGINE_LOST"),
    ("no done", [HONEST, END, usage(20, 1)], "ENGINE_LOST"),
    ("done alone", [b"[DONE]"], "ENGINE_PROTOCOL"),
    ("no reason", [HONEST, b"[DONE]"], "ENGINE_PROTOCOL"),
    ("error in 200", [HONEST, {"error": {"message": "secret prompt"}}, b"[DONE]"], "ENGINE_FAILED"),
    ("garbage", [b"\xff\xfe{{{"], "ENGINE_PROTOCOL"),
    ("no object", [b"[1]"], "ENGINE_PROTOCOL"),
    ("deep", [b"[" * 100_000], "ENGINE_PROTOCOL"),
    ("not a number", [b'{"choices": [], "usage": {"prompt_tokens": NaN}}'], "ENGINE_PROTOCOL"),
    ("wrong model", [choice() | {"model": "cheaper"}], "ENGINE_MODEL_OTHER"),
    ("no choices", [{"model": MODEL}], "ENGINE_PROTOCOL"),
    ("two choices", [{"model": MODEL, "choices": [{}, {}]}], "ENGINE_PROTOCOL"),
    ("another choice", [choice(index=1)], "ENGINE_PROTOCOL"),
    ("choice is none", [{"model": MODEL, "choices": ["x"]}], "ENGINE_PROTOCOL"),
    ("text is none", [choice(text=7)], "ENGINE_PROTOCOL"),
    ("no ids", [choice(token_ids=None)], "ENGINE_PROTOCOL"),
    ("ids are texts", [choice(token_ids=["7"])], "ENGINE_PROTOCOL"),
    ("ids are true", [choice(token_ids=[True])], "ENGINE_PROTOCOL"),
    ("negative id", [choice(token_ids=[-1])], "ENGINE_PROTOCOL"),
    ("huge id", [choice(token_ids=[1 << 40])], "ENGINE_PROTOCOL"),
    ("too many tokens", [choice(token_ids=[7] * 7)], "ENGINE_PROTOCOL"),
    ("aborted", [choice(finish_reason="abort")], "ENGINE_FAILED"),
    ("reason is none", [choice(finish_reason=[])], "ENGINE_FAILED"),
    ("goes on", [HONEST, END, HONEST, b"[DONE]"], "ENGINE_PROTOCOL"),
    ("another prompt", [HONEST, END, usage(3, 1), b"[DONE]"], "ENGINE_PROMPT_OTHER"),
    ("more than told", [HONEST, END, usage(20, 5), b"[DONE]"], "ENGINE_PROTOCOL"),
    ("less than told", [HONEST, END, usage(20, 0), b"[DONE]"], "ENGINE_PROTOCOL"),
    ("usage is negative", [HONEST, END, usage(20, -1), b"[DONE]"], "ENGINE_PROTOCOL"),
    ("usage is a text", [HONEST, END, usage("20", 1), b"[DONE]"], "ENGINE_PROTOCOL"),
    ("usage is a list", [HONEST | {"usage": []}], "ENGINE_PROTOCOL"),
]


@pytest.mark.parametrize(("says", "reason"), [(says, reason) for _, says, reason in SAYS], ids=[name for name, *_ in SAYS])
async def test_a_server_that_says_what_it_must_not_is_unavailable(says: list[object], reason: str) -> None:
    async def answering(call: Call) -> None:
        await call.head()
        for each in says:
            await call.event(each)

    async with openai_server(answering=answering) as server, behind(server) as engine:
        with pytest.raises(Unavailable) as caught:
            await events_of(engine)
        assert caught.value.reason == reason
        assert "secret" not in caught.value.message
        await until(lambda: not server.running)
        assert await engine.held() == []
        server.answering = None
        assert len(tokens_of(await events_of(engine))) == 6, "the next answer is none the worse"


async def _endless_line(call: Call) -> None:
    await call.head()
    while True:
        await call.raw(b"data: " + b"x" * 65536)


async def _endless_event(call: Call) -> None:
    await call.head()
    while True:
        await call.raw(b"data: " + b"x" * 4096 + b"\n")


async def _endless_comments(call: Call) -> None:
    await call.head()
    while True:
        await call.raw(b": still here\n\n")
        await asyncio.sleep(0.01)


async def _empty_pieces(call: Call) -> None:
    await call.head()
    while True:
        await call.event(choice(text="", token_ids=[]))
        await asyncio.sleep(0.01)


async def _drips(call: Call) -> None:
    await call.head()
    for each in b"data: " + json.dumps(HONEST).encode() + b"\n\n":
        await call.raw(bytes([each]))
        await asyncio.sleep(0.1)


async def _silent_behind_the_first(call: Call) -> None:
    await call.head()
    await call.event(HONEST)
    await asyncio.Event().wait()


async def _says_nothing(call: Call) -> None:
    await asyncio.Event().wait()


async def _cut(call: Call) -> None:
    await call.head()
    await call.event(HONEST)
    call.writer.transport.abort()


async def _short_of_its_length(call: Call) -> None:
    await call.head(content_length="10000")
    await call.event(HONEST)


async def _packed(call: Call) -> None:
    await call.head(content_encoding="gzip")
    await call.raw(b"\x1f\x8b" + b"\0" * 1000)


async def _redirects(call: Call) -> None:
    await call.head(307, location="http://127.0.0.1:1/elsewhere")


async def _json_in_200(call: Call) -> None:
    await call.json({"error": {"message": "no"}})


async def _no_http(call: Call) -> None:
    await call.raw(b"SSH-2.0-x\r\n\r\n")


async def _huge_header(call: Call) -> None:
    await call.raw(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(OSError):  # it hangs up
        while True:
            await call.raw(b"x: " + b"y" * 65536 + b"\r\n")


@pytest.mark.parametrize(
    ("answering", "reason"),
    [
        (_endless_line, "ENGINE_PROTOCOL"),
        (_endless_event, "ENGINE_PROTOCOL"),
        (_endless_comments, "ENGINE_SILENT"),
        (_empty_pieces, "ENGINE_SILENT"),
        (_drips, "ENGINE_SILENT"),
        (_silent_behind_the_first, "ENGINE_SILENT"),
        (_says_nothing, "ENGINE_SILENT"),
        (_cut, "ENGINE_LOST"),
        (_short_of_its_length, "ENGINE_LOST"),
        (_packed, "ENGINE_PROTOCOL"),
        (_redirects, "ENGINE_REDIRECTS"),
        (_json_in_200, "ENGINE_PROTOCOL"),
        (_no_http, "ENGINE_LOST"),
        (_huge_header, "ENGINE_LOST"),
    ],
)
async def test_a_server_that_behaves_badly_is_unavailable_in_bounded_time(answering: Any, reason: str) -> None:
    async with (
        openai_server(answering=answering) as server,
        behind(server, options={"served_model": MODEL, "first_s": 0.6, "between_s": 0.3}) as engine,
        asyncio.timeout(10),
    ):
        with pytest.raises(Unavailable) as caught:
            await events_of(engine)
        assert caught.value.reason == reason
        await until(lambda: not server.running)
        assert await engine.held() == []


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (400, FailedPrecondition, "ENGINE_LACKS_REQUEST_FORM"),
        (422, FailedPrecondition, "ENGINE_LACKS_REQUEST_FORM"),
        (401, Unavailable, "ENGINE_DENIES"),
        (404, Unavailable, "ENGINE_MODEL_GONE"),
        (429, Overloaded, "OVERLOADED"),
        (503, Overloaded, "OVERLOADED"),
        (500, Unavailable, "ENGINE_FAILED"),
    ],
)
async def test_a_status_is_what_can_be_done_about_it(status: int, kind: type[MeshError], reason: str) -> None:
    async def answering(call: Call) -> None:
        await call.json({"error": {"message": "the prompt was: 机密"}}, status, retry_after="9999999")

    async with openai_server(answering=answering) as server, behind(server) as engine:
        with pytest.raises(kind) as caught:
            await events_of(engine)
    assert caught.value.reason == reason and "机密" not in caught.value.message
    assert (caught.value.retry_after_s or 0) <= 30


async def test_who_stops_reading_ends_the_work_there() -> None:
    async with openai_server(pace_s=0.02) as server, behind(server) as engine:
        async with aclosing(engine.decode(request(most=400), 10.0)) as events:
            async for event in events:
                if isinstance(event, Tokens):
                    break
        await until(lambda: server.broken_off == 1 and not server.running)
        assert await engine.held() == []


async def test_rows_are_bounded_and_come_back() -> None:
    async with openai_server() as server, behind(server) as engine:
        ask = ReserveRequest(model_digest=DIGEST, prompt_tokens=9, choices=2, ttl_ms=60_000)
        for each in ("a", "b"):
            await engine.reserve(each, ask)
        with pytest.raises(Overloaded):
            await events_of(engine)
        await events_of(engine, request(reservation_id="a", sampling=Sampling(choices=2)))
        with pytest.raises(NotFound):
            await events_of(engine, request(reservation_id="a"))
        await engine.release("b")
        assert await engine.held() == []
        await engine.reserve("short", ReserveRequest(prompt_tokens=9, choices=4, ttl_ms=1))
        await until(lambda: not engine._rooms.used)
        with pytest.raises(NotFound):
            await engine.renew("short", 1000)


async def test_what_is_no_request_to_it_never_reaches_it() -> None:
    async with openai_server() as server, behind(server) as engine:
        for changes, kind, reason in (
            ({"model_digest": b"x" * 32}, FailedPrecondition, "MODEL_UNKNOWN"),
            ({"grade": 4}, FailedPrecondition, "GRADE_NOT_ALLOWED"),
            ({"prompt_tokens": []}, InvalidArgument, "PROMPT_EMPTY"),
            ({"prompt_tokens": [1] * 512}, InvalidArgument, "PROMPT_TOO_LONG"),
            ({"prompt_tokens": [1] * 510}, InvalidArgument, "PROMPT_TOO_LONG"),
        ):
            with pytest.raises(kind) as caught:
                await events_of(engine, request(**changes))  # type: ignore[arg-type]
            assert caught.value.reason == reason
        assert not server.asked


async def test_it_is_isolated_when_it_dies_and_another_when_it_is_back() -> None:
    async with openai_server() as server, behind(server) as engine:
        assert engine.description is not None
        before = engine.description.incarnation
        await engine.reserve("old", ReserveRequest(prompt_tokens=9, choices=1, ttl_ms=60_000))
        await server.stop()
        with pytest.raises(Unavailable) as caught:
            await events_of(engine)
        assert caught.value.reason == "ENGINE_LOST"
        await until(lambda: engine.load.state == WORKER_STATE_ISOLATED)
        assert engine.load.reason == "ENGINE_LOST"
        await server.start()
        await until(lambda: engine.load.state == WORKER_STATE_READY)
        assert engine.description.incarnation != before and await engine.held() == []
        assert len(tokens_of(await events_of(engine))) == 6


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        ({"model": "other"}, "ENGINE_MODEL_GONE"),
        ({"token": "right"}, "ENGINE_DENIES"),
    ],
)
async def test_a_server_that_does_not_serve_the_row_is_never_ready(listed: dict[str, Any], reason: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("wrong")
    async with openai_server(**listed) as server, behind(server, is_ready=False, token_file=str(token)) as engine:
        await until(lambda: engine.load.reason == reason)
        assert engine.description is None
        if "token" in listed:
            token.write_text("right\n")
            await until(lambda: engine.load.state == WORKER_STATE_READY)


async def test_queue_and_use_are_the_servers_own_words_where_it_has_some() -> None:
    metrics = (
        "# TYPE vllm:num_requests_waiting gauge\n"
        'vllm:num_requests_waiting{model_name="a"} 3.0\nvllm:num_requests_waiting{model_name="b"} 2.0 1700000000\n'
        'vllm:kv_cache_usage_perc{engine="0"} 0.25\nvllm:kv_cache_usage_perc NaN\nvllm:num_requests_running junk\nno line\n'
    )
    async with openai_server(metrics=metrics) as server, behind(server) as engine:
        await until(lambda: engine.load.queued == 5)
        assert engine.load.kv_usage == 0.25
    async with openai_server() as server, behind(server) as engine:
        await engine.reserve("a", ReserveRequest(prompt_tokens=9, choices=1, ttl_ms=60_000))
        assert (engine.load.queued, engine.load.kv_usage, engine.load.rows_used) == (0, 0.25, 1)


async def test_what_it_measures() -> None:
    async with openai_server(pace_s=0.01) as server, behind(server) as engine:
        await events_of(engine, request(most=20))
        load = engine.load
    assert load.steps == 20 and load.step_ms >= 9
    assert load.output_tokens_per_s > 0 and load.prefill_tokens_per_s > 0 and 0 < load.utilisation <= 1
