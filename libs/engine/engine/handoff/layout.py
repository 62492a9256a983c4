"""What both ends must agree on before a byte of keys and values moves.

Surprising: the digest is the manifest's (`layout_digest`: rope, heads and quantisation stand in it too) and is not computed a second time
here; the numbers beside it say where bytes lie. A block is (layer, k|v, head, token, dim), tokens of a partial block without padding.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.handoff.errors import Refused

ITEM_BYTES = {"float32": 4, "float16": 2}
DIGEST_BYTES = 16
_LARGEST_BLOCK_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Layout:
    """``dtype``: of keys and values; ``digest``: 16 bytes, from the manifest. Raises Refused (LAYOUT_INVALID)."""

    dtype: str
    layers: int
    kv_heads: int
    head_dim: int
    block_tokens: int
    digest: bytes

    def __post_init__(self) -> None:
        sizes = (self.layers, self.kv_heads, self.head_dim, self.block_tokens)
        if self.dtype not in ITEM_BYTES or min(sizes) < 1 or len(self.digest) != DIGEST_BYTES or self.block_bytes > _LARGEST_BLOCK_BYTES:
            raise Refused("LAYOUT_INVALID", f"{self.dtype} {sizes}, digest of {len(self.digest)} bytes")

    @property
    def width_bytes(self) -> int:
        """One token in one head."""
        return self.head_dim * ITEM_BYTES[self.dtype]

    @property
    def token_bytes(self) -> int:
        """One token: keys and values of all layers."""
        return self.layers * 2 * self.kv_heads * self.width_bytes

    @property
    def block_bytes(self) -> int:
        """A whole block."""
        return self.token_bytes * self.block_tokens

    def blocks(self, tokens: int) -> int:
        """How many blocks hold so many tokens; the last may be partial."""
        return -(-tokens // self.block_tokens)

    def valid_tokens(self, block: int, tokens: int) -> int:
        """Tokens of a block of a prompt of ``tokens``: all of it, or what is left for the last."""
        return min(self.block_tokens, tokens - block * self.block_tokens)

    def shape(self, valid_tokens: int) -> tuple[int, int, int, int]:
        """Shape of a block's bytes: (layer and k|v, head, token, bytes)."""
        return (self.layers * 2, self.kv_heads, valid_tokens, self.width_bytes)
