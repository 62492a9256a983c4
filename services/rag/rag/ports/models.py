"""What models do for rag: encode, look a second time, write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Kind(StrEnum):
    """What is encoded: questions and passages have prefixes of their own."""

    QUERY = "query"
    PASSAGE = "passage"


class Encoder(Protocol):
    """Texts to vectors."""

    @property
    def identity(self) -> str:
        """Digest of the model's manifest: vectors of two identities are never compared."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    async def encode(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        """Return (n, dimension) float32 rows of length 1. Raises Unavailable (ENCODER_UNAVAILABLE)."""
        ...


class Reranker(Protocol):
    """A second look at the best passages. A plug-in point: without one the fused order stands."""

    async def rerank(self, question: str, passages: Sequence[str]) -> Sequence[int]:
        """Return the order of the passages, best first, as places in ``passages``."""
        ...


class Answerer(Protocol):
    """Writes sentences from passages; what it writes is verified before anybody reads it."""

    def answer(self, question: str, passages: Sequence[str]) -> AsyncIterator[str]:
        """Yield pieces of text with citation markers."""
        ...
