"""An engine by script that can go wrong, silent or away, and a clock."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from backends.health.known_answers import KnownAnswer, KnownAnswers
from backends.port import DecodeEvent, Published
from finmesh.inference.v1.decode_service_pb2 import DecodeRequest, Tokens
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest

from tests.scripted_engine import ScriptedEngine, token_of


@dataclass
class SickEngine(ScriptedEngine):
    """``error``: added to every token; ``aborted``: hand-offs."""

    error: int = 0
    aborted: list[tuple[str, int]] = field(default_factory=list)

    async def decode(self, request: DecodeRequest, timeout_s: float, hold_s: float = 0.0) -> AsyncGenerator[DecodeEvent, None]:
        async for event in super().decode(request, timeout_s, hold_s):
            if isinstance(event, Tokens):
                for token in event.tokens:
                    token.token_id += self.error
            yield event

    async def prefill(self, request: PrefillRequest, timeout_s: float) -> Published:
        published = await super().prefill(request, timeout_s)
        for token in published.response.first_tokens:
            token.token_id += self.error
        return published

    async def abort(self, handoff_id: str, epoch: int) -> None:
        self.aborted.append((handoff_id, epoch))
        await super().abort(handoff_id, epoch)


def known(prompts: Sequence[Sequence[int]] = ((5, 6, 7), (8, 9)), digest: bytes = b"m" * 32) -> KnownAnswers:
    """What a scripted engine answers; it tells log-probabilities of 0."""
    answers = [
        KnownAnswer(tuple(prompt), tuple(token_of(prompt, index) for index in range(8)), (0.0,) * 8, (9.0,) * 8) for prompt in prompts
    ]
    return KnownAnswers(digest, tuple(answers))
