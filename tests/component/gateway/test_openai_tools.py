"""Tools at the HTTP door, through the official client, in front of a router that says what it is told to."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from finmesh.inference.v1 import generation_pb2 as generation
from finmesh.router.v1 import router_service_pb2 as router
from meshkit import errors
from meshkit.errors import FieldViolation

from tests.component.gateway.conftest import Door
from tests.component.gateway.openai_clients import TURN, client
from tests.component.gateway.scripted_router import admitted, delta, ended, finished

pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")
SCHEMA = {
    "type": "object",
    "properties": {"城市": {"type": "string", "description": "城市名"}, "unit": {"enum": ["c", "f"]}},
    "required": ["城市"],
    "additionalProperties": False,
}
WEATHER: Any = {"type": "function", "function": {"name": "get_weather", "description": "查询天气", "parameters": SCHEMA, "strict": True}}
CARDS: Any = {"type": "function", "function": {"name": "list-cards"}}
ARGUMENTS = '{"城市": "北京", "unit": "c"}'


def called(*pieces: tuple[int, str, str, str], text: str = "", choice: int = 0) -> router.GenerateResponse:
    """Pieces of calls: number, id, name, arguments."""
    deltas = [router.ToolCallDelta(index=index, id=call_id, name=name, arguments=said) for index, call_id, name, said in pieces]
    return router.GenerateResponse(delta=router.Delta(choice=choice, text=text, tool_calls=deltas))


def over(reason: int = generation.FINISH_REASON_TOOL_CALLS, choice: int = 0) -> router.GenerateResponse:
    said = generation.ChoiceFinished(choice=choice, reason=reason, output_tokens=9)  # type: ignore[arg-type]
    return router.GenerateResponse(finished=said)


CALLS = (
    admitted(),
    delta("好的，"),
    called((0, "call_a", "get_weather", '{"城'), text="我查。"),
    *[called((0, "", "", letter)) for letter in ARGUMENTS[3:]],
    called((1, "call_b", "list-cards", "{}")),
    over(),
    ended(),
)


async def test_calls_as_the_client_s_own_example_reads_them(door: Door) -> None:
    door.router.script = CALLS
    async with client(door) as ai:
        answer = await ai.chat.completions.create(model="m", messages=TURN, tools=[WEATHER, CARDS])
    (choice,) = answer.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "好的，我查。")
    assert choice.message.tool_calls is not None
    first, second = choice.message.tool_calls
    assert first.type == second.type == "function"
    assert (first.id, first.function.name, first.function.arguments) == ("call_a", "get_weather", ARGUMENTS)
    assert (second.id, second.function.name, second.function.arguments) == ("call_b", "list-cards", "{}")
    (asked,) = door.router.requests
    offered = [(tool.name, tool.description, tool.strict) for tool in asked.tools]
    assert offered == [("get_weather", "查询天气", True), ("list-cards", "", False)]
    assert json.loads(asked.tools[0].parameters) == SCHEMA and asked.tools[1].parameters == ""
    assert (asked.tool_choice, asked.tool_name, asked.parallel_tool_calls) == (router.TOOL_CHOICE_AUTO, "", True)


async def test_calls_alone_have_no_content(door: Door) -> None:
    door.router.script = (admitted(), called((0, "call_a", "list-cards", "{}")), over(), ended())
    async with client(door) as ai:
        answer = await ai.chat.completions.create(model="m", messages=TURN, tools=[CARDS])
        assert answer.choices[0].message.content is None
        door.router.script = (admitted(), finished(), ended())
        answer = await ai.chat.completions.create(model="m", messages=TURN, tools=[CARDS])
        assert (answer.choices[0].message.content, answer.choices[0].message.tool_calls) == ("", None)


async def test_calls_are_streamed_name_first(door: Door) -> None:
    door.router.script = CALLS
    async with client(door) as ai:
        stream = await ai.chat.completions.create(model="m", messages=TURN, tools=[WEATHER, CARDS], stream=True)
        chunks = [chunk async for chunk in stream]
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    pieces = [piece for each in deltas for piece in each.tool_calls or []]
    assert "".join(each.content or "" for each in deltas) == "好的，我查。"
    assert [(piece.index, piece.id, piece.type) for piece in pieces if piece.id] == [(0, "call_a", "function"), (1, "call_b", "function")]
    assert [piece.function.name for piece in pieces if piece.function and piece.function.name] == ["get_weather", "list-cards"]
    for index, arguments in ((0, ARGUMENTS), (1, "{}")):
        said = [piece.function for piece in pieces if piece.index == index]
        assert "".join(each.arguments or "" for each in said if each) == arguments
        assert said[0] and said[0].name and not any(each.name for each in said[1:] if each)
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["tool_calls"]
    assert deltas[0].role == "assistant"


async def test_the_client_s_own_helper_puts_a_stream_together(door: Door) -> None:
    door.router.script = CALLS
    async with client(door) as ai, ai.chat.completions.stream(model="m", messages=TURN, tools=[WEATHER, CARDS]) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.tool_calls is not None
    assert [call.function.arguments for call in final.choices[0].message.tool_calls] == [ARGUMENTS, "{}"]
    assert final.choices[0].message.tool_calls[0].function.parsed_arguments == json.loads(ARGUMENTS)


async def test_several_answers_have_calls_of_their_own(door: Door) -> None:
    door.router.script = (
        admitted(choices=2), called((0, "call_a", "list-cards", "{"), choice=0),
        called((0, "call_b", "get_weather", '{"城市": "上海"}'), choice=1),
        called((0, "", "", "}"), choice=0), over(choice=1), over(choice=0), ended(),
    )  # fmt: skip
    async with client(door) as ai:
        answer = await ai.chat.completions.create(model="m", messages=TURN, tools=[WEATHER, CARDS], n=2)
    found = [[(call.id, call.function.arguments) for call in choice.message.tool_calls or []] for choice in answer.choices]
    assert found == [[("call_a", "{}")], [("call_b", '{"城市": "上海"}')]]


@pytest.mark.parametrize(
    ("choice", "wanted", "offered"),
    [
        ("auto", (router.TOOL_CHOICE_AUTO, ""), ["get_weather", "list-cards"]),
        ("none", (router.TOOL_CHOICE_NONE, ""), ["get_weather", "list-cards"]),
        ("required", (router.TOOL_CHOICE_REQUIRED, ""), ["get_weather", "list-cards"]),
        ({"type": "function", "function": {"name": "list-cards"}}, (router.TOOL_CHOICE_NAMED, "list-cards"), ["get_weather", "list-cards"]),
        (
            {"type": "allowed_tools",
             "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "list-cards"}}]}},
            (router.TOOL_CHOICE_REQUIRED, ""),
            ["list-cards"],
        ),
    ],
)  # fmt: skip
async def test_a_choice_is_the_router_s(door: Door, choice: Any, wanted: tuple[int, str], offered: list[str]) -> None:
    async with client(door) as ai:
        await ai.chat.completions.create(model="m", messages=TURN, tools=[WEATHER, CARDS], tool_choice=choice, parallel_tool_calls=False)
    (asked,) = door.router.requests
    assert (asked.tool_choice, asked.tool_name) == wanted
    assert [tool.name for tool in asked.tools] == offered
    assert not asked.parallel_tool_calls


async def test_a_conversation_goes_on_with_results(door: Door) -> None:
    door.router.script = CALLS
    async with client(door) as ai:
        answer = await ai.chat.completions.create(model="m", messages=TURN, tools=[WEATHER, CARDS])
        results: Any = [
            {"role": "tool", "tool_call_id": "call_a", "content": "晴，12 度"},
            {"role": "tool", "tool_call_id": "call_b", "content": [{"type": "text", "text": "[]"}]},
        ]
        messages: Any = [*TURN, answer.choices[0].message, *results]
        door.router.script = (admitted(), delta("晴"), finished(), ended())
        again = await ai.chat.completions.create(model="m", messages=messages, tools=[WEATHER, CARDS])
    assert again.choices[0].message.content == "晴"
    turns = door.router.requests[1].conversation.messages
    assert [turn.role for turn in turns] == ["user", "assistant", "tool", "tool"]
    assert [(call.id, call.name, call.arguments) for call in turns[1].tool_calls] == [
        ("call_a", "get_weather", ARGUMENTS), ("call_b", "list-cards", "{}"),
    ]  # fmt: skip
    assert [(turn.tool_call_id, turn.content) for turn in turns[2:]] == [("call_a", "晴，12 度"), ("call_b", "[]")]


async def test_a_hundred_tools(door: Door) -> None:
    tools: Any = [
        {"type": "function", "function": WEATHER["function"] | {"name": f"工具_{number}".encode().hex()}} for number in range(100)
    ]
    async with client(door) as ai:
        await ai.chat.completions.create(model="m", messages=TURN, tools=tools)
        assert len(door.router.requests[0].tools) == 100
        with pytest.raises(openai.BadRequestError, match="at most 128") as caught:
            await ai.chat.completions.create(model="m", messages=TURN, tools=[*tools, *tools])
    assert caught.value.param == "tools"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type", "unsupported_parameter"),
        ({"tools": [CARDS, {"type": "web_search"}]}, "tools[1].type", "unsupported_parameter"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "field_invalid"),
        ({"tools": [{"type": "function", "function": {"name": "a", "parameters": []}}]}, "tools[0].function.parameters", "field_invalid"),
        ({"tools": [{"type": "function", "function": {"name": "a", "odd": 1}}]}, "tools[0].function.odd", "unknown_parameter"),
        ({"tools": {}}, "tools", "field_invalid"),
        ({"tools": [CARDS], "tool_choice": "any"}, "tool_choice", "field_invalid"),
        ({"tools": [CARDS], "tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "tool_choice.type", "unsupported_parameter"),
        (
            {"tools": [CARDS], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "tool_choice.function.name", "field_invalid",
        ),
        ({"tool_choice": "required"}, "tool_choice", "field_invalid"),
        ({"tools": [CARDS], "parallel_tool_calls": "yes"}, "parallel_tool_calls", "field_invalid"),
        ({"functions": [{"name": "a"}]}, "functions", "unsupported_parameter"),
        ({"function_call": "auto"}, "function_call", "unsupported_parameter"),
        ({"messages": [{"role": "function", "name": "a", "content": "x"}]}, "messages[0].role", "unsupported_parameter"),
        ({"messages": [{"role": "assistant", "function_call": {"name": "a", "arguments": ""}, "content": "x"}]},
         "messages[0].function_call", "unsupported_parameter"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id", "field_invalid"),
        ({"messages": [{"role": "user", "content": "x", "tool_calls": [{}]}]}, "messages[0].tool_calls", "unsupported_parameter"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"type": "custom"}]}]},
         "messages[0].tool_calls[0].type", "unsupported_parameter"),
    ],
)  # fmt: skip
async def test_what_is_not_a_function_is_refused_by_name(door: Door, fields: Any, param: str, code: str) -> None:
    async with client(door) as ai:
        with pytest.raises(openai.BadRequestError) as caught:
            await ai.chat.completions.create(**({"model": "m", "messages": TURN} | fields))
    assert (caught.value.param, caught.value.code) == (param, code)
    assert door.router.requests == []


async def test_what_the_router_finds_wrong_is_told_by_the_api_s_names(door: Door) -> None:
    places = {
        "tools[3].parameters": "tools[3].function.parameters",
        "tools": "tools",
        "tool_name": "tool_choice",
        "conversation.messages[1].tool_call_id": "messages[1].tool_call_id",
    }
    async with client(door) as ai:
        for place, param in places.items():
            violation = FieldViolation(place, "is wrong")
            door.router.script = (errors.InvalidArgument("no", reason="TOOLS_INVALID", violations=(violation,)),)
            with pytest.raises(openai.BadRequestError) as caught:
                await ai.chat.completions.create(model="m", messages=TURN, tools=[CARDS])
            assert (caught.value.param, caught.value.code) == (param, "tools_invalid")


async def test_a_call_that_was_cut_says_so(door: Door) -> None:
    door.router.script = (admitted(), called((0, "call_a", "get_weather", '{"城')), over(generation.FINISH_REASON_LENGTH), ended())
    async with client(door) as ai:
        answer = await ai.chat.completions.create(model="m", messages=TURN, tools=[WEATHER])
    assert answer.choices[0].finish_reason == "length" and answer.choices[0].message.tool_calls is not None
    assert answer.choices[0].message.tool_calls[0].function.arguments == '{"城'
