"""An answer that a served model writes: each sentence is held against the passages it names, and shown only when they say it.

What they don't say is dropped, what they deny is a conflict; a model that isn't there is no answer, never another model.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from meshkit.errors import InvalidArgument, Unavailable

from rag import ports
from rag.domain import prompting
from rag.domain.answer import ANSWERER_UNAVAILABLE, GUARDRAIL_CONFLICT, NOT_SUPPORTED, Sentence
from rag.domain.retrieval import Passage
from rag.ports.models import Prompt, Written

Verify = Callable[[str, Sequence[Passage]], Sentence | None]
"""Hold one sentence with its marks against passages, None when they don't say it."""


@dataclass(slots=True)
class Outcome:
    """What became of an answer, filled while it is written. ``refusal``: why nothing was shown, if nothing was."""

    written: list[Written] = field(default_factory=list)
    dropped: int = 0
    shown: int = 0
    failure: str = ""

    @property
    def refusal(self) -> str:
        """Why there is no answer."""
        if self.shown:
            return ""
        return self.failure or (GUARDRAIL_CONFLICT if self.dropped else NOT_SUPPORTED)


class Served:
    """Asks the model and verifies what it writes."""

    def __init__(self, answerer: ports.Answerer, verify: Verify) -> None:
        self._answerer, self._verify = answerer, verify

    async def __call__(self, prompt: Prompt, passages: Sequence[Passage], outcome: Outcome) -> AsyncGenerator[Sentence, None]:
        """Yield verified sentences."""
        sentences = prompting.Sentences()
        try:
            async with aclosing(self._answerer.answer(prompt)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Written):
                        outcome.written.append(piece)
                        continue
                    for sentence in self._verified(sentences.take(piece), passages, outcome):
                        yield sentence
            for sentence in self._verified(sentences.rest(), passages, outcome):
                yield sentence
        except (Unavailable, InvalidArgument):
            outcome.failure = ANSWERER_UNAVAILABLE

    def _verified(self, texts: Sequence[str], passages: Sequence[Passage], outcome: Outcome) -> list[Sentence]:
        found = []
        for text in texts:
            if text.strip(" .。\n") == prompting.NOT_FOUND:
                continue
            sentence = self._verify(text, passages)
            if sentence is None or not sentence.citations:
                outcome.dropped += 1
            else:
                found.append(sentence)
        return found
