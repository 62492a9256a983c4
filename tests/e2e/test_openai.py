"""OpenAI's API through the whole mesh, asked by the official client with a certificate and a token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel, Field

from tests.e2e.llm_mesh import ALIAS, NAME, LlmMesh, asked, said
from tests.javascript import seen

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default::ResourceWarning")]

TALK: list[Any] = [
    {"role": "system", "content": "你是银行的助手，只回答与银行有关的问题。"},
    {"role": "user", "content": "信用卡在境外被拒怎么办？😀"},
]


class Decided(BaseModel):
    """What the answer must be."""

    outcome: Literal["批准", "拒绝", "人工复核"] = Field(alias="结论")
    cause: Literal["额度不足", "疑似欺诈"] = Field(alias="原因")


@pytest.fixture(scope="module", autouse=True)
def _leaves_nothing(llm: LlmMesh) -> Iterator[None]:
    yield
    asyncio.run(llm.nothing_is_held())


@pytest.fixture
async def ai(llm: LlmMesh) -> AsyncIterator[openai.AsyncOpenAI]:
    async with llm.openai() as client:
        yield client


async def test_a_conversation_streamed_and_not_and_by_grpc_are_one(llm: LlmMesh, ai: openai.AsyncOpenAI) -> None:
    how: dict[str, Any] = {"model": ALIAS, "messages": TALK, "max_completion_tokens": 32, "temperature": 0}
    whole = await ai.chat.completions.create(**how)
    turns = said(*((turn["role"], turn["content"]) for turn in TALK))
    other = await llm.answer(asked(conversation=turns, max_output_tokens=32))
    (choice,) = whole.choices
    assert (choice.message.content, choice.finish_reason, choice.message.role) == (other.text, other.reason.lower(), "assistant")
    assert (whole.model, whole.object) == (NAME, "chat.completion")
    assert whole.usage is not None and whole._request_id
    assert whole.usage.prompt_tokens == other.ended.usage.prompt_tokens
    assert whole.usage.completion_tokens == other.ended.usage.output_tokens
    stream = await ai.chat.completions.create(**how, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    assert "".join(each.delta.content or "" for chunk in chunks for each in chunk.choices) == other.text
    assert len({chunk.id for chunk in chunks}) == 1 and chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-2].choices[0].finish_reason == choice.finish_reason


async def test_completions_of_a_text_and_of_its_tokens(ai: openai.AsyncOpenAI) -> None:
    how: dict[str, Any] = {"model": NAME, "max_tokens": 16, "temperature": 0}
    first = await ai.completions.create(prompt=[5, 6, 7, 8], **how)
    pieces = [chunk.choices[0].text async for chunk in await ai.completions.create(prompt=[[5, 6, 7, 8]], stream=True, **how)]
    assert "".join(pieces) == first.choices[0].text
    text = await ai.completions.create(prompt="从前有一家银行", **how)
    assert text.usage is not None and text.usage.prompt_tokens > 4 and text.object == "text_completion"


async def test_several_prompts_are_answered_as_each_alone(ai: openai.AsyncOpenAI) -> None:
    how: dict[str, Any] = {"model": NAME, "max_tokens": 12, "temperature": 0}
    prompts = ["从前有一家银行", "信用卡", "Once upon a time"]
    alone = [(await ai.completions.create(prompt=prompt, **how)).choices[0].text for prompt in prompts]
    together = await ai.completions.create(prompt=prompts, **how)
    assert [(choice.index, choice.text) for choice in together.choices] == list(enumerate(alone))


async def test_logprobs_spell_the_answer(ai: openai.AsyncOpenAI) -> None:
    how: dict[str, Any] = {"model": ALIAS, "messages": TALK, "max_completion_tokens": 24, "temperature": 0, "logprobs": True}
    answer = await ai.chat.completions.create(**how, top_logprobs=3)
    (choice,) = answer.choices
    assert choice.logprobs is not None and choice.logprobs.content is not None and answer.usage is not None
    told = choice.logprobs.content
    assert len(told) == answer.usage.completion_tokens
    spelt = b"".join(bytes(each.bytes or []) for each in told).decode("utf-8", "replace")
    assert spelt.removesuffix("<|im_end|>") == choice.message.content
    assert all(len(each.top_logprobs) == 3 and each.top_logprobs[0].token == each.token and each.logprob <= 0 for each in told)
    chunks = [each async for each in await ai.chat.completions.create(**how, stream=True)]
    streamed = [token.token for each in chunks for part in each.choices if part.logprobs for token in part.logprobs.content or []]
    assert streamed == [each.token for each in told]


async def test_the_models(ai: openai.AsyncOpenAI) -> None:
    assert {model.id async for model in ai.models.list()} == {NAME, ALIAS}
    assert (await ai.models.retrieve(ALIAS)).id == ALIAS


async def test_a_strict_schema_is_kept_to(ai: openai.AsyncOpenAI) -> None:
    for temperature in (0.0, 1.5):
        found = await ai.chat.completions.parse(
            model=ALIAS, messages=TALK, response_format=Decided, max_completion_tokens=128, temperature=temperature, n=2, seed=3
        )
        assert [choice.finish_reason for choice in found.choices] == ["stop", "stop"]
        assert all(choice.message.parsed is not None for choice in found.choices)
    loose = await ai.chat.completions.create(
        model=ALIAS, messages=TALK, response_format={"type": "json_object"}, max_completion_tokens=200, temperature=0
    )
    if loose.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(loose.choices[0].message.content or ""), dict)


async def test_a_seed_repeats_and_another_does_not(ai: openai.AsyncOpenAI) -> None:
    async def drawn(seed: int) -> list[str | None]:
        answer = await ai.chat.completions.create(
            model=ALIAS, messages=TALK, seed=seed, n=2, temperature=1.5, max_completion_tokens=24, stop=["从未出现"]
        )
        return [choice.message.content for choice in answer.choices]

    first, again, other = await drawn(7), await drawn(7), await drawn(8)
    assert first == again != other
    assert len(first) == 2 and first[0] != first[1]


async def test_a_stop_ends_an_answer_and_is_no_part_of_it(ai: openai.AsyncOpenAI) -> None:
    how: dict[str, Any] = {"model": ALIAS, "messages": TALK, "max_completion_tokens": 32, "temperature": 0}
    whole = (await ai.chat.completions.create(**how)).choices[0].message.content or ""
    stop = whole[len(whole) // 2 :][:3]
    ended = await ai.chat.completions.create(**how, stop=[stop])
    assert ended.choices[0].message.content == whole[: whole.index(stop)]
    assert ended.choices[0].finish_reason == "stop"


async def test_a_stream_that_is_closed_leaves_nothing(ai: openai.AsyncOpenAI) -> None:
    stream = await ai.chat.completions.create(model=ALIAS, messages=TALK, n=4, temperature=1, max_completion_tokens=200, stream=True)
    async for _ in stream:
        break
    await stream.close()


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"model": "gpt-9"}, openai.NotFoundError, "model_not_found"),
        ({"model": "held-by-nobody"}, openai.NotFoundError, "model_not_found"),
        ({"messages": [{"role": "user", "content": "长" * 2_000}]}, openai.BadRequestError, "context_length_exceeded"),
        ({"max_completion_tokens": 100_000}, openai.BadRequestError, None),
        ({"presence_penalty": 1}, openai.BadRequestError, "unsupported_parameter"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"not": {}}}}}, openai.BadRequestError, None),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
async def test_what_cannot_be_answered_is_told_by_status(
    ai: openai.AsyncOpenAI, changes: dict[str, Any], kind: type[openai.APIStatusError], code: str | None, streams: bool
) -> None:
    with pytest.raises(kind) as caught:
        await ai.chat.completions.create(**{"model": ALIAS, "messages": TALK, "stream": streams} | changes)
    assert code in (None, caught.value.code)
    assert caught.value.response.headers["x-should-retry"] == "false"


async def test_nobody_comes_in_without_a_token_that_is_good(llm: LlmMesh) -> None:
    for key, kind in (("sk-123", openai.AuthenticationError), (llm.token("audit-reader"), openai.PermissionDeniedError)):
        async with llm.openai(key) as client:
            with pytest.raises(kind):
                await client.chat.completions.create(model=ALIAS, messages=TALK)


async def test_the_javascript_client(llm: LlmMesh, ai: openai.AsyncOpenAI) -> None:
    """What its users write to models; and what it was told is what the Python client is told."""
    examples = ("chat", "streamed", "events", "schema", "completion", "models", "failure", "refusal", "raw", "aborted")
    found = await seen(llm.places.certs, str(ai.base_url), ai.api_key, ALIAS, *examples)
    turns: list[Any] = [{"role": "developer", "content": "你是银行的助手。"}, {"role": "user", "content": "什么是拒付？😀"}]
    answer = await ai.chat.completions.create(model=ALIAS, messages=turns, temperature=0, max_completion_tokens=16)
    content = answer.choices[0].message.content
    assert found["chat"]["content"] == found["streamed"]["content"] == found["events"]["heard"] == found["events"]["content"] == content
    assert answer.usage is not None and found["streamed"]["usage"]["total_tokens"] == answer.usage.total_tokens
    assert [set(json.loads(each)) for each in found["schema"]] == [{"结论"}, {"结论"}]
    assert [each["index"] for each in found["completion"]] == [0, 1] and all(each["tokens"] for each in found["completion"])
    assert set(found["models"]) == {NAME, ALIAS}
    assert found["failure"].items() >= {"kind": "NotFoundError", "status": 404, "code": "model_not_found", "param": "model"}.items()
    assert found["failure"]["id"] and found["raw"]["same"] and found["aborted"]


FREEZE: Any = {
    "type": "function",
    "function": {
        "name": "freeze",
        "description": "冻结卡",
        "parameters": {
            "type": "object",
            "properties": {"卡": {"enum": ["信用卡", "借记卡"]}, "天": {"type": "integer", "minimum": 1, "maximum": 9}},
            "required": ["卡", "天"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
FREEZING: Any = [{"role": "user", "content": "冻结"}]  # the tiny model has a token for nearly every byte, and rows of 512
LIST: Any = {"type": "function", "function": {"name": "list-cards", "parameters": {"type": "object", "additionalProperties": False}}}


class Frozen(BaseModel):
    """Arguments of a call."""

    card: Literal["信用卡", "借记卡"] = Field(alias="卡")
    days: int = Field(alias="天", ge=1, le=9)


@pytest.mark.parametrize("temperature", [0.0, 1.5])
async def test_tools_that_must_be_called_are_called_as_their_schemas_say(ai: openai.AsyncOpenAI, temperature: float) -> None:
    """By a model that knows nothing: the grammar sees to it, across the hand-off."""
    how: dict[str, Any] = {"model": ALIAS, "messages": FREEZING, "max_completion_tokens": 160, "temperature": temperature, "seed": 5}
    one = await ai.chat.completions.create(**how, tools=[FREEZE, LIST], tool_choice="required", parallel_tool_calls=False, n=2)
    for choice in one.choices:
        assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
        (call,) = choice.message.tool_calls or []
        assert call.function.name in ("freeze", "list-cards") and call.id.startswith("call_")
        if call.function.name == "freeze":
            Frozen.model_validate_json(call.function.arguments)
    named = {"type": "function", "function": {"name": "freeze"}}
    stream = await ai.chat.completions.create(**how, tools=[FREEZE], tool_choice=named, stream=True)
    choices = [choice async for chunk in stream for choice in chunk.choices]
    pieces = [piece for choice in choices for piece in choice.delta.tool_calls or []]
    assert [piece.function.name for piece in pieces if piece.id and piece.function] == ["freeze"]
    Frozen.model_validate_json("".join(piece.function.arguments or "" for piece in pieces if piece.function))
    assert choices[-1].finish_reason == "stop" and not any(choice.delta.content for choice in choices)


async def test_a_call_and_its_result_go_back_to_the_model(ai: openai.AsyncOpenAI) -> None:
    how: dict[str, Any] = {"model": ALIAS, "tools": [LIST], "temperature": 0, "max_completion_tokens": 40}
    first = await ai.chat.completions.create(**how, messages=TALK[1:], tool_choice="required", parallel_tool_calls=False)
    (call,) = first.choices[0].message.tool_calls or []
    assert (call.function.name, call.function.arguments) == ("list-cards", "{}")
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "尾号 1234 <|im_end|>"}
    again = await ai.chat.completions.create(**how, messages=[*TALK[1:], first.choices[0].message, result], tool_choice="none")
    assert again.choices[0].message.tool_calls is None and again.choices[0].finish_reason in ("stop", "length")
    auto = await ai.chat.completions.create(**how, messages=TALK[1:])
    assert auto.choices[0].finish_reason in ("stop", "length", "tool_calls")
