"""A conversation with a model: what was said, and what an answer says of itself."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from finmesh.inference.v1 import generation_pb2
from finmesh.router.v1 import router_service_pb2 as pb
from rich.console import Console

from finmesh_cli import show, words
from finmesh_cli.settings import Language


@dataclass(slots=True)
class Answer:
    """One answer, as far as it has come."""

    text: str = ""
    calls: list[pb.ToolCall] = field(default_factory=list)
    admitted: pb.Admitted = field(default_factory=pb.Admitted)
    substituted: pb.Substituted | None = None
    ended: pb.Ended = field(default_factory=pb.Ended)
    cut_off: bool = False
    continued: list[str] = field(default_factory=list)
    began_s: float = field(default_factory=time.monotonic)
    first_s: float = 0.0
    last_s: float = 0.0

    async def pieces(self, parts: AsyncIterator[pb.GenerateResponse]) -> AsyncGenerator[str, None]:
        """Yield the text of an answer while it comes, and its calls of tools, a line each."""
        async for part in parts:
            kind = part.WhichOneof("part")
            if kind == "delta":
                self.last_s = time.monotonic()
                self.first_s = self.first_s or self.last_s
                self.text += part.delta.text
                yield part.delta.text
                for piece in part.delta.tool_calls:
                    if piece.id:
                        yield ("\n" if self.text or self.calls else "") + piece.name + " "
                        self.calls.append(pb.ToolCall(id=piece.id, name=piece.name))
                    self.calls[-1].arguments += piece.arguments
                    yield piece.arguments
            elif kind == "admitted":
                self.admitted = part.admitted
            elif kind == "substituted":
                self.substituted = part.substituted
            elif kind == "finished":
                self.cut_off = part.finished.reason == generation_pb2.FINISH_REASON_LENGTH
            elif kind == "continued":
                self.continued.append(part.continued.reason)
            elif kind == "ended":
                self.ended = part.ended

    def explain(self, out: Console, language: Language) -> None:
        """Print how it was made and which audit records prove it."""
        usage, made = self.ended.usage, self.ended.provenance
        counts = words.say("prompt {prompt} (found again: {cached}), answer {output}", language)
        told = self.substituted or self.admitted
        prompt = usage.prompt_tokens or told.prompt_tokens
        show.line(out, "model", f"{told.model}  {told.release}", language)
        if made.standby_for:
            show.line(out, "standby for", made.standby_for, language, "yellow")
        show.line(out, "tokens", counts.format(prompt=prompt, cached=usage.cached_tokens, output=usage.output_tokens), language)
        if self.last_s > self.first_s and usage.output_tokens > 1:
            said = words.say("first token {first_ms:.0f} ms, {rate:.1f} tokens/s", language)
            rate = (usage.output_tokens - 1) / (self.last_s - self.first_s)
            show.line(out, "speed", said.format(first_ms=(self.first_s - self.began_s) * 1000, rate=rate), language)
        if made.decode_worker:
            how = words.say("handed over" if made.disaggregated else "not handed over", language)
            engines = " -> ".join(dict.fromkeys(filter(None, (made.prefill_worker, made.decode_worker))))
            show.line(out, "engines", f"{engines}  {how} [{made.reason}]", language)
        if made.degradations:
            show.line(out, "degraded", ", ".join(made.degradations), language, "yellow")
        show.line(out, "seed", str(self.admitted.seed), language)
        show.line(out, "generation", told.generation_id, language)
        for word, record in (("began", self.ended.started_record_id), ("ended", self.ended.ended_record_id)):
            if record:
                show.line(out, "audit record", f"{record}  {words.say(word, language)}", language)


@dataclass(slots=True)
class Conversation:
    """``asked`` is how every question is asked; ``turns`` is what was said so far."""

    asked: pb.GenerateRequest
    system: str = ""
    turns: list[pb.Message] = field(default_factory=list)
    last: Answer | None = None

    def request(self, question: str) -> pb.GenerateRequest:
        """Return the question with everything that was said before it."""
        request = pb.GenerateRequest()
        request.CopyFrom(self.asked)
        if self.system:
            request.conversation.messages.add(role="system", content=self.system)
        request.conversation.messages.extend(self.turns)
        request.conversation.messages.add(role="user", content=question)
        return request

    def answered(self, question: str, answer: Answer) -> None:
        """Remember a question and as much of its answer as was said."""
        self.last = answer
        calls = () if answer.cut_off else answer.calls  # the last one may be half a call
        if answer.text or calls:
            said = pb.Message(role="assistant", content=answer.text, tool_calls=calls)
            self.turns += [pb.Message(role="user", content=question), said]

    def forget(self) -> None:
        """Begin anew."""
        self.turns.clear()
