"""Bodies of ``/v1/chat/completions`` and ``/v1/completions`` as the router's request. What has no meaning here is refused by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from finmesh.inference.v1 import generation_pb2
from finmesh.router.v1 import router_service_pb2 as router

from gateway.openai import tools
from gateway.openai.fields import Fields, document, unsupported, whole, wrong

Kind = Literal["chat", "text"]
KNOWLEDGE = "knowledge/"
"""How the names of models begin that answer from documents."""
MAX_CHOICES, MAX_PROMPTS = 4, 16
_MAX_TOKENS = 2**31 - 1
_MAX_STOPS = 16
_SEEDS = 2**63
_ZERO: tuple[Any, ...] = (0, 0.0)
# Of both methods: values that change nothing.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": _ZERO, "presence_penalty": _ZERO, "logit_bias": ({},), "user": (),
}  # fmt: skip
_NEUTRAL_CHAT: dict[str, tuple[Any, ...]] = {
    **_NEUTRAL,
    "functions": ([],), "function_call": ("none",),
    "modalities": (["text"],), "audio": (), "prediction": (), "reasoning_effort": (), "verbosity": (), "web_search_options": (),
    "store": (False,), "metadata": ({},), "service_tier": ("auto", "default"), "safety_identifier": (), "prompt_cache_key": (),
    "prompt_cache_retention": (), "moderation": (),
}  # fmt: skip
_NEUTRAL_TEXT: dict[str, tuple[Any, ...]] = {**_NEUTRAL, "echo": (False,), "suffix": ()}
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
# What clients send back of an answer of ours, and where it says nothing.
_NEUTRAL_TURN: dict[str, tuple[Any, ...]] = {
    "refusal": (), "audio": (), "annotations": ([],), "function_call": (),
}  # fmt: skip
_NEUTRAL_WITHOUT_TOOLS: dict[str, tuple[Any, ...]] = {"name": (), "tool_calls": ([],), "tool_call_id": ()}


class ForKnowledge(Exception):  # no error: it says whose request it is
    """A body asks for documents, not for a model of the router."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a body asks for: for each prompt one of the router's, which lacks whose it is: tenant, scenario and grade."""

    kind: Kind
    requests: tuple[router.GenerateRequest, ...]
    streams: bool = False
    includes_usage: bool = False
    has_logprobs: bool = False

    @property
    def request(self) -> router.GenerateRequest:
        """The first."""
        return self.requests[0]

    @property
    def choices(self) -> int:
        """How many answers each prompt gets."""
        return max(1, self.request.sampling.choices)


def neutral_turn_fields() -> dict[str, tuple[Any, ...]]:
    """Return the fields of a message that say nothing; messages with calls and results of tools say some of them."""
    return _NEUTRAL_TURN | _NEUTRAL_WITHOUT_TOOLS


def neutral_fields(kind: Kind) -> dict[str, tuple[Any, ...]]:
    """Return the fields that are accepted with these values alone, which change nothing."""
    return _NEUTRAL_CHAT if kind == "chat" else _NEUTRAL_TEXT


def chat(content: bytes, aliases: Mapping[str, str]) -> Asked:
    """Read a body of ``/v1/chat/completions``. Raises InvalidArgument, and ForKnowledge for a body that asks documents."""
    values = document(content)
    model = values.get("model")
    if isinstance(model, str) and aliases.get(model, model).startswith(KNOWLEDGE):
        raise ForKnowledge
    fields = Fields(values)
    request = _common(fields, aliases)
    messages = fields.take("messages")
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "must be a list of at least one message")
    turns = [_turn(Fields(message, f"messages[{number}].")) for number, message in enumerate(messages)]
    request.conversation.CopyFrom(router.Conversation(messages=turns))
    older, newer = fields.whole("max_tokens", 1, _MAX_TOKENS), fields.whole("max_completion_tokens", 1, _MAX_TOKENS)
    if older is not None and newer is not None and older != newer:
        raise wrong("max_tokens", "differs from max_completion_tokens")
    request.max_output_tokens = newer or older or 0
    has_logprobs, top = fields.flag("logprobs"), fields.whole("top_logprobs", 0, 20)
    if top and not has_logprobs:
        raise wrong("top_logprobs", "needs logprobs")
    request.sampling.logprobs, request.sampling.top_logprobs = has_logprobs, top or 0
    if schema := _schema(fields.take("response_format")):
        request.grammar.CopyFrom(generation_pb2.Grammar(json_schema=schema))
    tools.take(fields, request)
    return _asked("chat", fields, (request,), _NEUTRAL_CHAT)


def text(content: bytes, aliases: Mapping[str, str]) -> Asked:
    """Read a body of ``/v1/completions``. Raises InvalidArgument."""
    fields = Fields(document(content))
    request = _common(fields, aliases)
    prompts = _prompts(fields.take("prompt"))
    request.max_output_tokens = fields.whole("max_tokens", 1, _MAX_TOKENS) or 0
    top = fields.whole("logprobs", 0, 20)
    request.sampling.logprobs, request.sampling.top_logprobs = top is not None, top or 0
    best_of = fields.whole("best_of", 1, 20)
    if best_of is not None and best_of != request.sampling.choices:
        raise unsupported("best_of")
    requests = []
    for prompt in prompts:
        each = router.GenerateRequest()
        each.CopyFrom(request)
        if isinstance(prompt, str):
            each.text = prompt
        else:
            each.tokens.CopyFrom(router.TokenIds(ids=prompt))
        requests.append(each)
    return _asked("text", fields, tuple(requests), _NEUTRAL_TEXT)


def _asked(kind: Kind, fields: Fields, requests: tuple[router.GenerateRequest, ...], neutral: Mapping[str, tuple[Any, ...]]) -> Asked:
    streams, options = fields.flag("stream"), fields.take("stream_options")
    includes_usage = False
    if options is not None:
        if not streams:
            raise wrong("stream_options", "needs stream")
        said = Fields(options, "stream_options.")
        includes_usage = said.flag("include_usage")
        said.neutral({"include_obfuscation": (False,)})
        said.end()
    fields.neutral(neutral)
    fields.end()
    return Asked(kind, requests, streams, includes_usage, requests[0].sampling.logprobs)


def _common(fields: Fields, aliases: Mapping[str, str]) -> router.GenerateRequest:
    """What both methods have: model, sampling, stops."""
    model = fields.text("model")
    if not model:
        raise wrong("model", "is required")
    sampling = generation_pb2.Sampling(
        temperature=fields.number("temperature", 0, 2, 1.0),
        top_p=fields.number("top_p", 0, 1, 1.0),
        choices=fields.whole("n", 1, MAX_CHOICES) or 1,
    )
    seed = fields.whole("seed", -_SEEDS, _SEEDS - 1)
    sampling.seed = (seed or 0) % 2**64
    return router.GenerateRequest(
        model=aliases.get(model, model), sampling=sampling, seed_set=seed is not None, stop=_stops(fields.take("stop"))
    )


def _stops(value: Any) -> list[str]:
    stops = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(stops, list) or len(stops) > _MAX_STOPS or not all(isinstance(each, str) and each for each in stops):
        raise wrong("stop", f"must be a text or a list of at most {_MAX_STOPS} texts, none of them empty")
    return stops


def _turn(fields: Fields) -> router.Message:
    role = fields.text("role")
    if role == "function":
        raise unsupported(fields.place + "role")
    if role not in _ROLES:
        raise wrong(fields.place + "role", "must be system, developer, user, assistant or tool")
    turn = router.Message(role=_ROLES[role])
    if role == "assistant":
        turn.tool_calls.extend(tools.calls_of(fields.take("tool_calls"), fields.place + "tool_calls"))
    elif role == "tool":
        turn.tool_call_id, turn.name = fields.text("tool_call_id"), fields.text("name", "")
    content = fields.take("content")
    if content is not None or not turn.tool_calls:
        turn.content = content_of(content, fields.place + "content")
    fields.neutral(neutral_turn_fields())
    fields.end()
    return turn


def content_of(value: Any, place: str) -> str:
    """Return a message's content: a text, or parts that are texts. Raises InvalidArgument."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise wrong(place, "must be a text or a list of parts" if value is not None else "is required")
    texts = []
    for number, part in enumerate(value):
        fields = Fields(part, f"{place}[{number}].")
        if fields.text("type") != "text":
            raise unsupported(f"{place}[{number}].type")
        texts.append(fields.text("text"))
        fields.end()
    return "".join(texts)


def _prompts(value: Any) -> list[str | list[int]]:
    """A text or token ids, or a list of one kind of them."""
    if value is None:
        raise wrong("prompt", "is required")
    prompts = value if isinstance(value, list) and value and isinstance(value[0], str | list) else [value]
    if len(prompts) > MAX_PROMPTS:
        raise wrong("prompt", f"holds more than {MAX_PROMPTS} prompts")
    if all(isinstance(each, str) for each in prompts):
        return prompts
    return [_ids(each) for each in prompts]


def _ids(value: Any) -> list[int]:
    ids = [whole(each) for each in value] if isinstance(value, list) else []
    found = [each for each in ids if each is not None and 0 <= each < 2**32]
    if not ids or len(found) < len(ids):
        raise wrong("prompt", "must be a text, a list of token ids, or a list of texts or of lists of token ids")
    return found


def _schema(value: Any) -> str:
    """Return the JSON schema of a response format; empty for none. ``json_object`` means any object."""
    if value is None:
        return ""
    fields = Fields(value, "response_format.")
    kind = fields.text("type")
    schema = ""
    if kind == "json_object":
        schema = '{"type":"object"}'
    elif kind == "json_schema":
        inner = Fields(fields.take("json_schema"), "response_format.json_schema.")
        inner.text("name")
        inner.text("description", "")
        inner.flag("strict")  # an answer has the form either way
        stated = inner.take("schema")
        if not isinstance(stated, dict):
            raise wrong("response_format.json_schema.schema", "must be an object")
        inner.end()
        schema = json.dumps(stated, ensure_ascii=False, separators=(",", ":"))
    elif kind != "text":
        raise unsupported("response_format.type")
    fields.end()
    return schema
