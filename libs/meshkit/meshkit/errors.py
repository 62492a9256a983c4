"""The one tree of errors that cross a boundary. Domain code raises these; it knows no gRPC.

An error has a class (what the caller can do about it) and a stable UPPER_SNAKE ``reason`` (which case it is). Reasons are API: add, never
rename. Anything that is not a ``MeshError`` is a bug and reaches the caller as "internal error" without its text (`rpc/status.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field that is wrong: dotted proto path and why, without the value."""

    field: str
    description: str


class MeshError(Exception):
    """Base of all typed errors.

    ``message`` is for people and must hold no personal data; ``metadata`` is small and machine-readable; ``retry_after_s`` is set where a
    retry can help.
    """

    default_reason = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
        violations: tuple[FieldViolation, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.metadata = dict(metadata or {})
        self.retry_after_s = retry_after_s
        self.violations = violations


class InvalidArgument(MeshError):
    """The request is wrong whatever the state of the system. Do not retry."""

    default_reason = "INVALID_ARGUMENT"


class FailedPrecondition(MeshError):
    """The system is not in a state that allows it. Do not retry before that changed."""

    default_reason = "FAILED_PRECONDITION"


class InvalidDocument(FailedPrecondition, ValueError):
    """A document (a file, a configuration) does not hold what it must; the message names the place. A ValueError too, as of any parser."""

    default_reason = "INVALID_DOCUMENT"


class Conflict(MeshError):
    """The same identity came with other content (``IDEMPOTENCY_CONFLICT``), or a newer writer is at work."""

    default_reason = "IDEMPOTENCY_CONFLICT"


class NotFound(MeshError):
    """What was asked for is not there, or the caller may not know that it is."""

    default_reason = "NOT_FOUND"


class Unauthenticated(MeshError):
    """Nobody, or not provably somebody."""

    default_reason = "UNAUTHENTICATED"


class PermissionDenied(MeshError):
    """Somebody, but not allowed."""

    default_reason = "PERMISSION_DENIED"


class QuotaExceeded(MeshError):
    """The caller used up its share. Retry after ``retry_after_s``."""

    default_reason = "QUOTA_EXCEEDED"


class Overloaded(MeshError):
    """The service has no capacity left. Retry after ``retry_after_s``."""

    default_reason = "OVERLOADED"


class Unavailable(MeshError):
    """Something needed is down, and nothing was done. Retry."""

    default_reason = "UNAVAILABLE"


class DeadlineExceeded(MeshError):
    """The deadline is over, or too near to finish. The work may have been done: retry with the same identity."""

    default_reason = "DEADLINE_EXCEEDED"


class TooOld(InvalidArgument):
    """The event is older than the dedupe horizon."""

    default_reason = "TOO_OLD"


class DataCorrupted(MeshError):
    """Stored bytes do not match their proof."""

    default_reason = "DATA_CORRUPTED"


def is_failure(error: BaseException) -> bool:
    """Whether a call failed, rather than being ended: an Exception, or a panic of a library in Rust, which is no Exception."""
    return isinstance(error, Exception) or type(error).__module__ == "pyo3_runtime"
