"""What may be written where tools may be called: by a model that writes anything the grammar allows."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from engine.llm.errors import Refused
from engine.llm.grammar import Grammars, Matcher, grammar_digest
from engine.llm.tool_grammar import CLOSE, LARGEST_TOTAL_BYTES, MOST_TOOLS, OPEN, CallableTool, ToolCalls
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from llm import tiny

VOCABULARY, END = 384, tiny.END_ID
TOKENIZER = tiny.tokenizer(VOCABULARY).decode()
ENCODER = tiny.Tokenizer.from_str(TOKENIZER)
FREEZE = {
    "type": "object",
    "properties": {
        "原因": {"enum": ["遗失", "被盗"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 30},
        "now": {"type": "boolean"},
    },
    "required": ["原因", "days"],
    "additionalProperties": False,
}
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
SCHEMAS = {"freeze_card": FREEZE, "list-cards": NOTHING}
CALL = re.compile(re.escape(OPEN) + r'\n\{"name": "([a-z_-]+)", "arguments": (.*?)\}\n' + re.escape(CLOSE), re.DOTALL)


def tool(name: str, schema: Any, *, is_strict: bool = False) -> CallableTool:
    return CallableTool(name, json.dumps(schema, ensure_ascii=False), is_strict)


TOOLS = tuple(tool(name, schema) for name, schema in SCHEMAS.items())


@pytest.fixture(scope="module")
def grammars() -> Grammars:
    return Grammars(TOKENIZER, VOCABULARY, [END, tiny.END_OF_TEXT_ID])


def written(matcher: Matcher, seed: int, longest: int = 600) -> tuple[str, bool]:
    """Any text that the grammar allows, and whether it came to an end."""
    chance, tokens = np.random.default_rng(seed), list[int]()
    while len(tokens) < longest:
        if matcher.is_stopped:
            return ENCODER.decode(tokens), True
        token = int(chance.choice(np.flatnonzero(matcher.mask())))
        if token in (END, tiny.END_OF_TEXT_ID):
            return ENCODER.decode(tokens), True
        matcher.advance(token)
        tokens.append(token)
    return ENCODER.decode(tokens), False


def takes(grammars: Grammars, form: ToolCalls, text: str) -> tuple[bool, bool]:
    """Whether a text may be written, and whether it may end there."""
    try:
        matcher = grammars.matcher(form, ENCODER.encode(text).ids)
    except Refused:
        return False, False
    return True, bool(matcher.mask()[END])


def calls_of(text: str) -> list[tuple[str, Any]]:
    """The calls of a text that holds nothing else."""
    assert CALL.sub("", text).strip("\n") == ""
    return [(name, json.loads(arguments)) for name, arguments in CALL.findall(text)]


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=80, deadline=None)
def test_where_a_call_is_required_every_answer_is_calls_that_fit_their_schemas(grammars: Grammars, seed: int, is_parallel: bool) -> None:
    text, ended = written(grammars.matcher(ToolCalls(TOOLS, is_parallel=is_parallel)), seed)
    assert ended
    found = calls_of(text)
    assert len(found) >= 1 and (is_parallel or len(found) == 1)
    for name, arguments in found:
        Draft202012Validator(SCHEMAS[name]).validate(arguments)


def test_there_may_be_several_calls_and_then_there_are(grammars: Grammars) -> None:
    several = [written(grammars.matcher(ToolCalls(TOOLS, is_parallel=True)), seed)[0].count(OPEN) for seed in range(300)]
    assert max(several) > 1


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_where_text_may_stand_an_opening_mark_begins_a_call_that_fits(grammars: Grammars, seed: int, is_parallel: bool) -> None:
    """The model is led to the mark by hand, since it would never write it by chance."""
    chance = np.random.default_rng(seed)
    before = ["", "好的，", "a < b\n", "</tool_call>", "<tool_cal", "<<"][int(chance.integers(6))]
    form = ToolCalls(TOOLS, has_text=True, is_parallel=is_parallel)
    text, ended = written(grammars.matcher(form, ENCODER.encode(before + OPEN).ids), seed)
    assert ended
    for name, arguments in calls_of(OPEN + text):
        Draft202012Validator(SCHEMAS[name]).validate(arguments)


@pytest.mark.parametrize("text", ["", "客户 <没有> 卡。", "<tool_cal", "</tool_call>", '{"name": "freeze_card"}', "\n\n"])
def test_text_that_calls_nothing_may_end_anywhere(grammars: Grammars, text: str) -> None:
    assert takes(grammars, ToolCalls(TOOLS, has_text=True), text) == (True, True)
    assert takes(grammars, ToolCalls(TOOLS), text + "。") == (False, False)


def test_behind_a_call_there_is_another_or_the_end(grammars: Grammars) -> None:
    call = f'{OPEN}\n{{"name": "list-cards", "arguments": {{}}}}\n{CLOSE}'
    several, one = (ToolCalls(TOOLS, has_text=True, is_parallel=each) for each in (True, False))
    assert takes(grammars, several, "好。" + call) == (True, True)
    assert takes(grammars, several, f"{call}\n{call}") == (True, True)
    assert takes(grammars, several, call + "好") == (False, False)
    assert grammars.matcher(one, ENCODER.encode(call).ids).is_stopped
    assert takes(grammars, one, f"{call}\n{call}") == (False, False)


@pytest.mark.parametrize(
    "body",
    ['{"name": "other", "arguments": {}}', '{"name": "freeze_card", "arguments": {}}', '{"name": "list-cards", "arguments": []}', "hello"],
)
def test_no_other_tool_and_no_other_arguments_are_called(grammars: Grammars, body: str) -> None:
    for form in (ToolCalls(TOOLS), ToolCalls(TOOLS, has_text=True)):
        assert takes(grammars, form, f"{OPEN}\n{body}\n{CLOSE}") == (False, False)


def test_in_place_of_calls_there_may_be_json_of_a_schema_alone(grammars: Grammars) -> None:
    form = ToolCalls(TOOLS, has_text=True, text_schema='{"enum": ["批准", "拒绝"]}')
    assert takes(grammars, form, '"批准"') == (True, True)
    assert takes(grammars, form, "批准") == (False, False)
    assert takes(grammars, form, f'{OPEN}\n{{"name": "list-cards", "arguments": {{}}}}\n{CLOSE}') == (True, True)


def test_a_schema_stands_in_the_grammar_as_json_whatever_it_holds(grammars: Grammars) -> None:
    hostile = 'x" }\nstart: "evil"\n%json {} // /(.|\n)*/ <|im_end|>'
    schema = {"type": "object", "properties": {hostile: {"const": hostile}}, "required": [hostile], "additionalProperties": False}
    text, ended = written(grammars.matcher(ToolCalls((tool("a", schema),))), 1)
    assert ended and calls_of(text) == [("a", {hostile: hostile})]


@pytest.mark.parametrize(
    ("schema", "strict", "reason"),
    [
        ({"$ref": "https://example.com/s.json"}, False, "SCHEMA_INVALID"),
        ({"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}}, False, "SCHEMA_INVALID"),
        ({"type": "object", "x-guidance": {"whitespace_flexible": True}}, False, "SCHEMA_INVALID"),
        ({"type": "object", "properties": {"a": {"multipleOf": 1919}, "b": {"multipleOf": 1921}}}, False, "SCHEMA_INVALID"),
        ({"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=x)"}}}, False, "SCHEMA_INVALID"),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, False, "GRAMMAR_UNSATISFIABLE"),
        ({"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}, True, "SCHEMA_INVALID"),
        ({"type": "object", "properties": {"a": {"type": "string", "format": "客户号"}}}, True, "SCHEMA_INVALID"),
    ],
)
def test_a_schema_that_cannot_be_held_is_refused_with_the_name_of_its_tool(
    grammars: Grammars, schema: Any, strict: bool, reason: str
) -> None:
    for has_text in (False, True):
        with pytest.raises(Refused) as refused:
            grammars.matcher(ToolCalls((*TOOLS, tool("odd_one", schema, is_strict=strict)), has_text=has_text, is_parallel=True))
        assert refused.value.reason == reason
        assert "odd_one" in refused.value.message and "freeze_card" not in refused.value.message


@pytest.mark.parametrize(
    "part", [{"format": "客户号", "type": "string"}, {"type": "array", "uniqueItems": True}, {"not": {"type": "null"}}]
)
def test_of_a_schema_that_is_not_strict_the_parts_that_can_be_held_hold(grammars: Grammars, part: Any) -> None:
    schema = {"type": "object", "properties": {"a": part, "b": {"const": 7}}, "required": ["b"], "additionalProperties": False}
    form = ToolCalls((tool("t", schema),))
    assert takes(grammars, form, f'{OPEN}\n{{"name": "t", "arguments": {{"b": 7}}}}\n{CLOSE}') == (True, True)
    assert takes(grammars, form, f'{OPEN}\n{{"name": "t", "arguments": {{"b": 8}}}}\n{CLOSE}') == (False, False)


@pytest.mark.parametrize(
    "form",
    [
        ToolCalls(()),
        ToolCalls(tuple(tool(f"t{number}", NOTHING) for number in range(MOST_TOOLS + 1))),
        ToolCalls((*TOOLS, TOOLS[0])),
        ToolCalls((tool('a"', NOTHING),)),
        ToolCalls((tool("", NOTHING),)),
        ToolCalls((tool("转账", NOTHING),)),
        ToolCalls((tool("a" * 65, NOTHING),)),
        ToolCalls(TOOLS, format="xml"),
        ToolCalls(
            tuple(tool(f"t{number}", NOTHING | {"description": "款" * 5_000}) for number in range(LARGEST_TOTAL_BYTES // 15_000 + 1))
        ),
    ],
    ids=["none", "many", "twice", "quote", "empty", "chinese", "long", "format", "large"],
)
def test_what_is_no_list_of_tools_is_refused(grammars: Grammars, form: ToolCalls) -> None:
    with pytest.raises(Refused) as refused:
        grammars.matcher(form)
    assert refused.value.reason == "SCHEMA_INVALID"


def test_as_many_tools_as_there_may_be(grammars: Grammars) -> None:
    tools = tuple(tool(f"tool_{number}", FREEZE | {"description": f"工具 {number}"}) for number in range(MOST_TOOLS))
    text, ended = written(grammars.matcher(ToolCalls(tools, is_parallel=True)), 3)
    assert ended
    for _, arguments in re.findall(r'"name": "(tool_[0-9]+)", "arguments": (.*)\}', text):
        Draft202012Validator(FREEZE).validate(json.loads(arguments))


def test_one_takes_the_tokens_so_far_and_goes_on(grammars: Grammars) -> None:
    form = ToolCalls(TOOLS, has_text=True, is_parallel=True)
    text = f'好{OPEN}\n{{"name": "freeze_card", "arguments": {{"原因": "被盗", "days": 3}}}}\n{CLOSE}\n{OPEN}'
    whole = ENCODER.encode(text).ids
    for cut in range(len(whole)):
        one, two = grammars.matcher(form, whole[:cut]), grammars.matcher(form)
        for token in whole[:cut]:
            two.advance(token)
        assert (one.mask() == two.mask()).all()


def test_the_digest_names_everything_that_it_is_made_of() -> None:
    forms = [
        ToolCalls(TOOLS), ToolCalls(TOOLS[::-1]), ToolCalls(TOOLS, has_text=True), ToolCalls(TOOLS, is_parallel=True),
        ToolCalls(TOOLS, text_schema="{}"), ToolCalls(TOOLS[:1]), ToolCalls((tool("freeze_card", FREEZE, is_strict=True), TOOLS[1])),
    ]  # fmt: skip
    digests = {grammar_digest("aa", each) for each in forms} | {grammar_digest("aa", forms[0].canonical())}
    assert len(digests) == len(forms) + 1
    assert grammar_digest("ab", forms[0]) != grammar_digest("aa", ToolCalls(TOOLS)) == grammar_digest("aa", forms[0])
