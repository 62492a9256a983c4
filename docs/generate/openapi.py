"""The HTTP door's OpenAPI document. A contract test holds every field against the readers of bodies."""

from __future__ import annotations

from typing import Any

import yaml
from gateway.openai.requests import MAX_CHOICES, MAX_PROMPTS, neutral_fields
from gateway.openai.tools import MAX_TOOLS

TEXT, FLAG = {"type": "string"}, {"type": "boolean"}
_ERROR = {"description": "an error", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
_NULLABLE = ("string", "boolean", "integer", "number", "array", "object")


def _optional(schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"type": [schema["type"], "null"]} if schema.get("type") in _NULLABLE else {"anyOf": [schema, {"type": "null"}]}


def _whole(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


def _number(least: float, most: float) -> dict[str, Any]:
    return {"type": "number", "minimum": least, "maximum": most}


_STOP = {"anyOf": [TEXT | {"minLength": 1}, {"type": "array", "items": TEXT | {"minLength": 1}, "maxItems": 16}]}
_COMMON: dict[str, Any] = {
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "n": _whole(1, MAX_CHOICES),
    "seed": _whole(-(2**63), 2**63 - 1),
    "stop": _STOP,
    "max_tokens": _whole(1, 2**31 - 1),
    "stream": FLAG,
    "stream_options": {"type": "object", "properties": {"include_usage": FLAG}},
}
_PART = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {"type": {"const": "text"}, "text": TEXT},
    "additionalProperties": False,
}
_CALL = {
    "type": "object",
    "required": ["id", "type", "function"],
    "properties": {
        "id": TEXT,
        "type": {"const": "function"},
        "function": {"type": "object", "required": ["name", "arguments"], "properties": {"name": TEXT, "arguments": TEXT}},
    },
}
_MESSAGE = {
    "type": "object",
    "required": ["role"],
    "properties": {
        "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
        "content": {"anyOf": [TEXT, {"type": "array", "items": _PART}, {"type": "null"}]},
        "tool_calls": {"type": ["array", "null"], "items": _CALL, "description": "of an assistant, who may have no content then"},
        "tool_call_id": {"type": ["string", "null"], "description": "of a tool: the call that this is the result of"},
        "name": {"type": ["string", "null"], "description": "of a tool"},
    },
}
_FORM = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": ["text", "json_object", "json_schema"]},
        "json_schema": {
            "type": "object",
            "required": ["name", "schema"],
            "properties": {"name": TEXT, "description": TEXT, "strict": FLAG, "schema": {"type": "object"}},
        },
    },
}
_NAME = TEXT | {"pattern": "^[A-Za-z0-9_-]{1,64}$"}
_TOOL = {
    "type": "object",
    "required": ["type", "function"],
    "properties": {
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": _NAME, "description": TEXT, "parameters": {"type": "object"}, "strict": FLAG},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
_NAMED = {
    "type": "object",
    "required": ["type", "function"],
    "properties": {"type": {"const": "function"}, "function": {"type": "object", "required": ["name"], "properties": {"name": _NAME}}},
}
_ALLOWED = {
    "type": "object",
    "required": ["type", "allowed_tools"],
    "properties": {
        "type": {"const": "allowed_tools"},
        "allowed_tools": {
            "type": "object",
            "required": ["mode", "tools"],
            "properties": {"mode": {"enum": ["auto", "required"]}, "tools": {"type": "array", "items": _NAMED, "minItems": 1}},
        },
    },
}
CHAT: dict[str, Any] = {
    "tools": {"type": "array", "items": _TOOL, "maxItems": MAX_TOOLS},
    "tool_choice": {"anyOf": [{"enum": ["auto", "none", "required"]}, _NAMED, _ALLOWED]},
    "parallel_tool_calls": FLAG,
    "max_completion_tokens": _whole(1, 2**31 - 1),
    "logprobs": FLAG,
    "top_logprobs": _whole(0, 20),
    "response_format": _FORM,
}
COMPLETION: dict[str, Any] = {"logprobs": _whole(0, 20), "best_of": _whole(1, 20)}
_IDS = {"type": "array", "items": _whole(0, 2**32 - 1), "minItems": 1}


def _body(required: dict[str, Any], own: dict[str, Any], neutral: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
    optional = {name: _optional(schema) for name, schema in (_COMMON | own).items()}
    only = {name: {"enum": [*values, None], "description": "changes nothing: other values are refused"} for name, values in neutral.items()}
    properties = {"model": TEXT | {"minLength": 1}} | required | optional | only
    return {"type": "object", "required": ["model", *required], "properties": properties, "additionalProperties": False}


def _method(summary: str, schema: str, streams: bool) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    found: dict[str, Any] = {"summary": summary, "responses": {"200": {"description": "the answer", "content": content}, "default": _ERROR}}
    if schema:
        found["requestBody"] = {
            "required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        }  # fmt: skip
    return found


def document() -> dict[str, Any]:
    """Return the document."""
    error = {
        "type": "object",
        "required": ["message", "type", "param", "code"],
        "properties": {
            "message": TEXT, "type": TEXT, "param": {"type": ["string", "null"]}, "code": TEXT,
            "reason": TEXT | {"description": "the reason of gRPC's errors"},
        },
    }  # fmt: skip
    chat = {"messages": {"type": "array", "items": _MESSAGE, "minItems": 1}}
    several = [{"type": "array", "items": items, "minItems": 1, "maxItems": MAX_PROMPTS} for items in (TEXT, _IDS)]
    prompt = {"prompt": {"anyOf": [TEXT, _IDS, *several]}}
    name = {"name": "model", "in": "path", "required": True, "schema": TEXT}
    return {
        "openapi": "3.1.0",
        "info": {"title": "finmesh", "version": "v1", "description": "The HTTP door of the gateway, in the form of OpenAI's API."},
        "security": [{"token": [], "certificate": []}],
        "paths": {
            "/v1/chat/completions": {"post": _method("Answers a conversation", "ChatCompletion", True)},
            "/v1/completions": {"post": _method("Continues a text or tokens", "Completion", True)},
            "/v1/models": {"get": _method("Lists the models of the caller's scenario", "", False)},
            "/v1/models/{model}": {"get": _method("Tells of one model", "", False) | {"parameters": [name]}},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}, "certificate": {"type": "mutualTLS"}},
            "schemas": {
                "ChatCompletion": _body(chat, CHAT, neutral_fields("chat")),
                "Completion": _body(prompt, COMPLETION, neutral_fields("text")),
                "Error": {"type": "object", "required": ["error"], "properties": {"error": error}},
            },
        },
    }


def page() -> str:
    """Return the file's text."""
    return "# Generated by `make docs`.\n" + yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=140)
