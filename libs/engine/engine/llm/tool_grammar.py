"""Answers that call tools, as a grammar: a model writes calls in the format that it was taught, here that of Hermes.

    <tool_call>
    {"name": "freeze_card", "arguments": {"card": "…"}}
    </tool_call>

Text may stand in place of calls and before them, never behind: what follows a call is another call or the end. Surprising: where text may
stand, the opening mark begins a call wherever it appears, so a text can't hold it. The blanks are those that models were taught with, since
others would cost them sense; there are no more, so that none can be written for ever.

The standard library alone: the router, which reads these answers, has the marks from here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

HERMES = "hermes"
OPEN, CLOSE = "<tool_call>", "</tool_call>"
MOST_TOOLS = 128
LARGEST_TOTAL_BYTES = 256 * 1024
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SEPARATORS = {"item_separator": ", ", "key_separator": ": "}
_ANY_TEXT = r"/(.|\n)*/"


@dataclass(frozen=True, slots=True)
class CallableTool:
    """``parameters``: the JSON schema of its arguments. ``is_strict``: a schema with a part that no grammar can hold is refused."""

    name: str
    parameters: str
    is_strict: bool = False


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """``has_text``: an answer may be text, or begin with it. ``text_schema``: the JSON that it is then; empty for any text."""

    tools: tuple[CallableTool, ...]
    has_text: bool = False
    is_parallel: bool = False
    text_schema: str = ""
    format: str = HERMES

    def canonical(self) -> str:
        """Return the text that names it."""
        tools = [[tool.name, tool.parameters, tool.is_strict] for tool in self.tools]
        return json.dumps([self.format, tools, self.has_text, self.is_parallel, self.text_schema, _SEPARATORS], ensure_ascii=False)

    def fault(self) -> str:
        """Return what is wrong with it, apart from its schemas; empty for nothing."""
        if self.format != HERMES:
            return f"tool format {self.format[:40]!r} is not known here: {HERMES} is"
        if not 1 <= len(self.tools) <= MOST_TOOLS:
            return f"{len(self.tools)} tools, 1 to {MOST_TOOLS} are possible"
        names = [tool.name for tool in self.tools]
        if not all(NAME.fullmatch(name) for name in names) or len(set(names)) < len(names):
            return "names of tools are 1 to 64 of a-z, A-Z, 0-9, _ and -, each once"
        if len(self.canonical().encode("utf-8", "replace")) > LARGEST_TOTAL_BYTES:
            return f"all tools together are larger than {LARGEST_TOTAL_BYTES} bytes"
        return ""


def lark(calls: ToolCalls, options: dict[str, Any], parameters: list[dict[str, Any]], text: dict[str, Any] | None) -> str:
    """Return the grammar for llguidance: ``parameters`` are the tools' schemas, ``text`` that of an answer without calls.

    ``options``: of JSON schemas. Names and schemas stand in it as JSON, so nothing in them is read as grammar.
    """
    rules = _begin(calls, "" if text is None else _json(text, options))
    for number, (tool, schema) in enumerate(zip(calls.tools, parameters, strict=True)):
        head = json.dumps(f'{{"name": "{tool.name}", "arguments": ')
        held = options | _SEPARATORS | {"lenient": not tool.is_strict}
        rules.append(f'tool_{number}: {head} {_json(schema, held)} "}}"')
    return "\n".join(rules)


def first_tool_line(calls: ToolCalls) -> int:
    """Return the number of the first tool's line; each has one."""
    return len(_begin(calls, "")) + 1


def _begin(calls: ToolCalls, text: str) -> list[str]:
    """Return the lines before those of the tools. ``text``: what an answer without calls is, where it is not any text."""
    many = " (next body)*" if calls.is_parallel else ""
    opened, bodies = json.dumps(OPEN), " | ".join(f"tool_{number}" for number in range(len(calls.tools)))
    if not calls.has_text:
        start = [f"start: first body{many}", f"first: {opened}"]
    elif calls.text_schema:
        start = [f"start: answer | first body{many}", f"answer: {text}", f"first: {opened}"]
    else:
        start = [f"start: TEXT | first body{many}", f"TEXT: {_ANY_TEXT}", f"first[lazy]: TEXT {opened}"]
    start += [f"next: {json.dumps(chr(10) + OPEN)}"] if many else []
    return ["%llguidance {}", *start, f'body: "\\n" ({bodies}) {json.dumps(chr(10) + CLOSE)}']


def _json(schema: dict[str, Any], options: dict[str, Any]) -> str:
    return "%json " + json.dumps(schema | {"x-guidance": options})
