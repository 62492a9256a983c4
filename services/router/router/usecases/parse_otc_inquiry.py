"""RPC ParseOtcInquiry: a generation of the desk's own model under the grammar of its text, and what that means.

It is a generation like any other: prefill, hand-off, decode, tokens, records. The desk's rules are `otcdesk`; nothing here depends on who
the model is, but its confidence is only worth something with the threshold that was measured for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace

from meshkit.errors import FieldViolation, InvalidArgument
from otcdesk import constraint, guards, reading
from otcdesk.fold import fold
from otcdesk.instruments import Instruments

from router.domain.desk import MOST_TOKENS, Asked, Parsed
from router.domain.generation import Admitted, Conversation, Delta, Ended, Message, Part, Request, Sampling

_ALWAYS_ASK = 1.1  # no confidence reaches it


class ParseOtcInquiry:
    """``thresholds``: by name of the model, the confidence from which on nobody need look."""

    def __init__(
        self,
        generate: Callable[[Request, float], AsyncGenerator[Part, None]],
        instruments: Instruments,
        thresholds: Mapping[str, float],
    ) -> None:
        self._generate, self._instruments, self._thresholds = generate, instruments, thresholds

    async def __call__(self, asked: Asked, remaining_s: float) -> Parsed:
        """Return what a text means. Raises InvalidArgument for what is no text to read, and what a generation raises."""
        try:
            guards.check_raw(asked.text)
            folded = fold(asked.text)
            guards.check(folded)
        except guards.TextRefused as refused:
            violation = FieldViolation("text", str(refused))
            raise InvalidArgument("the text cannot be read", reason=refused.reason, violations=(violation,)) from None
        request = replace(
            asked.request,
            input=Conversation((Message("user", folded.text),)),
            max_output_tokens=MOST_TOKENS,
            sampling=Sampling(logprobs=True),
            json_schema=constraint.schema(folded.text),
            forbids_standby=True,
        )
        written, logprobs = [], []
        admitted: Admitted | None = None
        ended: Ended | None = None
        async with aclosing(self._generate(request, remaining_s)) as parts:
            async for part in parts:
                if isinstance(part, Admitted):
                    admitted = part
                elif isinstance(part, Delta):
                    written.append(part.text)
                    logprobs += [token.logprob for token in part.tokens]
                elif isinstance(part, Ended):
                    ended = part
        assert admitted is not None and ended is not None, "a generation that does not raise is admitted and ends"
        confidence = reading.confidence(logprobs)
        found = reading.read("".join(written), folded, self._instruments, confidence)
        return self._parsed(asked, found, "".join(written), confidence, admitted, ended)

    def _parsed(self, asked: Asked, found: reading.Reading, written: str, confidence: float, admitted: Admitted, ended: Ended) -> Parsed:
        threshold = self._thresholds.get(admitted.model, _ALWAYS_ASK)
        return Parsed(
            inquiry=found.inquiry,
            terms=reading.terms(found.inquiry, asked.last),
            written=written,
            confidence=confidence,
            needs_confirmation=confidence < threshold or bool(found.unresolved),
            unresolved=found.unresolved,
            admitted=admitted,
            ended=ended,
        )
