"""What models do for rag: encode, look a second time, write."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a served model is asked. ``instructions`` hold the passages, numbered; grade of the highest of all of it."""

    tenant: str
    model: str
    scenario: str
    grade: int
    instructions: str
    turns: Sequence[tuple[str, str]]  # role, text: the last is the question
    max_output_tokens: int


@dataclass(frozen=True, slots=True)
class Written:
    """The end of what a model wrote: which one, its generation's id, and what it used."""

    model: str
    generation_id: str
    prompt_tokens: int = 0
    output_tokens: int = 0


class Answerer(Protocol):
    """Writes from passages; what it writes is verified before anybody reads it."""

    def answer(self, prompt: Prompt) -> AsyncGenerator[str | Written, None]:
        """Yield pieces of text with citation markers, then the end. Raises Unavailable, InvalidArgument (a prompt that is too long)."""
        ...
