"""What the HTTP door's document says of questions to documents."""

from __future__ import annotations

from typing import Any

from gateway.openai.knowledge import NEUTRAL
from gateway.openai.requests import KNOWLEDGE, neutral_turn_fields

from generate.forms import FLAG, PART, STREAM_OPTIONS, TEXT, only, optional

_ASKED = TEXT | {"minLength": 1, "maxLength": 4_000, "pattern": r"\S"}
_ASKED_PART = PART | {"properties": PART["properties"] | {"text": _ASKED}}
_QUESTION = {"anyOf": [_ASKED, {"type": "array", "items": _ASKED_PART, "minItems": 1}]}
_NEUTRAL_TURN = {name: schema for name, schema in only(neutral_turn_fields()).items() if name != "annotations"}


def _said_before(role: str, **own: Any) -> dict[str, Any]:
    properties = {"role": {"const": role}, "content": _QUESTION, **_NEUTRAL_TURN, **own}
    return {"type": "object", "required": ["role", "content"], "properties": properties, "additionalProperties": False}


KNOWLEDGE_QUESTION: dict[str, Any] = {
    "type": "object",
    "description": "A question to documents. The last message is the question and the user's; of those before, the user's count by what "
    "they name, unless a conversation is named.",
    "required": ["model", "messages"],
    "properties": {
        "model": {"enum": [f"{KNOWLEDGE}knowledge"], "description": "or `knowledge/` and another scenario"},
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [_said_before("user", **only({"annotations": ([],)})), _said_before("assistant", annotations={})]},
        },
        "metadata": optional(
            {
                "type": "object",
                "properties": {"conversation_id": TEXT | {"maxLength": 100, "pattern": "^[A-Za-z0-9 _-]*$"}},
                "additionalProperties": False,
            }
        ),
        "stream": optional(FLAG),
        "stream_options": optional(STREAM_OPTIONS),
        **only(NEUTRAL),
    },
    "additionalProperties": False,
}
