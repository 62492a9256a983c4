"""Requests and answers of the port's suite."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import numpy as np
from engine.handoff.chain import block_ids
from finmesh.inference.v1 import decode_service_pb2, generation_pb2, prefill_service_pb2
from meshkit.crypto.keyed_ids import uuid7

from .conftest import Pair

NAMESPACE = bytes(range(32))
TENANT = b"t" * 32


def prompt(length: int, seed: int = 1) -> list[int]:
    return [int(token) for token in np.random.default_rng([seed, length]).integers(3, 384, length)]


def _common(pair: Pair, tokens: list[int], most: int) -> dict[str, Any]:
    return {
        "request_id": "request-1",
        "model_digest": pair.model_digest,
        "prompt_tokens": tokens,
        "namespace": NAMESPACE,
        "grade": 2,
        "tenant_digest": TENANT,
        "sampling": generation_pb2.Sampling(choices=1),
        "bounds": generation_pb2.Bounds(max_output_tokens=most, ignore_end=True),
    }


def to_prefill(pair: Pair, tokens: list[int], most: int = 12, **changes: Any) -> prefill_service_pb2.PrefillRequest:
    layout = pair.prefill.description.layout_digest
    to = {"decode_worker_id": pair.decode.description.worker_id, "decode_incarnation": pair.decode.description.incarnation}
    fields = {"handoff_id": uuid7(), "epoch": 1, "layout_digest": layout, **to, **_common(pair, tokens, most), **changes}
    return prefill_service_pb2.PrefillRequest(**fields)


def to_decode(pair: Pair, tokens: list[int], most: int = 12, **changes: Any) -> decode_service_pb2.DecodeRequest:
    return decode_service_pb2.DecodeRequest(**{**_common(pair, tokens, most), **changes})


def to_reserve(pair: Pair, tokens: list[int], choices: int = 1) -> decode_service_pb2.ReserveRequest:
    return decode_service_pb2.ReserveRequest(
        request_id="request-1",
        model_digest=pair.model_digest,
        block_ids=block_ids(NAMESPACE, tokens),
        prompt_tokens=len(tokens),
        max_output_tokens=12,
        choices=choices,
        ttl_ms=20_000,
    )


async def answer(pair: Pair, request: decode_service_pb2.DecodeRequest) -> tuple[list[Any], list[tuple[int, int]]]:
    """All events of an answer, and its tokens with their positions."""
    async with aclosing(pair.decode.decode(request, 30.0)) as events:
        found = [event async for event in events]
    tokens = [(token.index, token.token_id) for event in found if isinstance(event, decode_service_pb2.Tokens) for token in event.tokens]
    return found, tokens
