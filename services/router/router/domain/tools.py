"""Tools that a request offers to a model: checked by name before any work, and what the answer may be for them.

Schemas are written anew, as models were taught to read them, so sizes are of what comes of them. A tool that isn't to be called
(`tool_choice` none) is not offered: the model is not told of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.llm.tool_grammar import LARGEST_TOTAL_BYTES, MOST_TOOLS, NAME, CallableTool, ToolCalls
from meshkit.errors import FieldViolation, InvalidArgument, InvalidDocument
from meshkit.strict_json import parse_json

from router.domain.calls import Tool, ToolChoice
from router.domain.generation import Conversation, Input, Message, Request

MAX_DESCRIPTION_BYTES, MAX_SCHEMA_BYTES, MAX_ID_CHARACTERS = 16 * 1024, 64 * 1024, 256
NO_PARAMETERS = '{"type": "object", "properties": {}, "additionalProperties": false}'
_DATA = frozenset({"const", "enum", "default", "examples"})


@dataclass(frozen=True, slots=True)
class Offer:
    """Tools as the model is told of them, and how an answer calls them."""

    tools: tuple[Tool, ...]
    calls: ToolCalls
    choice: ToolChoice

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all tools that were offered."""
        return tuple(tool.name for tool in self.tools)

    def input(self, prompt: Input) -> Input:
        """Return the conversation with these tools."""
        return replace(prompt, tools=self.tools) if isinstance(prompt, Conversation) else prompt


def offered(request: Request, model: str, tool_format: str | None) -> Offer | None:
    """Return what a request offers to a model, None for no tools. ``tool_format``: how the model writes calls, if it does.

    Raises InvalidArgument: TOOLS_UNSUPPORTED, TOOLS_INVALID, TOOL_CHOICE_INVALID.
    """
    tools = _checked(request.tools)
    choice = request.tool_choice
    if (choice is ToolChoice.NAMED) != bool(request.tool_name):
        raise _wrong("TOOL_CHOICE_INVALID", "tool_name", "a name comes with a named tool, and only then")
    if choice is ToolChoice.NAMED and request.tool_name not in {tool.name for tool in tools}:
        raise _wrong("TOOL_CHOICE_INVALID", "tool_name", "is the name of no tool of the request")
    if not tools:
        if choice is ToolChoice.REQUIRED:
            raise _wrong("TOOL_CHOICE_INVALID", "tool_choice", "there are no tools to call")
        return None
    if not isinstance(request.input, Conversation):
        raise _wrong("TOOLS_INVALID", "tools", "need a conversation")
    if choice is ToolChoice.NONE:
        return None
    if tool_format is None:
        raise unsupported(model, "tools")
    may_be_called = [CallableTool(tool.name, tool.parameters, tool.is_strict) for tool in tools if request.tool_name in ("", tool.name)]
    has_text = choice is ToolChoice.AUTO
    calls = ToolCalls(
        tools=tuple(may_be_called),
        has_text=has_text,
        is_parallel=request.are_calls_parallel and choice is not ToolChoice.NAMED,
        text_schema=request.json_schema if has_text else "",
        format=tool_format,
    )
    return Offer(tools, calls, choice)


def check_turns(messages: Sequence[Message]) -> None:
    """Check what turns say of calls. Raises InvalidArgument (TOOL_CALL_INVALID, TOOL_CALL_UNKNOWN, NAME_UNSUPPORTED)."""
    waiting: dict[str, str] = {}  # id of a call: its tool
    seen: set[str] = set()
    for number, message in enumerate(messages):
        place = f"conversation.messages[{number}]"
        if message.calls and message.role != "assistant":
            raise _wrong("TOOL_CALL_INVALID", f"{place}.tool_calls", "are an assistant's")
        if len(message.calls) > MOST_TOOLS:
            raise _wrong("TOOL_CALL_INVALID", f"{place}.tool_calls", f"at most {MOST_TOOLS}")
        for at, call in enumerate(message.calls):
            _check_call(f"{place}.tool_calls[{at}]", call.id, call.name, seen)
            _check_arguments(f"{place}.tool_calls[{at}].arguments", call.arguments)
            seen.add(call.id)
            waiting[call.id] = call.name
        if message.role == "tool":
            name = waiting.pop(message.call_id, None)
            if name is None:
                raise _wrong("TOOL_CALL_UNKNOWN", f"{place}.tool_call_id", "is no call of an earlier turn that waits for its result")
            if message.name not in ("", name):
                raise _wrong("TOOL_CALL_INVALID", f"{place}.name", f"the tool that was called is {name}")
        elif message.call_id:
            raise _wrong("TOOL_CALL_INVALID", f"{place}.tool_call_id", "is a tool's")
        elif message.name:
            raise _wrong("NAME_UNSUPPORTED", f"{place}.name", "is not supported but for the tool that was called")


def _check_call(place: str, call_id: str, name: str, seen: set[str]) -> None:
    if not 0 < len(call_id) <= MAX_ID_CHARACTERS or not call_id.isprintable() or call_id in seen:
        raise _wrong("TOOL_CALL_INVALID", f"{place}.id", f"1 to {MAX_ID_CHARACTERS} printable characters, once in a conversation")
    if not NAME.fullmatch(name):
        raise _wrong("TOOL_CALL_INVALID", f"{place}.name", "1 to 64 of a-z, A-Z, 0-9, _ and -")


def _check_arguments(place: str, text: str) -> None:
    """Any JSON object: what a model wrote is taken back, numbers beyond 64 bits too."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _wrong("TOOL_CALL_INVALID", place, "is no JSON object")


def unsupported(model: str, field: str) -> InvalidArgument:
    """Return the error of a model that calls no tools."""
    return _wrong("TOOLS_UNSUPPORTED", field, f"model {model} calls no tools")


def _checked(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """Return tools with their schemas written anew. Raises InvalidArgument (TOOLS_INVALID)."""
    if len(tools) > MOST_TOOLS:
        raise _wrong("TOOLS_INVALID", "tools", f"at most {MOST_TOOLS}")
    found, names, total = list[Tool](), set[str](), 0
    for number, tool in enumerate(tools):
        place = f"tools[{number}]"
        if not NAME.fullmatch(tool.name):
            raise _wrong("TOOLS_INVALID", f"{place}.name", "1 to 64 of a-z, A-Z, 0-9, _ and -")
        if tool.name in names:
            raise _wrong("TOOLS_INVALID", f"{place}.name", f"{tool.name} stands twice")
        names.add(tool.name)
        try:
            size = len(tool.description.encode())
        except UnicodeEncodeError:
            raise _wrong("TOOLS_INVALID", f"{place}.description", "is no text") from None
        if size > MAX_DESCRIPTION_BYTES:
            raise _wrong("TOOLS_INVALID", f"{place}.description", f"at most {MAX_DESCRIPTION_BYTES} bytes")
        parameters = _parameters(tool.parameters, f"{place}.parameters")
        total += len(tool.name) + size + len(parameters.encode())
        if total > LARGEST_TOTAL_BYTES:
            raise _wrong("TOOLS_INVALID", "tools", f"at most {LARGEST_TOTAL_BYTES} bytes together")
        found.append(tool._replace(parameters=parameters))
    return tuple(found)


def _parameters(text: str, place: str) -> str:
    if not text:
        return NO_PARAMETERS
    if len(text) > MAX_SCHEMA_BYTES:
        raise _wrong("TOOLS_INVALID", place, f"at most {MAX_SCHEMA_BYTES} bytes")
    try:
        schema = parse_json(text.encode())
    except (InvalidDocument, UnicodeEncodeError) as error:
        raise _wrong("TOOLS_INVALID", place, getattr(error, "message", "is no text")) from None
    if not isinstance(schema, dict):
        raise _wrong("TOOLS_INVALID", place, "must be a JSON object")
    if schema.setdefault("type", "object") != "object":
        raise _wrong("TOOLS_INVALID", place, "must be the schema of an object")
    if (reference := _remote(schema)) is not None:
        raise _wrong("TOOLS_INVALID", place, f"refers to {reference[:100]!r}: references are to parts of the schema itself")
    written = json.dumps(schema, ensure_ascii=False)
    if len(written.encode()) > MAX_SCHEMA_BYTES:
        raise _wrong("TOOLS_INVALID", place, f"at most {MAX_SCHEMA_BYTES} bytes")
    return written


def _remote(schema: dict[str, Any]) -> str | None:
    """Return a reference to what is not part of a schema, if it has one. Where data stand, nothing is a reference."""
    waiting: list[Any] = [schema]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            for word in ("$ref", "$dynamicRef", "$recursiveRef"):
                if isinstance(reference := item.get(word), str) and not reference.startswith("#"):
                    return reference
            waiting += [value for key, value in item.items() if key not in _DATA]
    return None


def _wrong(reason: str, field: str, problem: str) -> InvalidArgument:
    return InvalidArgument(f"{field}: {problem}", reason=reason, metadata={"field": field}, violations=(FieldViolation(field, problem),))
