"""One request to /v1/completions, and what its events say. Pure.

Surprising: each choice is a request of its own, since servers number the pieces of several choices in ways of their own. A seed goes with
each, moved by the choice's number. What an event says is taken by type; anything else ends the answer as the engine's fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finmesh.inference.v1.decode_service_pb2 import DecodeRequest, Emitted
from finmesh.inference.v1.generation_pb2 import FINISH_REASON_LENGTH, FINISH_REASON_STOP, FinishReason, Token, TokenLogprob
from meshkit.errors import InvalidArgument, InvalidDocument, Unavailable
from meshkit.strict_json import parse_json

from backends.lacking import lacks
from backends.openai.dialects import Dialect
from backends.writing import said_wrong

_FINISH: Mapping[str, FinishReason] = {"stop": FINISH_REASON_STOP, "length": FINISH_REASON_LENGTH}
_SEED_BITS = 63
_ID = "token_id:"
_MOST_ID = 1 << 31


@dataclass(frozen=True, slots=True)
class Asked:
    """How the server is asked. ``by_ids``: prompts are ids; ``tells_ids``: the answer's tokens, too."""

    model: str
    answers_as: str
    dialect: Dialect
    by_ids: bool
    tells_ids: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """What the server says it used."""

    prompt_tokens: int
    output_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class Piece:
    """What one event said."""

    tokens: list[Token]
    finish: FinishReason | None = None
    usage: Counted | None = None


def body(asked: Asked, request: DecodeRequest, choice: int) -> dict[str, Any]:
    """Return the body for one choice, what it emitted so far included in the prompt."""
    emitted = next((each for each in request.emitted if each.choice == choice), Emitted())
    sampling, dialect = request.sampling, asked.dialect
    prompt: object = [*request.prompt_tokens, *emitted.token_ids]
    if not asked.by_ids:
        prompt = request.prompt_text + _text(emitted)
    begun = len(emitted.token_ids) or emitted.text_tokens
    asks: dict[str, Any] = {
        "model": asked.model,
        "prompt": prompt,
        "max_tokens": request.bounds.max_output_tokens - begun,
        "temperature": sampling.temperature,
        "n": 1,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if sampling.temperature > 0:
        asks["top_p"] = sampling.top_p if 0 < sampling.top_p < 1 else 1.0
        asks["seed"] = (sampling.seed + choice) & ((1 << _SEED_BITS) - 1)
        if dialect.top_k:
            asks[dialect.top_k] = sampling.top_k or -1
    if request.bounds.ignore_end:
        asks[dialect.ignore_end] = True
    if asked.tells_ids:
        asks[dialect.token_ids] = True
    if sampling.logprobs or sampling.top_logprobs:
        asks["logprobs"] = sampling.top_logprobs
        asks[dialect.ids_for_tokens] = True
    if request.grammar.json_schema:
        asks[dialect.schema] = _schema(dialect, request.grammar.json_schema)
    return asks


def _schema(dialect: Dialect, schema: str) -> object:
    try:
        parsed = parse_json(schema.encode())
    except InvalidDocument:
        raise InvalidArgument("the schema is no JSON document", reason="SCHEMA_INVALID") from None
    return {"json": parsed} if dialect.schema == "structured_outputs" else parsed


def _text(emitted: Emitted) -> str:
    try:
        return emitted.text.decode()
    except UnicodeDecodeError:
        raise lacks("TEXT_REPLAY", "half a character was told, and this engine takes text") from None


def piece(asked: Asked, document: Mapping[str, Any], *, wants_logprobs: bool) -> Piece:
    """Return what an event says. Raises Unavailable: ENGINE_FAILED for an error, ENGINE_MODEL_OTHER, ENGINE_PROTOCOL."""
    if "error" in document:
        raise Unavailable("the engine broke the answer off", reason="ENGINE_FAILED")
    model = document.get("model", asked.answers_as)
    if model != asked.answers_as:
        raise Unavailable("the engine answers with another model", reason="ENGINE_MODEL_OTHER")
    usage = document.get("usage")
    counted = None if usage is None else _counted(usage)
    choices = document.get("choices")
    if not isinstance(choices, list) or len(choices) > 1:
        raise said_wrong("the engine's event has no choices, or too many")
    if not choices:
        return Piece([], usage=counted)
    choice = choices[0]
    if not isinstance(choice, dict) or choice.get("index", 0) != 0:
        raise said_wrong("the engine answers for a choice that nobody asked for")
    finish = choice.get("finish_reason")
    if finish is not None and (not isinstance(finish, str) or finish not in _FINISH):
        raise Unavailable("the engine broke the answer off", reason="ENGINE_FAILED")
    return Piece(_tokens(asked, choice, wants_logprobs), None if finish is None else _FINISH[finish], counted)


def _tokens(asked: Asked, choice: Mapping[str, Any], wants_logprobs: bool) -> list[Token]:
    text = choice.get("text", "")
    if not isinstance(text, str):
        raise said_wrong("the engine's text is none")
    if not asked.tells_ids:
        return [Token(text=text.encode(), is_text_only=True)] if text else []
    ids = choice.get("token_ids")
    if ids is None and not text:
        return []  # an event that ends it, or one of usage
    if not isinstance(ids, list) or not all(type(each) is int and 0 <= each < _MOST_ID for each in ids):
        raise said_wrong("the engine told a text without the ids of its tokens")
    tokens = [Token(token_id=each) for each in ids]
    if wants_logprobs and tokens:
        _with_logprobs(tokens, choice.get("logprobs"))
    return tokens


def _with_logprobs(tokens: list[Token], told: object) -> None:
    if not isinstance(told, dict) or not isinstance(told.get("token_logprobs"), list) or len(told["token_logprobs"]) != len(tokens):
        raise said_wrong("the engine told no log-probabilities, or not for each token")
    tops = told.get("top_logprobs") or [None] * len(tokens)
    if not isinstance(tops, list) or len(tops) != len(tokens):
        raise said_wrong("the engine told no log-probabilities, or not for each token")
    for token, logprob, top in zip(tokens, told["token_logprobs"], tops, strict=True):
        token.logprob = _number(logprob)
        for name, value in sorted((top or {}).items(), key=lambda each: -_number(each[1])):
            token.top.append(TokenLogprob(token_id=_id(name), logprob=_number(value)))


def _id(name: str) -> int:
    number = name.removeprefix(_ID)
    if not name.startswith(_ID) or not number.isascii() or not number.isdigit() or len(number) > 9:
        raise said_wrong("the engine names a token of a log-probability by its text")
    return int(number)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise said_wrong("a log-probability is no number")
    return float(value)


def _counted(usage: object) -> Counted:
    if not isinstance(usage, dict):
        raise said_wrong("the engine's usage is none")
    details = usage.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens") or 0 if isinstance(details, dict) else 0
    return Counted(*(_count(each) for each in (usage.get("prompt_tokens"), usage.get("completion_tokens", 0), cached)))


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < _MOST_ID:
        raise said_wrong("the engine's usage is none")
    return value
