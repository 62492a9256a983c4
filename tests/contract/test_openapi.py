"""What the OpenAPI document says of bodies is what the door takes: every field, and every value of those that change nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from gateway.openai import requests
from generate.openapi import document
from meshkit.errors import InvalidArgument

SCHEMAS = document()["components"]["schemas"]
Read = Callable[[bytes, dict[str, str]], requests.Asked]
BODIES: dict[str, tuple[Read, dict[str, Any]]] = {
    "ChatCompletion": (requests.chat, {"model": "m", "messages": [{"role": "user", "content": "你好"}]}),
    "Completion": (requests.text, {"model": "m", "prompt": "从前"}),
}
# What a field needs beside itself, and a value where the schema alone gives none.
TOOL = {
    "type": "function",
    "function": {"name": "查".encode().hex(), "description": "查卡", "parameters": {"type": "object"}, "strict": True},
}
BESIDE: dict[str, dict[str, Any]] = {
    "stream_options": {"stream": True},
    "top_logprobs": {"logprobs": True},
    "tool_choice": {"tools": [TOOL]},
}
SAMPLES: dict[str, Any] = {
    "stop": "。",
    "response_format": {"type": "json_object"},
    "stream_options": {"include_usage": True},
    "best_of": 1,
    "tools": [TOOL],
    "tool_choice": "required",
}
FIELDS = [(name, field) for name, schema in SCHEMAS.items() if name in BODIES for field in schema["properties"]]


def values(schema: dict[str, Any]) -> list[Any]:
    """Values at the bounds of a schema."""
    if "enum" in schema:
        return list(schema["enum"])
    kinds = schema.get("type", [])
    if "boolean" in kinds:
        return [True, False, None]
    return [schema[bound] for bound in ("minimum", "maximum") if bound in schema] + [None]


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_a_field_of_the_document_is_taken(name: str, field: str) -> None:
    read, body = BODIES[name]
    if field in body:
        return
    found = [SAMPLES[field]] if field in SAMPLES else values(SCHEMAS[name]["properties"][field])
    assert found
    for value in found:
        read(json.dumps(body | BESIDE.get(field, {}) | {field: copy.deepcopy(value)}).encode(), {})


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_a_value_beyond_the_document_is_refused_by_name(name: str, field: str) -> None:
    read, body = BODIES[name]
    schema = SCHEMAS[name]["properties"][field]
    beyond: list[Any] = [{"温": 1}]
    beyond += [schema["maximum"] + 1] if "maximum" in schema else []
    beyond += [schema["minimum"] - 1] if "minimum" in schema else []
    for value in beyond:
        with pytest.raises(InvalidArgument) as caught:
            read(json.dumps(body | BESIDE.get(field, {}) | {field: value}).encode(), {})
        assert any(each.field.startswith(field) for each in caught.value.violations) or caught.value.reason == "MALFORMED_JSON"


def test_a_field_that_is_not_in_the_document_is_refused() -> None:
    for name, (read, body) in BODIES.items():
        assert not SCHEMAS[name]["additionalProperties"]
        with pytest.raises(InvalidArgument):
            read(json.dumps(body | {"x": 1}).encode(), {})
