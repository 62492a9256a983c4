"""What is asked of vLLM: bodies of `/v1/completions`. Pure.

Surprising: everything that decides on tokens is said, neutral values too. What is left out comes from the model folder's
`generation_config.json` (temperature, top_k, repetition penalty), or is 16 (`max_tokens`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finmesh.inference.v1.decode_service_pb2 import DecodeRequest
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest
from meshkit.errors import InvalidArgument, InvalidDocument
from meshkit.strict_json import parse_json

from backends.vllm.kv_blocks import salt_of

_SEEDS = 1 << 63
_NEUTRAL = {
    "n": 1, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "min_tokens": 0, "stop": [],
    "return_token_ids": True, "add_special_tokens": False,
}  # fmt: skip
REMOTE_DECODE = {
    "do_remote_decode": True, "do_remote_prefill": False, "remote_engine_id": None, "remote_block_ids": None, "remote_host": None,
    "remote_port": None,
}  # fmt: skip


def prefill_body(request: PrefillRequest, model: str, *, priorities: bool) -> dict[str, Any]:
    """Return what has a prompt read and kept for somebody else. The one token that it computes is dropped: nothing hangs on it."""
    return {
        **_common(model, request.prompt_tokens, request.namespace, request.priority if priorities else None),
        "request_id": f"{request.handoff_id}-{request.epoch}",
        "temperature": 0.0,
        "top_p": 1.0,
        "top_k": 0,
        "max_tokens": 1,
        "ignore_eos": True,
        "stream": False,
        "return_token_ids": False,
        "kv_transfer_params": REMOTE_DECODE,
    }


def read_body(request: PrefillRequest, model: str, *, priorities: bool) -> dict[str, Any]:
    """Return what has a prompt read and kept for nobody: its first token is asked for, greedily."""
    body = {**prefill_body(request, model, priorities=priorities), "return_token_ids": True, "kv_transfer_params": None}
    if request.sampling.logprobs:
        body |= {"logprobs": request.sampling.top_logprobs, "return_tokens_as_token_ids": True}
    return body


def decode_body(
    request: DecodeRequest, choice: int, model: str, *, most: int, transfer: Mapping[str, Any] | None, priorities: bool
) -> dict[str, Any]:
    """Return what has one answer written, behind the tokens that it already has. ``most``: tokens that may still come."""
    emitted = next((each.token_ids for each in request.emitted if each.choice == choice), ())
    how = request.sampling
    body = {
        **_common(model, [*request.prompt_tokens, *emitted], request.namespace, request.priority if priorities else None),
        "temperature": how.temperature,
        "top_p": how.top_p or 1.0,
        "top_k": how.top_k,
        "max_tokens": most,
        "ignore_eos": request.bounds.ignore_end and not request.grammar.json_schema,  # behind its form it would write anything
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if how.temperature > 0:
        body["seed"] = (how.seed + choice) % _SEEDS
    if how.logprobs:
        body |= {"logprobs": how.top_logprobs, "return_tokens_as_token_ids": True}
    if request.grammar.json_schema:
        body["structured_outputs"] = {"json": _schema(request.grammar.json_schema)}
    if transfer is not None:
        body["kv_transfer_params"] = dict(transfer)
    return body


def _common(model: str, tokens: Sequence[int], namespace: bytes, priority: int | None) -> dict[str, Any]:
    """``priority``: higher goes first here, lower does there."""
    body = {**_NEUTRAL, "model": model, "prompt": list(tokens), "cache_salt": salt_of(namespace)}
    return body if priority is None else body | {"priority": -priority}


def _schema(text: str) -> Any:
    try:
        return parse_json(text.encode())
    except InvalidDocument:
        raise InvalidArgument("the schema is not JSON", reason="SCHEMA_INVALID") from None
