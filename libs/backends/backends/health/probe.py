"""Asks an engine what is known, as any request is asked: through its port, at the highest priority.

Surprising: questions are shorter than a block, so that nothing of them is cached and every answer is computed; a prefill engine writes one
token, so that nothing is published. An engine that tells no log-probabilities is asked without them from then on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum

from finmesh.inference.v1.decode_service_pb2 import DecodeRequest, Tokens
from finmesh.inference.v1.generation_pb2 import Bounds, Sampling, Token
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest
from finmesh.inference.v1.worker_pb2 import WORKER_ROLE_PREFILL, WorkerDescription
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, MeshError, Overloaded

from backends.health.known_answers import KnownAnswer, KnownAnswers, Said
from backends.port import Backend

NAMESPACE, TENANT = b"finmesh known answers".ljust(32, b"\0"), bytes(32)
GRADE, PRIORITY = 1, 9
TOKENS = 4
"""Of an answer: enough to feed tokens of its own back, few enough to be cheap."""
_NOT_NUMBERS = "LOGITS_NOT_FINITE"
_NO_LOGPROBS = "ENGINE_LACKS_LOGPROBS"


class Verdict(Enum):
    """What an answer says of its engine."""

    RIGHT = "right"
    WRONG = "wrong"
    BUSY = "busy"
    """It took no question, or answered too late, and that alone says nothing."""
    FAILED = "failed"
    """It answered with an error of its own."""
    REFUSED = "refused"
    """It can't be asked this."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``unit_s``: seconds for each unit of work that was waited for (a token, or a prompt that was read)."""

    verdict: Verdict
    detail: str = ""
    unit_s: tuple[float, ...] = ()


class Prober:
    """Asks the questions of one model in turn."""

    def __init__(self, backend: Backend, known: KnownAnswers) -> None:
        self._backend, self._known = backend, known
        self._next = 0
        self._has_logprobs = True
        self._unit_s: list[float] = []
        self._text = ""

    async def __call__(self, description: WorkerDescription, timeout_s: float) -> Outcome:
        """Ask one question. What was measured counts, also when the time was too short."""
        answer = self._known.answers[self._next % len(self._known.answers)]
        self._next, self._unit_s = self._next + 1, []
        is_prefill = description.role == WORKER_ROLE_PREFILL
        try:
            async with asyncio.timeout(timeout_s):
                said = await (self._read if is_prefill else self._written)(description, answer, timeout_s)
        except TimeoutError:
            return Outcome(Verdict.BUSY, f"no answer in {timeout_s:g} s", tuple(self._unit_s))
        except MeshError as error:
            return self._outcome(error)
        expected = 1 if is_prefill else min(TOKENS, len(answer.tokens))
        mistake = self.judge(answer, said, expected)
        return Outcome(Verdict.WRONG if mistake else Verdict.RIGHT, mistake, tuple(self._unit_s))

    def judge(self, answer: KnownAnswer, said: Sequence[Said], expected: int) -> str:
        """Return in words what is wrong with what was said, empty when nothing is."""
        mistake = answer.mistake(said, self._known.tolerance)
        if not mistake and said and len(said) != expected:
            return f"{len(said)} tokens and not {expected}"
        return mistake

    def _outcome(self, error: MeshError) -> Outcome:
        if error.reason == _NOT_NUMBERS:
            return Outcome(Verdict.WRONG, "its logits are no finite numbers")
        if error.reason == _NO_LOGPROBS and self._has_logprobs:
            self._has_logprobs = False
            return Outcome(Verdict.BUSY, error.reason)
        if isinstance(error, Overloaded | DeadlineExceeded):
            return Outcome(Verdict.BUSY, error.reason)
        if isinstance(error, InvalidArgument | FailedPrecondition):
            return Outcome(Verdict.REFUSED, f"{error.reason}: {error.message}")
        return Outcome(Verdict.FAILED, error.reason)

    async def _read(self, description: WorkerDescription, answer: KnownAnswer, timeout_s: float) -> list[Said]:
        """A prompt that is read. An engine that tells no first token has told nothing to compare."""
        request = PrefillRequest(
            handoff_id=uuid7(),
            epoch=1,
            request_id=f"probe-{uuid7()}",
            model_digest=description.model_digest,
            layout_digest=description.layout_digest,
            prompt_tokens=answer.prompt,
            namespace=NAMESPACE,
            tenant_digest=TENANT,
            grade=GRADE,
            sampling=Sampling(choices=1, logprobs=self._has_logprobs),
            bounds=Bounds(max_output_tokens=1),
            priority=PRIORITY,
        )
        begun_s = time.monotonic()
        published = await self._backend.prefill(request, timeout_s)
        self._unit_s.append(time.monotonic() - begun_s)
        if published.response.ticket:
            await self._backend.abort(request.handoff_id, request.epoch)
        return self._said(published.response.first_tokens)

    async def _written(self, description: WorkerDescription, answer: KnownAnswer, timeout_s: float) -> list[Said]:
        request = DecodeRequest(
            request_id=f"probe-{uuid7()}",
            model_digest=description.model_digest,
            prompt_tokens=answer.prompt,
            namespace=NAMESPACE,
            tenant_digest=TENANT,
            grade=GRADE,
            sampling=Sampling(choices=1, logprobs=self._has_logprobs),
            bounds=Bounds(max_output_tokens=min(TOKENS, len(answer.tokens))),
            priority=PRIORITY,
            prompt_text=self._text,
        )
        said: list[Said] = []
        async with aclosing(self._backend.decode(request, timeout_s)) as events:
            before_s = 0.0
            async for event in events:
                if isinstance(event, Tokens):
                    now_s = time.monotonic()
                    if before_s:
                        self._unit_s += [(now_s - before_s) / len(event.tokens)] * len(event.tokens)
                    before_s = now_s
                    said += self._said(event.tokens)
        return said

    def _said(self, tokens: Iterable[Token]) -> list[Said]:
        """Tokens that have an id: what was told as text alone is not compared."""
        return [Said(token.token_id, token.logprob if self._has_logprobs else None) for token in tokens if not token.is_text_only]
