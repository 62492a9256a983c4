"""The HTTP door's OpenAPI document. A contract test holds every field against the readers of bodies."""

from __future__ import annotations

from typing import Any

import yaml
from gateway.openai.inquiries import FIELDS, LONGEST_WORDS, words
from gateway.openai.requests import MAX_CHOICES, MAX_PROMPTS, neutral_fields, neutral_turn_fields
from gateway.openai.tools import MAX_TOOLS

from generate.forms import FLAG, PART, STREAM_OPTIONS, TEXT, number, only, optional, whole
from generate.openapi_knowledge import KNOWLEDGE_QUESTION

_ERROR = {"description": "an error", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}


_STOP = {"anyOf": [TEXT | {"minLength": 1}, {"type": "array", "items": TEXT | {"minLength": 1}, "maxItems": 16}]}
_COMMON: dict[str, Any] = {
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "n": whole(1, MAX_CHOICES),
    "seed": whole(-(2**63), 2**63 - 1),
    "stop": _STOP,
    "max_tokens": whole(1, 2**31 - 1),
    "stream": FLAG,
    "stream_options": STREAM_OPTIONS,
}
_CALL = {
    "type": "object",
    "required": ["id", "type", "function"],
    "properties": {
        "id": TEXT,
        "index": whole(0, MAX_TOOLS),
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "required": ["name", "arguments"],
            "properties": {"name": TEXT, "arguments": TEXT},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
_SAID = {"anyOf": [TEXT, {"type": "array", "items": PART}]}


def _turn(roles: list[str], required: list[str], **own: Any) -> dict[str, Any]:
    properties = {"role": {"enum": roles}, **only(neutral_turn_fields()), "content": _SAID} | own
    return {"type": "object", "required": ["role", *required], "properties": properties, "additionalProperties": False}


_MESSAGE = {
    "anyOf": [
        _turn(["system", "developer", "user", "assistant"], ["content"]),
        _turn(
            ["assistant"],
            ["tool_calls"],
            content=optional(_SAID),
            tool_calls={"type": "array", "items": _CALL, "minItems": 1, "maxItems": MAX_TOOLS},
        ),
        _turn(["tool"], ["content", "tool_call_id"], tool_call_id=TEXT, name=optional(TEXT)),
    ]
}


def _form(kind: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "required": ["type", *more], "properties": {"type": kind, **more}, "additionalProperties": False}


_NAMED_SCHEMA = {
    "type": "object",
    "required": ["name", "schema"],
    "properties": {"name": TEXT, "description": TEXT, "strict": FLAG, "schema": {"type": "object"}},
    "additionalProperties": False,
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
    "properties": {
        "type": {"const": "function"},
        "function": {"type": "object", "required": ["name"], "properties": {"name": _NAME}, "additionalProperties": False},
    },
    "additionalProperties": False,
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
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
_FORM = {"anyOf": [_form({"enum": ["text", "json_object"]}), _form({"const": "json_schema"}, json_schema=_NAMED_SCHEMA)]}
CHAT: dict[str, Any] = {
    "tools": {"type": "array", "items": _TOOL, "maxItems": MAX_TOOLS},
    "tool_choice": {"anyOf": [{"enum": ["auto", "none", "required"]}, _NAMED, _ALLOWED]},
    "parallel_tool_calls": FLAG,
    "max_completion_tokens": whole(1, 2**31 - 1),
    "logprobs": FLAG,
    "top_logprobs": whole(0, 20),
    "response_format": _FORM,
}
COMPLETION: dict[str, Any] = {"logprobs": whole(0, 20), "best_of": whole(1, 20)}
_IDS = {"type": "array", "items": whole(0, 2**32 - 1), "minItems": 1}


def _body(required: dict[str, Any], own: dict[str, Any], neutral: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
    others = {name: optional(schema) for name, schema in (_COMMON | own).items()}
    properties = {"model": TEXT | {"minLength": 1}} | required | others | only(neutral)
    return {"type": "object", "required": ["model", *required], "properties": properties, "additionalProperties": False}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _answer(kind: str, **said: Any) -> dict[str, Any]:
    count, reason = {"type": "integer", "minimum": 0}, {"enum": ["stop", "length", "tool_calls"]}
    choice = _object(index=count, **said, logprobs={"type": ["object", "null"]}, finish_reason=reason)
    usage = _object(prompt_tokens=count, completion_tokens=count, total_tokens=count)
    return _object(id=TEXT, object={"const": kind}, created=count, model=TEXT, choices={"type": "array", "items": choice}, usage=usage)


_MODEL = _object(id=TEXT, object={"const": "model"}, created={"type": "integer"}, owned_by=TEXT)
_ANSWERS = {
    "ChatCompletion": _answer("chat.completion", message=_object(role={"const": "assistant"}, content={"type": ["string", "null"]})),
    "Completion": _answer("text_completion", text=TEXT),
}


def _inquiry() -> dict[str, Any]:
    """Every field of an inquiry, null where the text does not state it."""
    found: dict[str, Any] = {}
    for field in FIELDS:
        if field.enum_type is not None:
            found[field.name] = {"enum": [*words(field), None]}
        elif field.cpp_type == field.CPPTYPE_STRING:
            found[field.name] = {"type": ["string", "null"], "maxLength": LONGEST_WORDS}
        else:
            found[field.name] = {"type": ["number", "null"], "minimum": 0, "maximum": 1e15}
    return found


INQUIRY: dict[str, Any] = {
    "type": "object",
    "required": ["text"],
    "properties": {
        "text": TEXT | {"description": "one turn of the client"},
        "last_terms": {
            "description": "terms of the answer before",
            "anyOf": [{"type": "object", "properties": _inquiry(), "additionalProperties": False}, {"type": "null"}],
        },
    },
    "additionalProperties": False,
}
_UNRESOLVED = _object(reason=TEXT, field={"type": ["string", "null"]}, words=TEXT)
_INQUIRY_ANSWER = _object(
    id=TEXT,
    object={"const": "otc.inquiry"},
    inquiry=_object(**_inquiry()),
    terms=_object(**_inquiry()),
    own_text=TEXT | {"description": "what the model wrote"},
    confidence=number(0, 1),
    needs_confirmation=FLAG,
    unresolved={"type": "array", "items": _UNRESOLVED},
    model=TEXT,
    release=TEXT,
    record_ids={"type": "array", "items": TEXT},
)


def _either(names: list[str]) -> dict[str, Any]:
    found = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _method(summary: str, schema: str, answer: dict[str, Any], *, streams: bool = True) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": answer}}
    if schema and streams:
        content["text/event-stream"] = {"schema": _object(data=TEXT)}
    found: dict[str, Any] = {"summary": summary, "responses": {"200": {"description": "the answer", "content": content}, "default": _ERROR}}
    if schema:
        found["requestBody"] = {
            "required": True, "content": {"application/json": {"schema": _either(schema.split())}},
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
            "/v1/chat/completions": {
                "post": _method("Answers a conversation", "ChatCompletion KnowledgeQuestion", _ANSWERS["ChatCompletion"])
            },
            "/v1/completions": {"post": _method("Continues a text or tokens", "Completion", _ANSWERS["Completion"])},
            "/v1/otc/inquiries": {
                "post": _method("Reads what a client of the OTC desk wrote", "OtcInquiry", _INQUIRY_ANSWER, streams=False)
            },
            "/v1/models": {
                "get": _method(
                    "Lists the models of the caller's scenario",
                    "",
                    _object(object={"const": "list"}, data={"type": "array", "items": _MODEL}),
                )
            },
            "/v1/models/{model}": {"get": _method("Tells of one model", "", _MODEL) | {"parameters": [name]}},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}, "certificate": {"type": "mutualTLS"}},
            "schemas": {
                "ChatCompletion": _body(chat, CHAT, neutral_fields("chat")),
                "Completion": _body(prompt, COMPLETION, neutral_fields("text")),
                "KnowledgeQuestion": KNOWLEDGE_QUESTION,
                "OtcInquiry": INQUIRY,
                "Error": {"type": "object", "required": ["error"], "properties": {"error": error}},
            },
        },
    }


def page() -> str:
    """Return the file's text."""
    return "# Generated by `make docs`.\n" + yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=140)
