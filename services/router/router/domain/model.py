"""A model whose template and tokenizer are here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model. ``digest``: SHA-256 of its manifest, 32 bytes; ``tokenizer_digest``: of tokenizer.json.

    ``release``: model, tokenizer and prompt pack under one id, hex. ``end_ids`` end an answer; ``block_tokens`` is the unit of its prefix
    cache; ``vocabulary`` the number of ids. ``tool_format``: how the model writes calls of tools, None when it does not.
    """

    name: str
    digest: bytes
    release: str
    max_len_tokens: int
    block_tokens: int
    vocabulary: int
    end_ids: frozenset[int]
    licence: str
    tokenizer_digest: bytes = b""
    tool_format: str | None = None
