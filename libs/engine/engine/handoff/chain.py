"""Identity of a block: BLAKE2b-128 over the block before it and its tokens, keyed by the namespace.

Equal ids mean equal tokens from the first on, within one namespace; without its key nobody can tell whether two tenants asked the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

ID_BYTES = 16
NAMESPACE_BYTES = 32


def block_ids(namespace: bytes, tokens: Sequence[int], block_tokens: int = 64, previous: bytes = b"") -> tuple[bytes, ...]:
    """Return the ids of all blocks of ``tokens``, the partial last one's too. ``previous``: id of the block before, if any.

    Raises ValueError for a namespace that is not 32 bytes, OverflowError for a token id that is no u32.
    """
    if len(namespace) != NAMESPACE_BYTES:
        raise ValueError(f"a namespace has {NAMESPACE_BYTES} bytes, not {len(namespace)}")
    if len(tokens) and not 0 <= min(tokens) <= max(tokens) < 1 << 32:
        raise OverflowError("a token id is no u32")
    content = np.asarray(tokens, dtype="<u4").tobytes()
    ids = []
    for start in range(0, len(content), block_tokens * 4):
        previous = blake2b(previous + content[start : start + block_tokens * 4], digest_size=ID_BYTES, key=namespace).digest()
        ids.append(previous)
    return tuple(ids)
