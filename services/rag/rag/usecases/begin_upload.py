"""RPC BeginUpload."""

from __future__ import annotations

from meshkit.errors import FieldViolation, InvalidArgument

from rag import ports

_DIGEST_BYTES = 32


async def begin_upload(blobs: ports.Blobs, tenant: str, principal: str, size_bytes: int, sha256: bytes) -> ports.Upload:
    """Begin an upload, or go on with the one that the caller began for the same content. Raises InvalidArgument, QuotaExceeded."""
    if len(sha256) != _DIGEST_BYTES:
        problem = f"has {_DIGEST_BYTES} bytes"
        violation = FieldViolation("content_sha256", problem)
        raise InvalidArgument(f"content_sha256 {problem}", reason="DIGEST_MISMATCH", violations=(violation,))
    if size_bytes < 1:
        raise InvalidArgument("the document is empty", reason="EMPTY")
    return await blobs.begin(tenant, principal, size_bytes, sha256)
