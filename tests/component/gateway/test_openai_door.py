"""The HTTP door, driven by the official client over real sockets with mutual TLS."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import openai
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from finmesh.common.v1 import grade_pb2
from finmesh.inference.v1 import generation_pb2 as generation
from finmesh.router.v1 import router_service_pb2 as router
from gateway.domain.call import thumbprint
from meshkit import errors
from meshkit.testing.capture import captured_spans

from tests.component.gateway.conftest import Door, OpenDoor
from tests.component.gateway.openai_clients import TURN, client
from tests.component.gateway.scripted_router import ANSWER, admitted, delta, ended, finished, forever
from tests.component.gateway.test_denials import denied, told

pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")
ALIASES = {"gpt-4o-mini": "smollm2"}


async def test_an_answer_as_the_client_s_own_example_asks_for_it(open_door: OpenDoor) -> None:
    async with open_door(http={"aliases": ALIASES}) as door, client(door) as ai:
        answer = await ai.chat.completions.create(model="gpt-4o-mini", messages=TURN)
    (choice,) = answer.choices
    assert (choice.message.content, choice.message.role, choice.finish_reason) == ("你好，世界", "assistant", "stop")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (12, 3, 15)
    assert (answer.id, answer.model, answer.object) == ("chatcmpl-g-1", "tiny", "chat.completion")
    assert answer._request_id == door.router.facts[0].request_id
    (asked,) = door.router.requests
    assert (asked.tenant, asked.model, asked.grade) == ("bank-a", "smollm2", grade_pb2.DATA_GRADE_L3)
    assert asked.conversation.messages[0] == router.Message(role="user", content=TURN[0]["content"])
    assert door.router.facts[0].scenario == "assistant"


async def test_a_stream_has_every_piece_its_usage_and_an_end(door: Door) -> None:
    async with client(door) as ai:
        stream = await ai.chat.completions.create(model="m", messages=TURN, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == "你好，世界"
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices] == [None, None, "stop"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert not chunks[-1].choices and chunks[-1].usage is not None and chunks[-1].usage.total_tokens == 15
    assert all(chunk.usage is None for chunk in chunks[:-1])


async def test_a_stream_without_options_tells_no_usage(door: Door) -> None:
    async with client(door) as ai:
        stream = await ai.chat.completions.create(model="m", messages=TURN, stream=True)
        assert all(chunk.usage is None and chunk.choices for chunk in [chunk async for chunk in stream])


async def test_several_answers_keep_apart(door: Door) -> None:
    door.router.script = (
        admitted(choices=2), delta("甲", 0), delta("乙", 1), delta("丙", 1), finished(choice=1), delta("丁", 0), finished(choice=0),
        ended(),
    )  # fmt: skip
    async with client(door) as ai:
        answer = await ai.chat.completions.create(model="m", messages=TURN, n=2, seed=-7, temperature=0.5, stop=["。"])
    assert [choice.message.content for choice in answer.choices] == ["甲丁", "乙丙"]
    (asked,) = door.router.requests
    assert (asked.sampling.choices, asked.sampling.seed, asked.seed_set, list(asked.stop)) == (2, 2**64 - 7, True, ["。"])


async def test_logprobs_name_tokens_by_what_they_say(door: Door) -> None:
    """Half a character as well, and what says nothing by its id; and where each begins."""
    halves = [generation.Token(token_id=number, logprob=-0.5, text=half) for number, half in ((1, b"\xe4\xbd"), (2, b"\xa0"))]
    top = [generation.TokenLogprob(token_id=3, logprob=-0.25, text="好".encode()), generation.TokenLogprob(token_id=9, logprob=-math.inf)]
    last = generation.Token(token_id=3, logprob=-0.25, text="好".encode(), top=top)
    said = [router.Delta(text="你", logprobs=halves), router.Delta(text="好", logprobs=[last])]
    door.router.script = (admitted(), *(router.GenerateResponse(delta=each) for each in said), finished(), ended())
    async with client(door) as ai:
        answer = await ai.chat.completions.create(model="m", messages=TURN, logprobs=True, top_logprobs=2)
        assert answer.choices[0].logprobs is not None and answer.choices[0].logprobs.content is not None
        told = answer.choices[0].logprobs.content
        assert [each.token for each in told] == ["\\xe4\\xbd", "\\xa0", "好"]
        assert bytes(byte for each in told for byte in each.bytes or []).decode() == "你好"
        assert [(each.token, each.logprob, each.bytes) for each in told[2].top_logprobs] == [
            ("好", -0.25, list("好".encode())), ("token_id:9", -9999.0, None),
        ]  # fmt: skip
        older = (await ai.completions.create(model="m", prompt="a", logprobs=2)).choices[0].logprobs
        assert older is not None and older.text_offset == [0, 0, 1] and older.token_logprobs == [-0.5, -0.5, -0.25]
        assert older.top_logprobs == [{}, {}, {"好": -0.25, "token_id:9": -9999.0}]
        chunks = [each async for each in await ai.completions.create(model="m", prompt="a", logprobs=2, stream=True)]
        assert [each.choices[0].logprobs.text_offset for each in chunks if each.choices[0].logprobs] == [[0, 0], [1]]


async def test_several_prompts_are_answered_side_by_side(door: Door) -> None:
    """Answers of the second prompt are numbered behind those of the first, whichever comes first; each is admitted by itself."""
    both = asyncio.Barrier(2)
    door.router.script = (
        admitted(choices=2), both.wait, delta("甲", 0), delta("乙", 1), finished(choice=1), finished(choice=0), ended(),
    )  # fmt: skip
    async with client(door) as ai:
        answer = await ai.completions.create(model="m", prompt=["从前", "后来"], n=2)
        assert [(choice.index, choice.text) for choice in answer.choices] == [(0, "甲"), (1, "乙"), (2, "甲"), (3, "乙")]
        assert answer.usage is not None and (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (24, 6)
        stream = await ai.completions.create(model="m", prompt=[[1], [2, 3]], n=2, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        texts: dict[int, str] = {}
        for choice in (choice for chunk in chunks for choice in chunk.choices):
            texts[choice.index] = texts.get(choice.index, "") + choice.text
        assert texts == {0: "甲", 1: "乙", 2: "甲", 3: "乙"} and len({chunk.id for chunk in chunks}) == 1
        assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [30]
    assert sorted(request.text for request in door.router.requests[:2]) == ["从前", "后来"]
    assert len({facts.request_id for facts in door.router.facts}) == 4


async def test_a_prompt_that_fails_ends_the_others(door: Door) -> None:
    both, calls = asyncio.Barrier(2), 0

    async def second_fails() -> None:
        nonlocal calls
        calls += 1
        is_second = calls == 2
        await both.wait()
        if is_second:
            raise errors.Unavailable("gone", reason="NO_WORKER")
        await forever()

    door.router.script = (admitted(), second_fails)
    async with client(door) as ai:
        with pytest.raises(openai.InternalServerError) as caught:
            await ai.completions.create(model="m", prompt=["从前", "后来"])
    assert caught.value.code == "no_worker"
    await door.router.ended.wait()


async def test_the_model_that_stood_in_is_named(door: Door) -> None:
    instead = router.GenerateResponse(
        substituted=router.Substituted(model="equal", release="cd34", prompt_tokens=9, max_output_tokens=8, generation_id="g-2")
    )
    door.router.script = (admitted(), instead, delta("好"), finished(), ended())
    async with client(door) as ai:
        answer = await ai.chat.completions.create(model="m", messages=TURN)
        assert (answer.model, answer.id) == ("equal", "chatcmpl-g-2")
        stream = await ai.chat.completions.create(model="m", messages=TURN, stream=True)
        assert {chunk.model async for chunk in stream} == {"equal"}


async def test_an_answer_without_an_end_is_none(door: Door) -> None:
    door.router.script = (admitted(choices=2), delta("甲", 0), finished(choice=0), delta("乙", 1), ended())
    async with client(door) as ai:
        with pytest.raises(openai.InternalServerError, match="broke off"):
            await ai.chat.completions.create(model="m", messages=TURN, n=2)


async def test_the_span_says_what_was_asked_and_used(door: Door) -> None:
    with captured_spans() as spans:
        async with client(door) as ai:
            await ai.chat.completions.create(model="tiny", messages=TURN)
            door.router.script = (errors.NotFound("no", reason="MODEL_UNKNOWN"),)
            with pytest.raises(openai.NotFoundError):
                await ai.completions.create(model="身份证号", prompt="a")
    told = [dict(span.attributes or {}) for span in spans if str(span.name).startswith("finmesh.openai.v1.OpenAI/")]
    assert told[0].items() >= {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "finmesh", "gen_ai.request.model": "tiny", "gen_ai.response.model": "tiny",
        "gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 3, "gen_ai.response.finish_reasons": "stop",
        "finmesh.generation_id": "g-1",
    }.items()  # fmt: skip
    assert "身份证号" not in str(told[1])


async def test_completions_take_text_and_token_ids(door: Door) -> None:
    async with client(door) as ai:
        answer = await ai.completions.create(model="m", prompt="从前", max_tokens=5)
        assert (answer.choices[0].text, answer.object) == ("你好，世界", "text_completion")
        await ai.completions.create(model="m", prompt=[1, 2, 3])
        pieces = [chunk.choices[0].text async for chunk in await ai.completions.create(model="m", prompt=["从前"], stream=True)]
        with pytest.raises(openai.BadRequestError, match="echo is not supported"):
            await ai.completions.create(model="m", prompt="a", echo=True)
    first, second, third = door.router.requests
    assert (first.text, first.max_output_tokens, list(second.tokens.ids), third.text) == ("从前", 5, [1, 2, 3], "从前")
    assert "".join(pieces) == "你好，世界"


async def test_models_are_listed_with_their_aliases(open_door: OpenDoor) -> None:
    async with open_door(http={"aliases": ALIASES | {"gpt-4": "absent"}}) as door, client(door) as ai:
        assert [model.id async for model in ai.models.list()] == ["smollm2", "gpt-4o-mini"]
        assert (await ai.models.retrieve("gpt-4o-mini")).id == "gpt-4o-mini"
        with pytest.raises(openai.NotFoundError) as caught:
            await ai.models.retrieve("gpt-4")
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize(
    ("form", "schema"),
    [
        ({"type": "json_object"}, '{"type":"object"}'),
        ({"type": "json_schema", "json_schema": {"name": "风险", "strict": True, "schema": {"type": "integer"}}}, '{"type":"integer"}'),
        ({"type": "text"}, ""),
    ],
)
async def test_a_form_is_a_grammar(door: Door, form: Any, schema: str) -> None:
    async with client(door) as ai:
        await ai.chat.completions.create(model="m", messages=TURN, response_format=form)
    assert door.router.requests[0].grammar.json_schema == schema


async def test_neutral_defaults_are_accepted(door: Door) -> None:
    neutral: Any = {
        "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": None, "n": 1, "tools": [], "tool_choice": "none", "stream": False,
        "top_p": 1, "store": False, "metadata": {}, "service_tier": "auto", "modalities": ["text"], "logprobs": False,
    }  # fmt: skip
    turns: Any = [
        {"role": "developer", "content": [{"type": "text", "text": "简短"}, {"type": "text", "text": "地"}]},
        *TURN,
        {"role": "assistant", "content": "好", "refusal": None, "annotations": [], "tool_calls": None},
        *TURN,
    ]
    async with client(door) as ai:
        await ai.chat.completions.create(model="m", messages=turns, **neutral)
    said = [(message.role, message.content) for message in door.router.requests[0].conversation.messages]
    assert said[:2] == [("system", "简短地"), ("user", TURN[0]["content"])] and len(said) == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("frequency_penalty", 0.5), ("presence_penalty", -1), ("logit_bias", {"5": 1}), ("user", "u-1"), ("store", True),
        ("metadata", {"a": "b"}),
        ("tools", [{"type": "custom", "custom": {"name": "f"}}]), ("tool_choice", "required"), ("functions", [{"name": "f"}]),
        ("reasoning_effort", "low"), ("modalities", ["text", "audio"]), ("service_tier", "priority"),
        ("response_format", {"type": "grammar"}), ("n", 5), ("seed", 1.5), ("stop", [""]), ("temperature", 3), ("top_logprobs", 3),
        ("max_tokens", 0),
    ],
)  # fmt: skip
async def test_what_is_not_supported_is_refused_by_name(door: Door, field: str, value: Any) -> None:
    async with client(door) as ai:
        with pytest.raises(openai.BadRequestError) as caught:
            await ai.chat.completions.create(model="m", messages=TURN, extra_body={field: value})
        assert field in str(caught.value.param) and field in caught.value.message
        assert len(ai.sent) == 1 and not door.router.requests  # type: ignore[attr-defined]


async def test_an_unknown_field_is_refused_by_name(door: Door) -> None:
    async with client(door) as ai:
        with pytest.raises(openai.BadRequestError) as caught:
            await ai.chat.completions.create(model="m", messages=TURN, extra_body={"温度": 1})
    assert (caught.value.code, caught.value.param) == ("unknown_parameter", "温度")


@pytest.mark.parametrize(
    ("error", "kind", "code", "requests"),
    [
        (errors.NotFound("no", reason="MODEL_UNKNOWN"), openai.NotFoundError, "model_not_found", 1),
        (errors.InvalidArgument("no", reason="PROMPT_TOO_LONG"), openai.BadRequestError, "context_length_exceeded", 1),
        (errors.Overloaded("full", retry_after_s=0.01), openai.InternalServerError, "overloaded", 3),
        (errors.Overloaded("late", reason="QUEUE_EXPIRED", retry_after_s=0.01), openai.InternalServerError, "queue_expired", 1),
        (errors.Unavailable("no", reason="NO_WORKER"), openai.InternalServerError, "no_worker", 1),
        (errors.DeadlineExceeded("late"), openai.InternalServerError, "deadline_exceeded", 1),
        (errors.PermissionDenied("no", reason="GRADE_TOO_HIGH"), openai.PermissionDeniedError, "grade_too_high", 1),
        (RuntimeError("secret"), openai.InternalServerError, "internal", 1),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
async def test_errors_before_the_first_token_have_their_status_and_say_whether_to_repeat(
    door: Door, error: Exception, kind: type[openai.APIStatusError], code: str, requests: int, streams: bool
) -> None:
    door.router.script = (admitted(), error)
    async with client(door) as ai:
        with pytest.raises(kind) as caught:
            await ai.chat.completions.create(model="m", messages=TURN, stream=streams)  # type: ignore[call-overload]
        assert (caught.value.code, len(ai.sent)) == (code, requests)  # type: ignore[attr-defined]
    assert "secret" not in str(caught.value.body)
    assert caught.value.response.headers["x-should-retry"] == ("true" if requests == 3 else "false")
    assert len(door.router.requests) == requests


async def test_an_error_after_the_first_token_is_the_stream_s_last_event(door: Door) -> None:
    door.router.script = (admitted(), delta("你"), errors.Unavailable("gone", reason="STREAM_BROKEN"))
    async with client(door) as ai:
        stream = await ai.chat.completions.create(model="m", messages=TURN, stream=True)
        found = []
        with pytest.raises(openai.APIError) as caught:
            async for chunk in stream:
                found.append(chunk.choices[0].delta.content)  # noqa: PERF401  what came before the error counts
    assert (found, caught.value.code) == (["你"], "stream_broken")


async def test_a_router_that_ends_without_an_end_is_an_error(door: Door) -> None:
    door.router.script = ANSWER[:-1]
    async with client(door) as ai:
        with pytest.raises(openai.InternalServerError):
            await ai.chat.completions.create(model="m", messages=TURN)
        with pytest.raises(openai.APIError, match="broke off"):
            _ = [chunk async for chunk in await ai.chat.completions.create(model="m", messages=TURN, stream=True)]


@pytest.mark.parametrize("streams", [False, True])
async def test_what_is_left_of_every_share_is_told(open_door: OpenDoor, streams: bool) -> None:
    budget = {"principal": {"output_per_minute": 1_000, "prompt_per_minute": 900_000}}
    async with open_door(quota={"generate_per_s": 0.01, "generate_burst": 5}, budget=budget) as door, client(door) as ai:
        told = []
        for _ in range(2):
            raw = await ai.chat.completions.with_raw_response.create(model="m", messages=TURN, stream=streams, max_tokens=64)  # type: ignore[call-overload]
            told.append(
                {name.removeprefix("x-ratelimit-"): value for name, value in raw.headers.items() if name.startswith("x-ratelimit-")}
            )
            if streams:
                _ = [chunk async for chunk in raw.parse()]
    assert [each["limit-requests"] for each in told] == ["5", "5"] and [each["remaining-requests"] for each in told] == ["4", "3"]
    assert all(100 * number - 5 < float(each["reset-requests"].removesuffix("s")) <= 100 * number for number, each in enumerate(told, 1))
    assert [each["limit-tokens"] for each in told] == ["1000", "1000"]
    assert [int(each["remaining-tokens"]) for each in told] == [500 - 64, 500 - 64 - 3]  # half a share while Redis is away
    assert all(0 <= float(each["reset-tokens"].removesuffix("s")) <= 60 for each in told)


async def test_a_used_up_budget_says_which_limit_when_it_frees_and_not_to_repeat(open_door: OpenDoor) -> None:
    async with open_door(budget={"principal": {"output_per_minute": 10}}) as door, client(door) as ai:
        with pytest.raises(openai.RateLimitError) as caught:
            await ai.chat.completions.create(model="m", messages=TURN)
        headers = caught.value.response.headers
        assert (caught.value.code, headers["x-should-retry"], len(ai.sent)) == ("insufficient_quota", "false", 1)  # type: ignore[attr-defined]
        assert (headers["x-ratelimit-limit-tokens"], headers["x-ratelimit-remaining-tokens"]) == ("10", "0")
        assert headers["x-finmesh-limit"] == "principal-output-minute"


async def test_a_used_up_rate_is_repeated_after_the_pause(open_door: OpenDoor) -> None:
    async with open_door(quota={"generate_per_s": 0.5, "generate_burst": 1}) as door, client(door) as ai:
        for _ in range(2):
            await ai.chat.completions.create(model="m", messages=TURN)
        assert len(ai.sent) == 3 and len(door.router.requests) == 2  # type: ignore[attr-defined]


async def test_a_token_bound_to_another_certificate_is_refused_and_recorded(door: Door) -> None:
    async with client(door, claims={"cnf": {"x5t#S256": "A" * 43}}) as ai:
        with pytest.raises(openai.AuthenticationError) as caught:
            await ai.chat.completions.create(model="m", messages=TURN)
    assert caught.value.code == "token_certificate_mismatch"
    (record,) = await denied(door)
    assert told(record) == [("TOKEN_CERTIFICATE_MISMATCH", "Generate", "client", 1)]
    assert record.tenant == "bank-a"


async def test_a_token_bound_to_this_certificate_is_accepted(door: Door) -> None:
    pem = x509.load_pem_x509_certificate((door.certs / "client.pem").read_bytes())
    async with client(door, claims={"cnf": {"x5t#S256": thumbprint(pem.public_bytes(Encoding.DER))}}) as ai:
        await ai.chat.completions.create(model="m", messages=TURN)


async def test_another_workload_may_not_come(door: Door) -> None:
    async with client(door, "stranger") as ai:
        with pytest.raises(openai.PermissionDeniedError) as caught:
            await ai.models.list()
    assert caught.value.code == "peer_not_allowed"


async def test_a_role_purpose_or_grade_that_the_policy_refuses(door: Door) -> None:
    for claims, headers in (
        ({"roles": ["transaction-scorer"]}, {}),
        ({}, {"x-finmesh-grade": "L4"}),
        ({}, {"x-finmesh-purpose": "marketing"}),
    ):
        async with client(door, claims=claims) as ai:
            with pytest.raises(openai.PermissionDeniedError) as caught:
                await ai.chat.completions.create(model="m", messages=TURN, extra_headers=headers)
        assert caught.value.code == "policy_denied"
    assert not door.router.requests


async def test_a_caller_that_leaves_ends_the_work(door: Door) -> None:
    door.router.script = (admitted(), delta("你"), forever)
    async with client(door) as ai:
        stream = await ai.chat.completions.create(model="m", messages=TURN, stream=True)
        async for _ in stream:
            break
        await stream.close()
        await door.router.ended.wait()
