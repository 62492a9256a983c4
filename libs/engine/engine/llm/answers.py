"""Answers that grow: what tokens are chosen of a step's logits, and whether they end something.

Used by the loop alone. Surprising: a choice that started with tokens (a hand-off, a replay) feeds them first, one a step, as the engine
that was first did, and tells nothing until a token is new.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engine.llm import errors
from engine.llm.generation import Event, Finished, FinishReason, Token
from engine.llm.grammar import GrammarError
from engine.llm.sampling import Draw, Score, sample
from engine.llm.sequence import Choice, Request

_NO_STOPS: frozenset[int] = frozenset()


class Answers:
    """``end_ids``: tokens with which the model ends a turn."""

    def __init__(self, end_ids: Sequence[int]) -> None:
        self._end_ids = frozenset(end_ids)

    def grow(self, logits: npt.NDArray[np.float32], choices: Sequence[Choice], rows: Sequence[int], events: list[Event]) -> list[Choice]:
        """Choose a token for each choice from its row of logits (R, V); return the choices that ended, `finished` set."""
        draws, drawing, ended = [], [], []
        for choice, row in zip(choices, rows, strict=True):
            try:
                draws.append(self._draw(choice, row))
                drawing.append(choice)
            except GrammarError as error:
                ended.append(self._broke(choice, errors.GRAMMAR_FAILED, str(error), events))
        if not draws:
            return ended
        tokens, scores = sample(logits, draws)
        for at, (choice, token) in enumerate(zip(drawing, tokens, strict=True)):
            if token < 0:
                ended.append(self._broke(choice, errors.LOGITS_NOT_FINITE, "the model's answer is not a finite number", events))
            elif self._take(choice, token, scores.get(at), events):
                ended.append(choice)
        return ended

    def reason(self, choice: Choice) -> FinishReason | None:
        """Return why a choice ends with its last token, if it does."""
        request, token = choice.request, choice.emitted[-1]
        if self.is_stop(request, token) or (choice.matcher is not None and choice.matcher.is_stopped):
            return FinishReason.STOP
        return FinishReason.LENGTH if len(choice.emitted) >= request.limit else None

    def is_stop(self, request: Request, token: int) -> bool:
        """Whether a token ends an answer of this request."""
        asked = request.generation
        return token in asked.stop_ids or (token in self._end_ids and not asked.ignore_end)

    def _draw(self, choice: Choice, row: int) -> Draw:
        asked, mask = choice.request.generation, None
        if choice.matcher is not None:
            mask = choice.matcher.mask(asked.stop_ids - self._end_ids if asked.stop_ids else _NO_STOPS)
        return Draw(row, asked.sampling, choice.number, len(choice.emitted), mask)

    def _take(self, choice: Choice, token: int, score: Score | None, events: list[Event]) -> bool:
        request = choice.request
        index = len(choice.emitted)
        choice.emitted.append(token)
        request.output_tokens += 1
        if choice.matcher is not None and not (token in request.generation.stop_ids and token not in self._end_ids):
            try:
                choice.matcher.advance(token)
            except GrammarError as error:
                self._broke(choice, errors.GRAMMAR_FAILED, str(error), events)
                return True
        events.append(
            Token(request.request_id, choice.number, index, token)
            if score is None
            else Token(request.request_id, choice.number, index, token, logprob=score.logprob, top=score.top)
        )
        if (reason := self.reason(choice)) is None:
            return False
        self.finish(choice, reason, events)
        return True

    def _broke(self, choice: Choice, error: str, message: str, events: list[Event]) -> Choice:
        self.finish(choice, FinishReason.ERROR, events, error, message)
        return choice

    def finish(self, choice: Choice, reason: FinishReason, events: list[Event], error: str = "", message: str = "") -> None:
        """End a choice and tell."""
        choice.finished = reason
        request, written = choice.request, len(choice.emitted)
        events.append(
            Finished(
                request_id=request.request_id,
                choice=choice.number,
                reason=reason,
                usage=request.usage(),
                output_tokens=written,
                is_last=not request.live(),
                error=error,
                message=message,
            )
        )
