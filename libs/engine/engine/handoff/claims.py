"""What a ticket says of one prompt, before it is published: the engine's word."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FirstToken:
    """What prefill sampled for one choice; ``top``: the most probable tokens beside it with their log-probabilities."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Location:
    """Where bytes can be had. ``kind``: "memfd" (address: path of a Unix socket; nonce: of the arena) or "tls" (host:port; no nonce)."""

    kind: str
    address: str
    nonce: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What the engine says of one prompt. ``grammar_digest``: empty without a grammar; ``next_index``: of the next sample."""

    handoff_id: str
    epoch: int
    request_id: str
    model_digest: bytes
    tokenizer_digest: bytes
    token_count: int
    block_ids: tuple[bytes, ...]
    first_tokens: tuple[FirstToken, ...]
    seed: int
    next_index: int
    grammar_digest: bytes
    first_block: int
    namespace: bytes
    grade: int
    tenant_digest: bytes
