"""Tools of the API as the router's, and calls as the API tells them. Functions are the one kind of tool; others are refused by name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from finmesh.router.v1 import router_service_pb2 as router

from gateway.openai.fields import Fields, unsupported, wrong

MAX_TOOLS = 128
_CHOICES = {"auto": router.TOOL_CHOICE_AUTO, "none": router.TOOL_CHOICE_NONE, "required": router.TOOL_CHOICE_REQUIRED}


def take(fields: Fields, request: router.GenerateRequest) -> None:
    """Read tools, whether they are called, and whether several at once, as is assumed. Raises InvalidArgument."""
    tools = [_tool(Fields(each, f"tools[{number}].")) for number, each in enumerate(_list(fields.take("tools"), "tools"))]
    choice, parallel = fields.take("tool_choice"), fields.take("parallel_tool_calls")
    if parallel is not None and not isinstance(parallel, bool):
        raise wrong("parallel_tool_calls", "must be true or false")
    if not tools:
        if choice not in (None, "none", "auto"):
            raise wrong("tool_choice", "needs tools")
        return
    request.parallel_tool_calls = parallel is not False
    if isinstance(choice, dict):
        tools = _chosen(Fields(choice, "tool_choice."), tools, request)
    elif choice is None or (isinstance(choice, str) and choice in _CHOICES):
        request.tool_choice = _CHOICES[choice or "auto"]
    else:
        raise wrong("tool_choice", "must be auto, none, required or an object")
    request.tools.extend(tools)


def _list(value: Any, place: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise wrong(place, "must be a list")
    if value is not None and len(value) > MAX_TOOLS:
        raise wrong(place, f"at most {MAX_TOOLS}")
    return value or []


def _tool(fields: Fields) -> router.Tool:
    _function(fields)
    inner = Fields(fields.take("function"), fields.place + "function.")
    parameters = inner.take("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise wrong(inner.place + "parameters", "must be an object")
    tool = router.Tool(name=inner.text("name"), description=inner.text("description", ""), strict=inner.flag("strict"))
    if parameters is not None:
        tool.parameters = json.dumps(parameters, ensure_ascii=False, separators=(",", ":"))
    inner.end()
    fields.end()
    return tool


def _function(fields: Fields) -> None:
    if fields.text("type") != "function":
        raise unsupported(fields.place + "type")


def _chosen(fields: Fields, tools: list[router.Tool], request: router.GenerateRequest) -> list[router.Tool]:
    """Read a choice that names tools; returns those that the model is offered."""
    kind = fields.text("type")
    if kind == "function":
        request.tool_choice, request.tool_name = router.TOOL_CHOICE_NAMED, _named(fields, tools)
    elif kind == "allowed_tools":
        inner = Fields(fields.take("allowed_tools"), fields.place + "allowed_tools.")
        mode = inner.text("mode")
        if mode not in ("auto", "required"):
            raise wrong(inner.place + "mode", "must be auto or required")
        request.tool_choice = _CHOICES[mode]
        place = inner.place + "tools"
        listed = [Fields(each, f"{place}[{number}].") for number, each in enumerate(_list(inner.take("tools"), place))]
        if not listed:
            raise wrong(place, "must be a list of at least one tool")
        names = {_allowed(each, tools) for each in listed}
        tools = [tool for tool in tools if tool.name in names]
        inner.end()
    else:
        raise unsupported(fields.place + "type")
    fields.end()
    return tools


def _allowed(fields: Fields, tools: list[router.Tool]) -> str:
    _function(fields)
    name = _named(fields, tools)
    fields.end()
    return name


def _named(fields: Fields, tools: list[router.Tool]) -> str:
    inner = Fields(fields.take("function"), fields.place + "function.")
    name = inner.text("name")
    inner.end()
    if name not in {tool.name for tool in tools}:
        raise wrong(inner.place + "name", "is the name of none of the tools")
    return name


def calls_of(value: Any, place: str) -> list[router.ToolCall]:
    """Return the calls of an assistant's turn. Raises InvalidArgument."""
    calls = []
    for number, each in enumerate(_list(value, place)):
        fields = Fields(each, f"{place}[{number}].")
        fields.take("index")  # of a stream, which some clients send back
        _function(fields)
        inner = Fields(fields.take("function"), fields.place + "function.")
        calls.append(router.ToolCall(id=fields.text("id"), name=inner.text("name"), arguments=inner.text("arguments")))
        inner.end()
        fields.end()
    return calls


def told(deltas: Iterable[router.ToolCallDelta]) -> list[dict[str, Any]]:
    """Return pieces of calls as a chunk of a stream has them."""
    found: list[dict[str, Any]] = []
    for delta in deltas:
        head = {"id": delta.id, "type": "function"} if delta.id else {}
        name = {"name": delta.name} if delta.id else {}
        found.append({"index": delta.index, **head, "function": {**name, "arguments": delta.arguments}})
    return found


class Calls:
    """The calls of one answer, put together of their pieces."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[str, str, list[str]]] = {}

    def take(self, deltas: Iterable[router.ToolCallDelta]) -> None:
        """Take the next pieces."""
        for delta in deltas:
            self._calls.setdefault(delta.index, (delta.id, delta.name, []))[2].append(delta.arguments)

    def whole(self) -> list[dict[str, Any]]:
        """Return them as a message has them."""
        return [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": "".join(pieces)}}
            for call_id, name, pieces in self._calls.values()
        ]
