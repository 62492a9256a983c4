"""Typed errors in the form that official clients read, and what they are told about trying again.

Official clients repeat 408, 409, 429 and 5xx by themselves unless ``x-should-retry`` says otherwise. Most failures of a generation come
after the mesh tried what it could, so only what a pause mends may be repeated; ``Retry-After`` says how long the pause is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meshkit import errors
from meshkit.errors import MeshError
from meshkit.telemetry.redactor import redact

Headers = list[tuple[bytes, bytes]]
JSON_TYPE = (b"content-type", b"application/json")
INTERNAL_MESSAGE = "internal error"
_MESSAGE_LIMIT = 500

# Class of the tree → status and type. The first that an error is an instance of counts.
_STATUSES: tuple[tuple[type[MeshError], int, str], ...] = (
    (errors.InvalidArgument, 400, "invalid_request_error"),
    (errors.FailedPrecondition, 400, "invalid_request_error"),
    (errors.Conflict, 409, "invalid_request_error"),
    (errors.NotFound, 404, "invalid_request_error"),
    (errors.Unauthenticated, 401, "authentication_error"),
    (errors.PermissionDenied, 403, "permission_error"),
    (errors.QuotaExceeded, 429, "rate_limit_error"),
    (errors.Overloaded, 503, "overloaded_error"),
    (errors.Unavailable, 503, "server_error"),
    (errors.DeadlineExceeded, 504, "server_error"),
)
_STATUS_OF_REASON = {
    "MESSAGE_TOO_LARGE": 413, "HEADERS_TOO_LARGE": 431, "METHOD_NOT_ALLOWED": 405, "CONTENT_TYPE_UNSUPPORTED": 415, "BODY_LATE": 408,
}  # fmt: skip
# Names that clients know; every other reason is its own name in small letters.
_CODES = {
    "MODEL_UNKNOWN": "model_not_found",
    "PROMPT_TOO_LONG": "context_length_exceeded",
    "TOKENS_EXHAUSTED": "insufficient_quota",
    "QUOTA_EXCEEDED": "rate_limit_exceeded",
    "FIELD_UNKNOWN": "unknown_parameter",
    "FIELD_UNSUPPORTED": "unsupported_parameter",
}
_A_PAUSE_MENDS = frozenset({"QUOTA_EXCEEDED", "OVERLOADED", "RESOURCE_EXHAUSTED", "UNAVAILABLE"})
# Where the router names a field of its request, the field of the API's.
_PLACES = ((re.compile(r"^conversation\."), ""), (re.compile(r"^(tools\[[0-9]+\])\.(name|description|parameters)$"), r"\1.function.\2"))
_FIELDS = {
    "max_output_tokens": "max_completion_tokens",
    "sampling.choices": "n",
    "sampling.temperature": "temperature",
    "sampling.top_p": "top_p",
    "sampling.top_logprobs": "top_logprobs",
    "grammar.json_schema": "response_format",
    "tool_name": "tool_choice",
    "stop": "stop",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as an answer: ``body`` is the value of ``error``."""

    status: int
    headers: Headers
    body: Mapping[str, Any]

    @property
    def content(self) -> bytes:
        """Return the document."""
        return json.dumps({"error": self.body}, ensure_ascii=False, separators=(",", ":")).encode()


def failure_of(error: BaseException) -> Failure:
    """Return what the caller is told of any error; a bug shows nothing of itself."""
    if not isinstance(error, MeshError):
        error = MeshError(INTERNAL_MESSAGE)
    status, kind = next(((status, kind) for cls, status, kind in _STATUSES if isinstance(error, cls)), (500, "server_error"))
    status = _STATUS_OF_REASON.get(error.reason, status)
    message = redact(error.message) if status != 500 else INTERNAL_MESSAGE
    if error.violations:
        message += ": " + "; ".join(redact(f"{_field(each.field)} {each.description}") for each in error.violations)
    param = _field(error.violations[0].field) if error.violations else None
    if error.reason == "MODEL_UNKNOWN":
        param = "model"
    code = _CODES.get(error.reason, error.reason.lower())
    body = {"message": message[:_MESSAGE_LIMIT], "type": kind, "param": param, "code": code, "reason": error.reason}
    headers = [JSON_TYPE, (b"x-should-retry", b"true" if error.reason in _A_PAUSE_MENDS else b"false")]
    if allow := error.metadata.get("allow"):
        headers.append((b"allow", allow.encode()))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return Failure(status, headers + _pause(error), body)


def _field(place: str) -> str:
    """Return the API's name of a field of the router's request."""
    for pattern, name in _PLACES:
        place = pattern.sub(name, place)
    return _FIELDS.get(place, place)


def _pause(error: MeshError) -> Headers:
    """How long to wait, in whole seconds and to the millisecond, and which share it was."""
    found: Headers = []
    wait_s = error.retry_after_s
    if wait_s is not None:
        found += [(b"retry-after", b"%d" % max(1, math.ceil(wait_s))), (b"retry-after-ms", b"%d" % max(1, math.ceil(wait_s * 1000)))]
    if isinstance(error, errors.QuotaExceeded):
        kind = b"tokens" if error.reason == "TOKENS_EXHAUSTED" else b"requests"
        limit = error.metadata.get("limit_tokens", "")
        if name := error.metadata.get("limit"):
            found.append((b"x-finmesh-limit", name.encode()))
        if limit.isdigit():
            found.append((b"x-ratelimit-limit-" + kind, limit.encode()))
        found.append((b"x-ratelimit-remaining-" + kind, b"0"))
        if wait_s is not None:
            found.append((b"x-ratelimit-reset-" + kind, f"{wait_s:.3f}s".encode()))
    return found


def protocol_error(status: int) -> tuple[Headers, bytes]:
    """Return headers and body for what is no request of HTTP, or one with too many headers."""
    reason = "HEADERS_TOO_LARGE" if status == 431 else "MALFORMED_REQUEST"
    message = "the headers are too large" if status == 431 else "this is no request of HTTP/1.1"
    failure = failure_of(errors.InvalidArgument(message, reason=reason))
    return [*failure.headers, (b"content-length", b"%d" % len(failure.content))], failure.content
