"""Tools, calls and results to tokens: content like any other, whatever a template does to write them as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
from llm import chatml, tiny
from meshkit.errors import InvalidArgument, InvalidDocument
from router.adapters.jinja_worker import environment
from router.adapters.tokenizers_texts import TokenizersTexts
from router.domain.calls import Called, Tool, ToolCall
from router.domain.generation import Conversation, Finish, Message, Request
from router.domain.prompt import PromptLimits
from router.domain.tools import offered
from tokenizers import AddedToken, Tokenizer

from tests.unit.router.adapters.test_texts import HOSTILE, Opening, added, opened  # noqa: F401
from tests.unit.router.tokenizers_made import byte_level, parsed, tokenizer

TOOLS = (
    Tool("freeze_card", "冻结客户的卡", '{"type": "object", "properties": {"卡": {"type": "string"}}}'),
    Tool("look-up", "", '{"type": "object", "properties": {}}'),
)
TURNS = (
    Message("system", "你是银行助手。"),
    Message("user", "查一下"),
    Message("assistant", "好。", (ToolCall("c1", "look-up", "{}"), ToolCall("c2", "freeze_card", '{"卡": "信用卡"}'))),
    Message("tool", "余额 12", (), "c1"),
    Message("tool", "<b>已冻结</b>", (), "c2"),
    Message("assistant", "", (ToolCall("c3", "look-up", "{}"),)),
    Message("tool", "", (), "c3"),
)


def plainly(template: str, turns: tuple[Message, ...], tools: tuple[Tool, ...]) -> str:
    """What the template makes of the contents themselves."""
    messages: list[dict[str, Any]] = []
    for turn in turns:
        messages.append({"role": turn.role, "content": turn.content})
        if turn.calls:
            calls = [{"name": call.name, "arguments": json.loads(call.arguments)} for call in turn.calls]
            messages[-1]["tool_calls"] = [{"type": "function", "function": call} for call in calls]
    offered = []
    for tool in tools:
        function = {"name": tool.name} | ({"description": tool.description} if tool.description else {})
        offered.append({"type": "function", "function": function | {"parameters": json.loads(tool.parameters)}})
    return environment().from_string(template).render(messages=messages, tools=offered or None, add_generation_prompt=True)


async def said(model: Any, turns: tuple[Message, ...], tools: tuple[Tool, ...]) -> str:
    ids = await model.texts.tokens(model.model, Conversation(turns, tools))
    return str(model.made.decode(list(ids), skip_special_tokens=False))


QUOTING = """{% for tool in tools or [] %}{"name": "{{ tool.function.name }}",
 "description": {{ tool.function.description | default('') | tojson }},
 "parameters": {{ tool.function.parameters | tojson }}}{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}:{{ m.content }}
{% for c in m.tool_calls or [] %}<tool_call>{"name": {{ c.function.name | tojson }}, "arguments":
 {{ c.function.arguments if c.function.arguments is string else c.function.arguments | tojson }}}</tool_call>{% endfor %}{% endfor %}"""


@pytest.mark.parametrize("template", [chatml.HERMES_TEMPLATE, QUOTING], ids=["hermes", "by hand"])
async def test_tools_calls_and_results_are_what_the_template_says(opened: Opening, template: str) -> None:  # noqa: F811
    async with opened(template, tool_format="hermes") as model:
        assert model.model.tool_format == "hermes"
        for count in range(1, len(TURNS) + 1):
            for tools in ((), TOOLS[:1], TOOLS):
                assert await said(model, TURNS[:count], tools) == plainly(template, TURNS[:count], tools)


@pytest.mark.parametrize("content", [*HOSTILE, '"', "\\", '"}}\n</tools>', "<tool_call>", "</tool_response>"])
async def test_nothing_of_tools_yields_an_added_token(opened: Opening, content: str) -> None:  # noqa: F811
    made = tokenizer(byte_level())
    made.add_tokens([AddedToken("<tool_call>", special=False), AddedToken("</tool_call>", special=False)])
    document = parsed(made)
    schema = json.dumps({"type": "object", "properties": {content: {"const": content}}}, ensure_ascii=False)
    arguments = json.dumps({content: content}, ensure_ascii=False)
    turns = (Message("user", "x"), Message("assistant", "", (ToolCall("c", "a", arguments),)), Message("tool", content, (), "c"))
    plain = (Message("user", "x"), Message("assistant", "", (ToolCall("c", "a", "{}"),)), Message("tool", "y", (), "c"))
    async with opened(chatml.HERMES_TEMPLATE, document, tool_format="hermes") as model:
        ids, wanted = [
            [each for each in await model.texts.tokens(model.model, Conversation(*asked)) if each in added(document)]
            for asked in ((turns, (Tool("a", content, schema),)), (plain, (Tool("a", "d", "{}"),)))
        ]
        assert ids == wanted, "control tokens and marks are the template's alone"
        text = await said(model, turns, (Tool("a", content, schema),))
    for written in (schema, arguments, json.dumps(content, ensure_ascii=False), f"<tool_response>\n{content}\n</tool_response>"):
        assert written in text


CANNOT = {
    "leaves descriptions out": chatml.HERMES_TEMPLATE.replace("tool | tojson", "tool.function.name ~ (tool.function.parameters | tojson)"),
    "knows no tools": chatml.TEMPLATE,
    "reads arguments": chatml.HERMES_TEMPLATE.replace("call.function.arguments | tojson", "call.function.arguments.items() | list"),
    "reads schemas": chatml.HERMES_TEMPLATE.replace("tool | tojson", "tool.function.parameters.properties.keys() | list"),
    "cuts": chatml.HERMES_TEMPLATE.replace("tool | tojson", "(tool | tojson)[:60]"),
    "refuses": chatml.HERMES_TEMPLATE.replace("{%- if tools %}", "{%- if tools %}{{ raise_exception('no') }}"),
}


@pytest.mark.parametrize("template", CANNOT.values(), ids=CANNOT.keys())
async def test_a_model_whose_template_has_no_tools_that_we_know_gets_none_and_serves(opened: Opening, template: str) -> None:  # noqa: F811
    async with opened(template, tool_format="hermes") as model:
        assert model.model.tool_format is None
        assert await said(model, TURNS[:2], ()) == plainly(template, TURNS[:2], ())
        for prompt in (Conversation(TURNS[:2], TOOLS), Conversation(TURNS[:3]), Conversation((Message("tool", "x"),))):
            with pytest.raises(InvalidArgument) as caught:
                await model.texts.tokens(model.model, prompt)
            assert caught.value.reason == "TOOLS_UNSUPPORTED" and "made" in caught.value.message


async def test_a_mark_that_no_text_has_is_refused_at_load(opened: Opening) -> None:  # noqa: F811
    made = tokenizer(byte_level())
    made.add_special_tokens([AddedToken("<tool_call>", special=True)])
    with pytest.raises(InvalidDocument) as caught:
        async with opened(chatml.HERMES_TEMPLATE, parsed(made), tool_format="hermes"):
            pytest.fail("it was loaded")
    assert caught.value.reason == "TOKENIZER_INVALID"


async def test_tools_count_as_text_of_the_prompt(opened: Opening) -> None:  # noqa: F811
    async with opened(chatml.HERMES_TEMPLATE, limits=PromptLimits(60_000), tool_format="hermes", max_len=1 << 20) as model:
        large = Tool("a", "d" * 55_000, "{}")
        assert await said(model, TURNS[:2], (large,))
        for tools in ((large, Tool("b", "d" * 5_000, "{}")), (Tool("a", "", '{"description": "' + "x" * 60_000 + '"}'),)):
            with pytest.raises(InvalidArgument, match="too long"):
                await model.texts.tokens(model.model, Conversation(TURNS[:2], tools))
        arguments = (Message("assistant", "", (ToolCall("c", "a", '{"q": "' + "x" * 60_000 + '"}'),)),)
        with pytest.raises(InvalidArgument, match="too long"):
            await model.texts.tokens(model.model, Conversation(arguments))


@pytest.mark.parametrize("has_marks", [False, True])
async def test_calls_are_told_apart_whatever_tokens_they_come_in(opened: Opening, has_marks: bool) -> None:  # noqa: F811
    """Marks in one token or in several, cut at any token, and characters in halves: by bytes, each a token."""
    made = tokenizer(byte_level())
    if has_marks:
        made.add_tokens([AddedToken(mark, special=False) for mark in ("<tool_call>", "</tool_call>")])
    answer = '请稍等。😀\n<tool_call>\n{"name": "look-up", "arguments": {"客户": "张三😀<tool_call>"}}\n</tool_call>'
    async with opened(chatml.HERMES_TEMPLATE, parsed(made), tool_format="hermes") as model:
        vocabulary = model.texts._models[model.model.digest].vocabulary
        byte = {text: number for number, text in enumerate(vocabulary.texts) if len(text) == 1}
        asked = Request("t", "", "", 1, Conversation(TURNS), tools=TOOLS)
        for ids in (model.made.encode(answer).ids, [byte[bytes([each])] for each in answer.encode()]):
            text = model.texts.choice(model.model, ["张三"], offered(asked, "made", "hermes"))
            pieces = [text.push(each) for each in [*ids, 2]]
            last, reason = text.end(Finish.STOP)
            calls = [call for piece in [*pieces, last] for call in piece.calls]
            assert "".join(piece.text for piece in [*pieces, last]) == "请稍等。😀"
            assert (calls[0].name, "".join(call.arguments for call in calls)) == ("look-up", '{"客户": "张三😀<tool_call>"}')
            assert reason is Finish.TOOL_CALLS and text.called == (Called("look-up", '{"客户": "张三😀<tool_call>"}'),)


async def test_the_tiny_model_with_tools_is_known_to_the_router(tmp_path: Path) -> None:
    path = tiny.make(tmp_path, tiny.Tiny(tools=True))
    async with TokenizersTexts.opened([path], PromptLimits()) as texts:
        (model,) = texts.models
        assert model.tool_format == "hermes"
        ids = await texts.tokens(model, Conversation(TURNS, TOOLS))
        text = Tokenizer.from_file(str(path / "tokenizer.json")).decode(list(ids), skip_special_tokens=False)
        assert text == plainly(chatml.HERMES_TEMPLATE, TURNS, TOOLS)
    assert tiny.make(tmp_path).name != path.name


def test_the_template_itself_is_one_that_jinja_knows() -> None:
    jinja2.Environment().parse(chatml.HERMES_TEMPLATE)
