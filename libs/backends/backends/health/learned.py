"""Questions to an engine of whose model nothing is known: what it says at first is taken for right, and later answers are compared with it.

Surprising: an engine whose first answers already differ computes otherwise each time; it is asked on, for its life and its pace, and never
called wrong. So is one that tells nothing that could be compared. Another answer counts as a mistake only when it comes twice in a row.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

from finmesh.inference.v1.generation_pb2 import Token
from finmesh.inference.v1.worker_pb2 import WorkerDescription

from backends.health.known_answers import KnownAnswer, KnownAnswers, Said
from backends.health.probe import TOKENS, Outcome, Prober
from backends.port import Backend

PROMPT, TEXT = tuple(range(10, 18)), "1, 2, 3, 4, 5, 6,"
SURE = 3
"""So many equal answers are what it says."""
_QUESTION = KnownAnswers(b"", (KnownAnswer(PROMPT, (0,) * TOKENS, (), ()),), 0.0)


class LearningProber(Prober):
    """Asks one question and learns the answer. Of one engine and one model."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend, _QUESTION)
        self._has_logprobs = False  # an engine that need not tell them need not refuse
        self._answers: list[tuple[Said, ...]] = []
        self._is_steady = True
        self._differed = False

    async def __call__(self, description: WorkerDescription, timeout_s: float) -> Outcome:
        """Ask."""
        self._text = TEXT if description.takes_text else ""
        return await super().__call__(description, timeout_s)

    def judge(self, answer: KnownAnswer, said: Sequence[Said], expected: int) -> str:
        """Return in words what is wrong with an answer, empty when nothing is."""
        if not said or not self._is_steady:
            return ""
        if len(self._answers) < SURE:
            self._answers.append(tuple(said))
            self._is_steady = len(set(self._answers)) == 1
            return ""
        before, self._differed = self._differed, tuple(said) != self._answers[0]
        return "it says something else than at first, twice in a row" if before and self._differed else ""

    def _said(self, tokens: Iterable[Token]) -> list[Said]:
        """Tokens by their ids; what was told as text alone by what it says."""
        return [Said(zlib.crc32(token.text) if token.is_text_only else token.token_id) for token in tokens]
