"""Tools through the router: what engines are asked for, what callers are told, what is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from finmesh.inference.v1 import generation_pb2
from finmesh.router.v1 import router_service_pb2 as pb
from meshkit.errors import FailedPrecondition, InvalidArgument
from router.domain.calls import Called, ToolChoice

from .conftest import Heard, Sites, scenario
from .inference import SCRIPTS
from .test_failures import broken, dying

STOP, LENGTH, CALLS = generation_pb2.FINISH_REASON_STOP, generation_pb2.FINISH_REASON_LENGTH, generation_pb2.FINISH_REASON_TOOL_CALLS
SCHEMA = {"type": "object", "properties": {"卡": {"type": "string"}}, "required": ["卡"]}
TOOLS = [
    pb.Tool(name="freeze", description="冻结客户的卡", parameters=json.dumps(SCHEMA, ensure_ascii=False), strict=True),
    pb.Tool(name="look-up"),
]


def call(name: str, arguments: Any) -> str:
    written = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False, separators=(",", ":"))
    return f"<tool_call>{written}</tool_call>"


@pytest.fixture(autouse=True)
def scripts() -> Iterator[None]:
    SCRIPTS.update(
        two=("好。" + call("freeze", {"卡": "信用卡"}) + call("look-up", {}), "不用。"),
        one=(call("look-up", {}),),
        cut=(call("freeze", {"卡": "信" * 200}),),
        text=("没有。",),
    )
    yield
    SCRIPTS.clear()


def ask(script: str, *turns: pb.Message, choices: int = 1, **fields: Any) -> pb.GenerateRequest:
    said = pb.Conversation(messages=[*turns, pb.Message(role="user", content=f"§{script}")])
    request = pb.GenerateRequest(tenant="bank-a", grade=2, conversation=said, **({"tools": TOOLS, "max_output_tokens": 128} | fields))
    request.sampling.choices = choices
    return request


def calls(heard: Heard, choice: int = 0) -> list[tuple[str, str]]:
    """Name and arguments of each call; that ids come once and pieces in order is checked."""
    found: list[list[str]] = []
    for delta in heard.of("delta"):
        for piece in delta.tool_calls if delta.choice == choice else ():
            if piece.index == len(found):
                assert piece.id.startswith("call_") and piece.name
                found.append([piece.name, ""])
            else:
                assert piece.index == len(found) - 1 and not piece.id and not piece.name
            found[-1][1] += piece.arguments
    return [(name, arguments) for name, arguments in found]


async def test_text_and_calls_are_streamed_apart_for_each_answer(site: Sites) -> None:
    async with site() as mesh:
        heard = await mesh.generate(ask("two", choices=2, parallel_tool_calls=True, return_token_ids=True))
        (prefill,), (decode,) = mesh.prefills[0].asked, mesh.decodes[0].asked
        (start,), (end,) = mesh.records.starts, mesh.records.ends
    assert [heard.text(choice) for choice in (0, 1)] == ["好。", "不用。"]
    assert calls(heard) == [("freeze", '{"卡":"信用卡"}'), ("look-up", "{}")] and calls(heard, 1) == []
    assert heard.reasons() == {0: CALLS, 1: STOP}
    ids = [token for delta in heard.of("delta") for token in delta.token_ids if delta.choice == 0]
    assert "".join(map(chr, ids)).rstrip("\0") == SCRIPTS.get("two", ("",))[0] or ids
    assert prefill.grammar == decode.grammar
    grammar = decode.grammar.calls
    assert (grammar.format, grammar.text, grammar.parallel, decode.grammar.json_schema) == ("hermes", True, True, "")
    assert [(tool.name, tool.strict) for tool in grammar.tools] == [("freeze", True), ("look-up", False)]
    assert json.loads(grammar.tools[0].parameters) == SCHEMA
    assert json.loads(grammar.tools[1].parameters) == {"type": "object", "properties": {}, "additionalProperties": False}
    assert [tool.name for tool in start.tools] == ["freeze", "look-up"] == list(end.offered)
    assert list(end.called) == [(Called("freeze", '{"卡":"信用卡"}'), Called("look-up", "{}")), ()]


@pytest.mark.parametrize(
    ("fields", "reason", "wanted"),
    [
        ({"tool_choice": pb.TOOL_CHOICE_REQUIRED}, CALLS, (False, False, ["freeze", "look-up"])),
        ({"tool_choice": pb.TOOL_CHOICE_REQUIRED, "parallel_tool_calls": True}, CALLS, (False, True, ["freeze", "look-up"])),
        ({"tool_choice": pb.TOOL_CHOICE_NAMED, "tool_name": "look-up", "parallel_tool_calls": True}, STOP, (False, False, ["look-up"])),
        ({"tool_choice": pb.TOOL_CHOICE_AUTO}, CALLS, (True, False, ["freeze", "look-up"])),
        ({}, CALLS, (True, False, ["freeze", "look-up"])),
    ],
)
async def test_what_is_asked_for_is_a_grammar_and_a_reason(site: Sites, fields: dict[str, Any], reason: int, wanted: Any) -> None:
    async with site() as mesh:
        heard = await mesh.generate(ask("one", **fields))
        grammar = mesh.decodes[0].asked[0].grammar.calls
    assert (grammar.text, grammar.parallel, [tool.name for tool in grammar.tools]) == wanted
    assert (calls(heard), heard.text(), heard.reasons()) == ([("look-up", "{}")], "", {0: reason})


async def test_tools_that_may_not_be_called_are_not_offered(site: Sites) -> None:
    async with site() as mesh:
        heard = await mesh.generate(ask("one", tool_choice=pb.TOOL_CHOICE_NONE))
        assert not mesh.decodes[0].asked[0].HasField("grammar")
        assert mesh.records.starts[0].tools == () and mesh.records.starts[0].request.tool_choice is ToolChoice.NONE
    assert calls(heard) == [] and heard.text() == call("look-up", {}) and heard.reasons() == {0: STOP}


async def test_a_form_is_that_of_the_text_beside_calls(site: Sites) -> None:
    schema = generation_pb2.Grammar(json_schema='{"type": "integer"}')
    async with site() as mesh:
        await mesh.generate(ask("text", grammar=schema))
        await mesh.generate(ask("one", grammar=schema, tool_choice=pb.TOOL_CHOICE_REQUIRED))
        first, second = (request.grammar for request in mesh.decodes[0].asked)
    assert (first.json_schema, first.calls.text, second.json_schema, second.calls.text) == ('{"type": "integer"}', True, "", False)


async def test_a_call_that_is_cut_says_so(site: Sites) -> None:
    async with site() as mesh:
        heard = await mesh.generate(ask("cut"))
    ((name, arguments),) = calls(heard)
    assert (name, heard.reasons()) == ("freeze", {0: LENGTH})
    assert arguments.startswith('{"卡":"信信') and "<" not in arguments


@pytest.mark.parametrize("position", [1, 4, 12, 30, 60, 90])
async def test_calls_survive_the_death_of_a_worker_with_every_piece_once(site: Sites, position: int) -> None:
    async with site(decodes=2) as mesh:
        await broken(mesh, dying, position=position)
        heard = await mesh.generate(ask("two", parallel_tool_calls=True))
        await mesh.nothing_is_held()
        asked = [request for node in mesh.decodes for request in node.asked]
    assert len(asked) == 2 and asked[0].grammar == asked[1].grammar and asked[0].grammar.HasField("calls")
    assert (heard.text(), heard.reasons()) == ("好。", {0: CALLS})
    assert calls(heard) == [("freeze", '{"卡":"信用卡"}'), ("look-up", "{}")]


TURN = pb.Message(role="assistant", tool_calls=[pb.ToolCall(id="call_1", name="look-up", arguments="{}")])
RESULT = pb.Message(role="tool", tool_call_id="call_1", content="余额 12")


async def test_results_go_back_to_the_model(site: Sites) -> None:
    async with site() as mesh:
        heard = await mesh.generate(ask("text", pb.Message(role="user", content="查"), TURN, RESULT))
    assert (heard.text(), heard.reasons()) == ("没有。", {0: STOP})


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (ask("one", tools=[pb.Tool(name=f"t{number}") for number in range(129)]), "TOOLS_INVALID", "tools"),
        (ask("one", tools=[pb.Tool(name="转账")]), "TOOLS_INVALID", "tools[0].name"),
        (ask("one", tools=[*TOOLS, TOOLS[0]]), "TOOLS_INVALID", "tools[2].name"),
        (ask("one", tools=[pb.Tool(name="a", parameters="[]")]), "TOOLS_INVALID", "tools[0].parameters"),
        (ask("one", tools=[pb.Tool(name="a", parameters='{"type": "array"}')]), "TOOLS_INVALID", "tools[0].parameters"),
        (ask("one", tools=[pb.Tool(name="a", parameters='{"$ref": "https://x/y"}')]), "TOOLS_INVALID", "tools[0].parameters"),
        (ask("one", tool_choice=pb.TOOL_CHOICE_NAMED, tool_name="other"), "TOOL_CHOICE_INVALID", "tool_name"),
        (ask("one", tool_name="freeze"), "TOOL_CHOICE_INVALID", "tool_name"),
        (ask("one", tool_choice=pb.TOOL_CHOICE_REQUIRED, tools=[]), "TOOL_CHOICE_INVALID", "tool_choice"),
        (ask("one", tool_choice=9), "TOOL_CHOICE_INVALID", "tool_choice"),
        (ask("one", grammar=generation_pb2.Grammar(calls=generation_pb2.ToolCallGrammar())), "FIELD_UNSUPPORTED", "grammar.calls"),
    ],
)
async def test_what_is_wrong_with_tools_is_named_before_any_work(
    site: Sites, request_: pb.GenerateRequest, reason: str, field: str
) -> None:
    async with site() as mesh:
        with pytest.raises(InvalidArgument) as caught:
            await mesh.generate(request_)
        assert mesh.prefills[0].asked == mesh.decodes[0].asked == mesh.decodes[0].reserved == []
    assert (caught.value.reason, caught.value.violations[0].field) == (reason, field)


async def test_an_engine_that_can_hold_no_calls_says_so(site: Sites) -> None:
    async def lacks() -> None:
        raise FailedPrecondition("it has no grammars", reason="ENGINE_LACKS_GRAMMAR")

    async with site(scenarios=scenario(mode="never")) as mesh:
        mesh.decodes[0].faults.append(lacks)
        with pytest.raises(FailedPrecondition) as caught:
            await mesh.generate(ask("one"))
    assert caught.value.reason == "ENGINE_LACKS_GRAMMAR"
