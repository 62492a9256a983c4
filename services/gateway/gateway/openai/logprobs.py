"""Tokens with their log-probabilities in the two forms of the API.

A token is bytes that need not be whole characters: ``bytes`` has them as they are, ``token`` with an escape for each that is no character.
What has no bytes is named ``token_id:N``.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Any, NamedTuple

from finmesh.inference.v1 import generation_pb2

_LEAST = -9999.0  # JSON has no minus infinity
_new_decoder = codecs.getincrementaldecoder("utf-8")


class Scored(NamedTuple):
    """A token, and at which character of its answer it begins."""

    token: generation_pb2.Token
    offset: int


def scored(tokens: Iterable[generation_pb2.Token], begin: int, length: int) -> list[Scored]:
    """Return the tokens of a piece of ``length`` characters that begins at character ``begin``."""
    decoder, found, at = _new_decoder("replace"), [], 0
    for token in tokens:
        found.append(Scored(token, begin + min(at, length)))
        at += len(decoder.decode(token.text))
    return found


def chat_logprobs(tokens: Iterable[Scored]) -> dict[str, Any]:
    """Return them as chat completions have them."""
    content = []
    for token, _ in tokens:
        top = [_described(each) for each in token.top]
        content.append(_described(token) | {"top_logprobs": top})
    return {"content": content, "refusal": None}


def text_logprobs(tokens: Iterable[Scored]) -> dict[str, Any]:
    """Return them as completions have them. Of two neighbours with one name the stronger one is told."""
    tokens = list(tokens)
    return {
        "tokens": [_name(each.token) for each in tokens],
        "token_logprobs": [_finite(each.token.logprob) for each in tokens],
        "top_logprobs": [{_name(near): _finite(near.logprob) for near in reversed(each.token.top)} for each in tokens],
        "text_offset": [each.offset for each in tokens],
    }


def _described(token: generation_pb2.Token | generation_pb2.TokenLogprob) -> dict[str, Any]:
    return {"token": _name(token), "logprob": _finite(token.logprob), "bytes": list(token.text) if token.text else None}


def _name(token: generation_pb2.Token | generation_pb2.TokenLogprob) -> str:
    return token.text.decode("utf-8", "backslashreplace") if token.text else f"token_id:{token.token_id}"


def _finite(logprob: float) -> float:
    return logprob if logprob >= _LEAST else _LEAST
