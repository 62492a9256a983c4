"""One answer of a foreign engine on its way to its reader: numbered, bounded, counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from finmesh.inference.v1.decode_service_pb2 import DecodeRequest
from finmesh.inference.v1.generation_pb2 import ChoiceFinished, FinishReason, Token
from meshkit.errors import Unavailable

from backends.measures import Measures
from backends.port import Running
from backends.streams import Stream


@dataclass(frozen=True, slots=True)
class Gauges:
    """What an engine tells of itself; None: nothing."""

    queued: int | None = None
    running: int | None = None
    kv_usage: float | None = None


@dataclass(slots=True, eq=False)
class Writing:
    """One request under way: where its pieces go. ``sizes``: tokens so far, by choice.

    Its row counts as running from its first token on: until then the reader is patient, and may still go elsewhere.
    """

    request: DecodeRequest
    stream: Stream
    running: Running
    measures: Measures
    began_s: float
    share: float
    sizes: dict[int, int]
    last_s: float | None = None
    output_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    is_running: bool = False
    finished: set[int] = field(default_factory=set)

    def _runs(self) -> None:
        if not self.is_running:
            self.is_running = True
            self.stream.put(self.running)

    def tokens(self, choice: int, tokens: list[Token], now_s: float) -> bool:
        """Pass tokens on, numbered; False when their reader did not keep up. Raises Unavailable (ENGINE_PROTOCOL) past the bound."""
        if not tokens or choice in self.finished:
            return True
        first = self.sizes[choice]
        if first + len(tokens) > self.request.bounds.max_output_tokens:
            raise said_wrong("the engine wrote more tokens than it was asked for")
        for number, token in enumerate(tokens):
            token.choice, token.index = choice, first + number
        self.sizes[choice] = first + len(tokens)
        self._runs()
        if self.last_s is None:
            self.measures.first(self, now_s - self.began_s)
        self.measures.tokens(self, len(tokens), None if self.last_s is None else now_s - self.last_s)
        self.last_s = now_s
        self.output_tokens += len(tokens)
        return self.stream.put_tokens(tokens)

    def finish(self, choice: int, reason: FinishReason, output_tokens: int | None = None) -> None:
        """End one answer. ``output_tokens``: as the engine counts them, when it does not tell each."""
        if choice not in self.finished:
            self._runs()
            self.finished.add(choice)
            told = self.sizes[choice] if output_tokens is None else output_tokens
            self.stream.put(ChoiceFinished(choice=choice, reason=reason, output_tokens=told))


def said_wrong(why: str, reason: str = "ENGINE_PROTOCOL") -> Unavailable:
    """Return the error of an engine that says what it must not."""
    return Unavailable(why, reason=reason)
