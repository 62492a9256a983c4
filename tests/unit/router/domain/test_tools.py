"""What may be offered to a model, and what may be said of calls."""

from __future__ import annotations

import json
from typing import Any

import pytest
from engine.llm.tool_grammar import LARGEST_TOTAL_BYTES, MOST_TOOLS
from meshkit.errors import InvalidArgument
from router.domain.calls import Tool, ToolCall, ToolChoice
from router.domain.generation import Conversation, Message, Request, Text
from router.domain.tools import MAX_DESCRIPTION_BYTES, MAX_SCHEMA_BYTES, NO_PARAMETERS, Offer, check_turns, offered

OBJECT = '{"type": "object"}'
TURNS = Conversation((Message("user", "x"),))


def ask(*tools: Tool, **fields: Any) -> Request:
    return Request(**({"tenant": "t", "scenario": "", "model": "", "grade": 1, "input": TURNS, "tools": tools} | fields))


def offer(*tools: Tool, **fields: Any) -> Offer:
    made = offered(ask(*tools, **fields), "m", "hermes")
    assert made is not None
    return made


def failure(request: Request, tool_format: str | None = "hermes") -> tuple[str, str]:
    with pytest.raises(InvalidArgument) as caught:
        offered(request, "m", tool_format)
    (violation,) = caught.value.violations
    assert caught.value.metadata["field"] == violation.field
    return caught.value.reason, violation.field


def test_schemas_are_written_anew_as_models_read_them() -> None:
    text = '{ "type":"object",\n"properties":{"\\u5361":{"enum":["\\u003c",1e2]}}}'
    first, second = offer(Tool("a", "卡", text), Tool("b")).tools
    assert first.parameters == '{"type": "object", "properties": {"卡": {"enum": ["<", 100.0]}}}'
    assert second.parameters == NO_PARAMETERS


def test_a_schema_without_a_type_is_that_of_an_object() -> None:
    assert json.loads(offer(Tool("a", "", "{}")).tools[0].parameters) == {"type": "object"}


@pytest.mark.parametrize(
    "schema",
    [
        "[]", "1", "{", '{"a": 1, "a": 2}', '{"type": "array"}', '{"type": ["object", "null"]}', '{"a": NaN}', '{"a": 1e999}',
        '{"a": "\\ud800"}', "[" * 3000 + "]" * 3000, '{"a":' * 100 + "1" + "}" * 100,
        '{"enum": ["' + "宽" * (MAX_SCHEMA_BYTES // 3) + '"]}',
        '{"enum": [' + ",".join(["1"] * 24_000) + "]}",  # below the bound as it came, above it as it is written
        '{"$ref": "https://example.com/s.json"}', '{"properties": {"a": {"$ref": "file:///etc/passwd"}}}',
        '{"anyOf": [{"$dynamicRef": "other#x"}]}', '{"$id": "http://x/", "allOf": [{"$ref": "y"}]}',
    ],
)  # fmt: skip
def test_what_is_no_schema_of_an_object_is_refused_by_its_place(schema: str) -> None:
    assert failure(ask(Tool("ok"), Tool("a", "", schema))) == ("TOOLS_INVALID", "tools[1].parameters")


@pytest.mark.parametrize(
    "schema",
    [
        '{"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}',
        '{"properties": {"$ref": {"type": "string"}}}',
        '{"properties": {"a": {"const": {"$ref": "https://x/y"}, "default": {"$ref": "z"}}}}',
        '{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}',
    ],
)
def test_what_only_looks_like_a_reference_to_elsewhere_is_taken(schema: str) -> None:
    assert offer(Tool("a", "", schema)).tools


@pytest.mark.parametrize("name", ["", "a b", "转账", "a" * 65, "a.b", 'a"', "a\n", "<tool_call>"])
def test_names_are_letters_digits_and_dashes(name: str) -> None:
    assert failure(ask(Tool(name))) == ("TOOLS_INVALID", "tools[0].name")


def test_names_are_unique_and_descriptions_are_texts_within_bounds() -> None:
    assert failure(ask(Tool("a"), Tool("A"), Tool("a"))) == ("TOOLS_INVALID", "tools[2].name")
    assert failure(ask(Tool("a", "x" * (MAX_DESCRIPTION_BYTES + 1)))) == ("TOOLS_INVALID", "tools[0].description")
    assert failure(ask(Tool("a", "宽" * (MAX_DESCRIPTION_BYTES // 3 + 1)))) == ("TOOLS_INVALID", "tools[0].description")
    assert failure(ask(Tool("a", "\ud800"))) == ("TOOLS_INVALID", "tools[0].description")


def test_there_are_at_most_so_many_and_so_much_together() -> None:
    most = [Tool(f"t{number}", "d" * 1_500) for number in range(MOST_TOOLS)]
    assert len(offer(*most).tools) == MOST_TOOLS
    assert failure(ask(*most, Tool("one_more"))) == ("TOOLS_INVALID", "tools")
    large = '{"type": "object", "description": "' + "x" * 60_000 + '"}'
    assert failure(ask(*[Tool(f"t{number}", "", large) for number in range(LARGEST_TOTAL_BYTES // 60_000 + 1)])) == (
        "TOOLS_INVALID",
        "tools",
    )


def test_a_model_that_calls_no_tools_says_so() -> None:
    assert failure(ask(Tool("a")), None) == ("TOOLS_UNSUPPORTED", "tools")
    assert offered(ask(), "m", None) is None
    assert offered(ask(Tool("a"), tool_choice=ToolChoice.NONE), "m", None) is None


def test_tools_need_a_conversation() -> None:
    assert failure(ask(Tool("a"), input=Text("x"))) == ("TOOLS_INVALID", "tools")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"tool_choice": ToolChoice.NAMED}, "tool_name"),
        ({"tool_choice": ToolChoice.NAMED, "tool_name": "other"}, "tool_name"),
        ({"tool_choice": ToolChoice.REQUIRED, "tool_name": "a"}, "tool_name"),
        ({"tool_choice": ToolChoice.REQUIRED, "tools": ()}, "tool_choice"),
        ({"tool_choice": ToolChoice.NAMED, "tool_name": "a", "tools": ()}, "tool_name"),
    ],
)
def test_a_choice_and_its_tools_agree(fields: dict[str, Any], place: str) -> None:
    assert failure(ask(**({"tools": (Tool("a"),)} | fields))) == ("TOOL_CHOICE_INVALID", place)


def test_all_tools_are_told_and_a_named_one_alone_is_called() -> None:
    made = offer(Tool("a"), Tool("b", is_strict=True), tool_choice=ToolChoice.NAMED, tool_name="b", are_calls_parallel=True)
    assert made.names == ("a", "b")
    assert [(tool.name, tool.is_strict) for tool in made.calls.tools] == [("b", True)]
    assert not made.calls.has_text and not made.calls.is_parallel


def call(call_id: str = "c", name: str = "look-up", arguments: str = "{}") -> Message:
    return Message("assistant", "", (ToolCall(call_id, name, arguments),))


def result(call_id: str = "c", name: str = "") -> Message:
    return Message("tool", "12", (), call_id, name)


@pytest.mark.parametrize(
    "turns",
    [
        [call(), result()],
        [call(), result(name="look-up")],
        [Message("assistant", "好", (ToolCall("a", "x", "{}"), ToolCall("b", "y", '{"q": "客户"}'))), result("b"), result("a")],
        [call(), Message("user", "还在吗？"), result()],
        [call(), Message("user", "算了")],
        [call(arguments='{"n": 123456789012345678901234567890, "n": 1e400}'), result()],  # as a model may have written it
    ],
)
def test_results_answer_calls_of_earlier_turns(turns: list[Message]) -> None:
    check_turns(turns)


@pytest.mark.parametrize(
    ("turns", "reason", "place"),
    [
        ([result()], "TOOL_CALL_UNKNOWN", "[0].tool_call_id"),
        ([result(), call()], "TOOL_CALL_UNKNOWN", "[0].tool_call_id"),
        ([call(), result("d")], "TOOL_CALL_UNKNOWN", "[1].tool_call_id"),
        ([call(), result(""), result()], "TOOL_CALL_UNKNOWN", "[1].tool_call_id"),
        ([call(), result(), result()], "TOOL_CALL_UNKNOWN", "[2].tool_call_id"),
        ([call(), result(name="other")], "TOOL_CALL_INVALID", "[1].name"),
        ([call(), call()], "TOOL_CALL_INVALID", "[1].tool_calls[0].id"),
        ([call("")], "TOOL_CALL_INVALID", "[0].tool_calls[0].id"),
        ([call("a\n")], "TOOL_CALL_INVALID", "[0].tool_calls[0].id"),
        ([call("a" * 257)], "TOOL_CALL_INVALID", "[0].tool_calls[0].id"),
        ([call(name="转账")], "TOOL_CALL_INVALID", "[0].tool_calls[0].name"),
        ([call(arguments="[]")], "TOOL_CALL_INVALID", "[0].tool_calls[0].arguments"),
        ([call(arguments='{"a": ')], "TOOL_CALL_INVALID", "[0].tool_calls[0].arguments"),
        ([call(arguments="[" * 100_000)], "TOOL_CALL_INVALID", "[0].tool_calls[0].arguments"),
        ([call(arguments='{"a": ' + "9" * 5_000 + "}")], "TOOL_CALL_INVALID", "[0].tool_calls[0].arguments"),
        ([Message("user", "x", (ToolCall("c", "a", "{}"),))], "TOOL_CALL_INVALID", "[0].tool_calls"),
        ([Message("assistant", "", tuple(ToolCall(f"c{at}", "a", "{}") for at in range(129)))], "TOOL_CALL_INVALID", "[0].tool_calls"),
        ([Message("user", "x", (), "c")], "TOOL_CALL_INVALID", "[0].tool_call_id"),
        ([Message("user", "x", (), "", "张三")], "NAME_UNSUPPORTED", "[0].name"),
    ],
)
def test_what_is_wrong_with_turns_is_named(turns: list[Message], reason: str, place: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_turns(turns)
    assert (caught.value.reason, caught.value.violations[0].field) == (reason, f"conversation.messages{place}")
