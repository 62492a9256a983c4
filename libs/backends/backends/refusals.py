"""What an engine refuses, as the mesh's typed errors.

A reason that is not known here is the engine's failure: somebody else may do better.
"""

from __future__ import annotations

from finmesh.engine.v1.engine_pb2 import Refusal
from meshkit.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, MeshError, NotFound, Overloaded, Unavailable

_CLASSES: dict[str, type[MeshError]] = {
    **dict.fromkeys(
        (
            "PROMPT_EMPTY", "PROMPT_TOO_LONG", "TOKENS_INVALID", "NAMESPACE_INVALID", "CHOICES_TOO_MANY", "SAMPLING_INVALID",
            "SCHEMA_INVALID", "GRAMMAR_UNSATISFIABLE", "ID_INVALID", "MALFORMED_MESSAGE",
        ),
        InvalidArgument,
    ),
    **dict.fromkeys(
        (
            "LAYOUT_MISMATCH", "TICKET_REFUSED", "FENCED", "STALE_EPOCH", "ID_REUSED", "ID_TOO_OLD", "MODEL_UNKNOWN", "GRADE_NOT_ALLOWED",
            "ROLE_MISMATCH", "GAP",
        ),
        FailedPrecondition,
    ),
    "OVERLOADED": Overloaded,
    "READER_TOO_SLOW": Overloaded,
    "RESERVATION_LOST": NotFound,
    "QUEUE_EXPIRED": DeadlineExceeded,
}  # fmt: skip
RETRY_AFTER_S = 0.2


def error_of(refusal: Refusal) -> MeshError:
    """Return the error that a refusal stands for."""
    kind = _CLASSES.get(refusal.reason, Unavailable)
    retry_after_s = refusal.retry_after_ms / 1000 if refusal.retry_after_ms else None
    if kind is Overloaded and retry_after_s is None:
        retry_after_s = RETRY_AFTER_S
    return kind(refusal.message or "the engine did not do it", reason=refusal.reason or "ENGINE_FAILED", retry_after_s=retry_after_s)


def engine_lost(why: str, reason: str = "ENGINE_LOST") -> Unavailable:
    """Return the error of whatever ran on an engine that is gone."""
    return Unavailable(why, reason=reason)


def too_slow() -> Overloaded:
    """Return the error of an answer whose reader did not keep up."""
    return Overloaded("the reader is too slow", reason="READER_TOO_SLOW", retry_after_s=RETRY_AFTER_S)
