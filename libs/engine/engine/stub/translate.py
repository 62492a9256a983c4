"""Requests of the mesh as the engine's values, and the engine's facts as messages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finmesh.engine.v1 import engine_pb2 as pb
from finmesh.inference.v1 import generation_pb2, worker_pb2

from engine.handoff.errors import HandoffError
from engine.llm.errors import Refused
from engine.llm.generation import Form, Sampling, Usage
from engine.llm.manifest import Manifest
from engine.llm.tool_grammar import CallableTool, ToolCalls
from engine.stub.settings import Role, Settings

_ROLES = {Role.PREFILL: worker_pb2.WORKER_ROLE_PREFILL, Role.DECODE: worker_pb2.WORKER_ROLE_DECODE}


@dataclass(frozen=True, slots=True)
class Identity:
    """What this engine is and may do; ``release``: what both ends of a hand-off have in common."""

    settings: Settings
    manifest: Manifest

    @property
    def model_digest(self) -> bytes:
        """Return the model's identity."""
        return bytes.fromhex(self.manifest.digest)

    @property
    def layout_digest(self) -> bytes:
        """Return what keys and values mean here."""
        return bytes.fromhex(self.manifest.layout_digest)

    @property
    def tokenizer_digest(self) -> bytes:
        """Return which tokenizer token ids are of."""
        return bytes.fromhex(self.manifest.tokenizer_digest)

    @property
    def release(self) -> str:
        """Return what ticket keys are derived for: a hand-off never crosses models."""
        return f"{self.manifest.digest} {self.manifest.tokenizer_digest}"

    def check(self, model_digest: bytes, grade: int) -> None:
        """Raise Refused (MODEL_UNKNOWN, GRADE_NOT_ALLOWED) unless it may answer."""
        if model_digest != self.model_digest:
            raise Refused("MODEL_UNKNOWN", f"{self.settings.worker_id} serves another model")
        if not 1 <= grade <= self.settings.highest_grade:
            raise Refused("GRADE_NOT_ALLOWED", f"data of grade {grade} may not go to {self.settings.worker_id}")

    def description(self, incarnation: str, host_nonce: str) -> worker_pb2.WorkerDescription:
        """Return what the mesh is told of it."""
        settings, manifest = self.settings, self.manifest
        return worker_pb2.WorkerDescription(
            worker_id=settings.worker_id,
            incarnation=incarnation,
            role=_ROLES[settings.role],
            vendor=settings.vendor,
            device=settings.device,
            model=manifest.name,
            model_digest=self.model_digest,
            tokenizer_digest=self.tokenizer_digest,
            layout_digest=self.layout_digest,
            block_tokens=manifest.layout.block_tokens,
            token_bytes=manifest.layout.token_bytes,
            max_len_tokens=settings.max_len_tokens,
            rows=settings.rows,
            highest_grade=settings.highest_grade,
            price_per_hour_minor=settings.price_per_hour_minor,
            zone=settings.zone,
            host_nonce=host_nonce,
        )

    def usage(self, usage: Usage) -> generation_pb2.UsageFacts:
        """Return what a leg used. Energy is estimated from busy time and rated power; 0 when the latter is not said."""
        return generation_pb2.UsageFacts(
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            accelerator=f"{self.settings.vendor}/{self.settings.device}",
            busy_ms=usage.busy_ms,
            energy_j=usage.busy_ms / 1e3 * self.settings.rated_power_w,
        )


def sampling(asked: generation_pb2.Sampling) -> Sampling:
    """Return how tokens are chosen. Raises Refused SAMPLING_INVALID."""
    return Sampling(
        seed=asked.seed,
        temperature=asked.temperature,
        top_k=asked.top_k,
        top_p=asked.top_p,
        logprobs=asked.logprobs or asked.top_logprobs > 0,
        top_logprobs=asked.top_logprobs,
    )


def form(asked: generation_pb2.Grammar) -> Form | None:
    """Return what an answer must be, None for anything."""
    if not asked.HasField("calls"):
        return asked.json_schema or None
    tools = tuple(CallableTool(tool.name, tool.parameters, tool.strict) for tool in asked.calls.tools)
    return ToolCalls(tools, asked.calls.text, asked.calls.parallel, asked.json_schema if asked.calls.text else "", asked.calls.format)


def choices(asked: generation_pb2.Sampling) -> int:
    """Return how many answers are wanted."""
    return max(1, asked.choices)


def refusal(error: Exception) -> pb.Refusal:
    """Return why not, as it travels."""
    retry_after_s = getattr(error, "retry_after_s", None)
    retry_after_ms = 0 if retry_after_s is None else int(retry_after_s * 1000)
    if isinstance(error, Refused | HandoffError):
        return pb.Refusal(reason=error.reason, message=error.message, retry_after_ms=retry_after_ms)
    return pb.Refusal(reason="ENGINE_FAILED", message=type(error).__name__)


def seconds(asked_ms: int, default_s: float, most_s: float) -> float:
    """Return a duration that was asked for, within bounds."""
    return min(asked_ms / 1000 if asked_ms else default_s, most_s)


def ids(content: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return block ids. Raises Refused."""
    if any(len(each) != 16 for each in content):
        raise Refused("TOKENS_INVALID", "a block's id has 16 bytes")
    return tuple(content)
