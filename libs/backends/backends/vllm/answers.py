"""What vLLM answers, and what its errors are here. Pure.

Surprising: an answer that fails after its head was sent fails inside the stream, as `data: {"error": …}` behind a status of 200: keys and
values that could not be fetched come that way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from finmesh.inference.v1.generation_pb2 import FINISH_REASON_LENGTH, FINISH_REASON_STOP, FinishReason, Token, TokenLogprob
from meshkit.errors import InvalidArgument, MeshError, Overloaded, Unavailable

from backends.http_link import parsed

RETRY_AFTER_S = 0.5
PATH, DONE = "/v1/completions", b"[DONE]"
LINE_BYTES, PROMPT_TOKEN_BYTES = 256 * 1024, 16  # the first part repeats the prompt
_REASONS = {"stop": FINISH_REASON_STOP, "length": FINISH_REASON_LENGTH}
_TOKEN = "token_id:"  # noqa: S105


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an answer was asked with, as far as its parts depend on it. ``top``: log-probabilities beside each token, None: none at all."""

    choice: int
    top: int | None = None
    is_handed_over: bool = False
    has_grammar: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of one answer. ``finish``: 0 while it goes on."""

    tokens: tuple[Token, ...] = ()
    finish: FinishReason = FinishReason.FINISH_REASON_UNSPECIFIED
    cached_tokens: int = 0


def protocol(why: str) -> Unavailable:
    """Return the error of an engine that answers what it should not."""
    return Unavailable(f"the engine {why}", reason="ENGINE_PROTOCOL")


def chunk(data: bytes, asked: Asked, index: int) -> Chunk:
    """Return a part. ``index``: of its first token. Raises what the stream failed with."""
    return part_of(parsed(data), asked, index)


def part_of(told: Mapping[str, Any], asked: Asked, index: int) -> Chunk:
    """Return a part, or a whole answer, of one choice."""
    if "error" in told:
        raise _error_of(_code(told), asked)
    usage = told.get("usage")
    cached = _cached(usage) if isinstance(usage, dict) else 0
    choices = told.get("choices")
    if not isinstance(choices, list) or len(choices) > 1:
        raise protocol("answered another number of choices")
    if not choices:
        return Chunk(cached_tokens=cached)
    part = choices[0]
    ids = part.get("token_ids") if isinstance(part, dict) else None
    if not isinstance(ids, list):
        raise protocol("told no token ids")
    reason = part.get("finish_reason")
    if reason is not None and reason not in _REASONS:
        raise Unavailable(f"the engine ended the answer: {str(reason)[:40]}", reason="ENGINE_FAILED")
    tokens = [_token(each, asked.choice, index + number) for number, each in enumerate(ids)]
    if asked.top is not None and tokens:
        _put_logprobs(tokens, part.get("logprobs"), asked.top)
    return Chunk(tuple(tokens), _REASONS[reason] if reason else FinishReason.FINISH_REASON_UNSPECIFIED, cached)


def _token(token_id: Any, choice: int, index: int) -> Token:
    if not isinstance(token_id, int) or not 0 <= token_id < 1 << 32:
        raise protocol("told a token id that is none")
    return Token(choice=choice, index=index, token_id=token_id)


def _put_logprobs(tokens: list[Token], told: Any, most: int) -> None:
    logprobs, tops = (told.get("token_logprobs"), told.get("top_logprobs")) if isinstance(told, dict) else (None, None)
    if not isinstance(logprobs, list) or len(logprobs) != len(tokens):
        raise protocol("told no log-probabilities")
    for number, (token, logprob) in enumerate(zip(tokens, logprobs, strict=True)):
        token.logprob = float(logprob or 0.0)
        top = tops[number] if isinstance(tops, list) and number < len(tops) else None
        if isinstance(top, dict):
            found = [TokenLogprob(token_id=int(name.removeprefix(_TOKEN)), logprob=value) for name, value in _named(top)]
            token.top.extend(sorted(found, key=lambda each: -each.logprob)[:most])


def _named(top: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    for name, value in top.items():
        if not (name.startswith(_TOKEN) and name.removeprefix(_TOKEN).isdigit() and isinstance(value, int | float)):
            raise protocol("named a token by its text")
        yield name, float(value)


def _cached(usage: Mapping[str, Any]) -> int:
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return cached if isinstance(cached, int) and cached >= 0 else 0


def cached_tokens(told: Mapping[str, Any]) -> int:
    """Return how many tokens of the prompt a whole answer found cached; 0 when it does not say."""
    usage = told.get("usage")
    return _cached(usage) if isinstance(usage, dict) else 0


def _code(told: Mapping[str, Any]) -> int:
    error = told.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else HTTPStatus.INTERNAL_SERVER_ERROR


def _error_of(code: int, asked: Asked) -> MeshError:
    """The error that a code inside a stream stands for. The engine's words are not told on: they can hold what was asked."""
    if code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return Overloaded("the engine takes no more", retry_after_s=RETRY_AFTER_S)
    if HTTPStatus.BAD_REQUEST <= code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return InvalidArgument("the engine refused the request", reason="SCHEMA_INVALID" if asked.has_grammar else "SAMPLING_INVALID")
    return pull_failed() if asked.is_handed_over else Unavailable("the engine failed", reason="ENGINE_FAILED")


def pull_failed() -> Unavailable:
    """Return the error of keys and values that did not come."""
    return Unavailable("keys and values could not be fetched, or the engine failed", reason="PULL_FAILED")
