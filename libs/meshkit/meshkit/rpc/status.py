"""The one table between typed errors and gRPC status, both ways.

Classes that share a code with another class carry their name in ``ErrorInfo.metadata["error_class"]`` so that the client raises the same
class again. Anything that is not a ``MeshError`` becomes INTERNAL "internal error": its text stays in the service's own log.
"""

from __future__ import annotations

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from meshkit import errors
from meshkit.errors import FieldViolation, MeshError
from meshkit.telemetry.redactor import redact

DOMAIN = "finmesh"
DETAILS_KEY = "grpc-status-details-bin"
INTERNAL_MESSAGE = "internal error"
_CLASS_KEY = "error_class"
_MESSAGE_LIMIT = 500  # characters; a status travels in a header

# The first row of a code is what that code means when nothing else is said.
_ROWS: tuple[tuple[type[MeshError], grpc.StatusCode], ...] = (
    (errors.InvalidArgument, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.TooOld, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.FailedPrecondition, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.InvalidDocument, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.Conflict, grpc.StatusCode.ALREADY_EXISTS),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (errors.PermissionDenied, grpc.StatusCode.PERMISSION_DENIED),
    (errors.QuotaExceeded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.Unavailable, grpc.StatusCode.UNAVAILABLE),
    (errors.DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.DataCorrupted, grpc.StatusCode.DATA_LOSS),
)
_CODE_OF = dict(_ROWS)
_CLASS_NAMED = {row[0].__name__: row[0] for row in _ROWS}
_PRIMARY: dict[grpc.StatusCode, type[MeshError]] = {code: cls for cls, code in reversed(_ROWS)}

# Codes that gRPC itself or a foreign server sends. A quota is ours alone: what gRPC calls exhausted is a size or a number of calls.
_FOREIGN: dict[grpc.StatusCode, tuple[type[MeshError], str]] = {
    grpc.StatusCode.CANCELLED: (errors.Unavailable, "CANCELLED"),
    grpc.StatusCode.ABORTED: (errors.Conflict, "ABORTED"),
    grpc.StatusCode.OUT_OF_RANGE: (errors.InvalidArgument, "OUT_OF_RANGE"),
    grpc.StatusCode.UNIMPLEMENTED: (errors.FailedPrecondition, "UNIMPLEMENTED"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (errors.Overloaded, "RESOURCE_EXHAUSTED"),
}
_TOO_LARGE = {
    "message larger than max": "MESSAGE_TOO_LARGE",
    "metadata size exceeds": "METADATA_TOO_LARGE",
}  # gRPC's words, the caller's matter


def code_of(error: BaseException) -> grpc.StatusCode:
    """Return the gRPC code of an error; INTERNAL for everything that is not typed."""
    for cls in type(error).__mro__:
        code = _CODE_OF.get(cls)
        if code is not None:
            return code
    return grpc.StatusCode.INTERNAL


def _row_of(error: MeshError) -> type[MeshError]:
    return next((cls for cls in type(error).__mro__ if cls in _CODE_OF), MeshError)


def to_status(error: BaseException) -> tuple[grpc.StatusCode, str, bytes]:
    """Return (code, message, serialised ``google.rpc.Status``) of any error."""
    code = code_of(error)
    if code is grpc.StatusCode.INTERNAL or not isinstance(error, MeshError):
        info = error_details_pb2.ErrorInfo(reason=MeshError.default_reason, domain=DOMAIN)
        status = status_pb2.Status(code=code.value[0], message=INTERNAL_MESSAGE)
        status.details.add().Pack(info)
        return code, INTERNAL_MESSAGE, status.SerializeToString()
    message = redact(error.message)[:_MESSAGE_LIMIT]
    metadata = {key: redact(value) for key, value in error.metadata.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    row = _row_of(error)
    if row is not _PRIMARY[code]:
        info.metadata[_CLASS_KEY] = row.__name__
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(info)
    if error.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(max(0, int(error.retry_after_s * 1e9)))
        status.details.add().Pack(retry)
    if error.violations:
        bad = error_details_pb2.BadRequest()
        for violation in error.violations:
            bad.field_violations.add(field=redact(violation.field), description=redact(violation.description))
        status.details.add().Pack(bad)
    return code, message, status.SerializeToString()


def from_status(code: grpc.StatusCode, message: str, details: bytes | None) -> MeshError:
    """Return the typed error that a status stands for; ``details`` is a serialised ``google.rpc.Status`` or None."""
    reason: str | None = None
    metadata: dict[str, str] = {}
    retry_after_s: float | None = None
    violations: list[FieldViolation] = []
    for detail in _details(details):
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            if info.domain == DOMAIN:
                reason, metadata = info.reason, dict(info.metadata)
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo()
            detail.Unpack(retry)
            retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad = error_details_pb2.BadRequest()
            detail.Unpack(bad)
            violations = [FieldViolation(v.field, v.description) for v in bad.field_violations]
    cls = _CLASS_NAMED.get(metadata.pop(_CLASS_KEY, ""))
    if cls is None or _CODE_OF[cls] is not code:
        cls, foreign_reason = (_PRIMARY[code], "") if reason and code in _PRIMARY else _foreign(code, message)
        reason = reason or foreign_reason or None
    if cls is MeshError:
        return MeshError(INTERNAL_MESSAGE)
    return cls(message, reason=reason, metadata=metadata, retry_after_s=retry_after_s, violations=tuple(violations))


def _foreign(code: grpc.StatusCode, message: str) -> tuple[type[MeshError], str]:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        for words, reason in _TOO_LARGE.items():
            if words in message:
                return errors.InvalidArgument, reason
    return _FOREIGN.get(code, (_PRIMARY.get(code, MeshError), ""))


def _details(serialised: bytes | None) -> list[status_pb2.Status]:
    if not serialised:
        return []
    try:
        return list(status_pb2.Status.FromString(serialised).details)
    except DecodeError:
        return []


def from_rpc_error(error: grpc.aio.AioRpcError) -> MeshError:
    """Return the typed error of a failed call."""
    details: bytes | None = None
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            details = value
    return from_status(error.code(), error.details() or "", details)
