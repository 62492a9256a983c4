"""Small parts of the OpenAPI document's schemas."""

from __future__ import annotations

from typing import Any

TEXT, FLAG = {"type": "string"}, {"type": "boolean"}
_NULLABLE = ("string", "boolean", "integer", "number", "array", "object")
PART = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {"type": {"const": "text"}, "text": TEXT},
    "additionalProperties": False,
}
STREAM_OPTIONS = {
    "type": "object",
    "properties": {"include_usage": FLAG, "include_obfuscation": {"enum": [False]}},
    "additionalProperties": False,
}


def optional(schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"type": [schema["type"], "null"]} if schema.get("type") in _NULLABLE else {"anyOf": [schema, {"type": "null"}]}


def only(neutral: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
    """Fields that are taken with values that change nothing."""
    return {name: {"enum": [*values, None], "description": "changes nothing: other values are refused"} for name, values in neutral.items()}


def whole(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


def number(least: float, most: float) -> dict[str, Any]:
    return {"type": "number", "minimum": least, "maximum": most}
