"""RPC PutPart."""

from __future__ import annotations

from meshkit.errors import InvalidArgument

from rag import ports

PART_BYTES = 1 << 20


async def put_part(blobs: ports.Blobs, tenant: str, principal: str, upload_id: str, offset: int, part: bytes) -> ports.Upload:
    """Keep a part. Raises InvalidArgument (PART_INVALID), NotFound, Conflict (PART_CONFLICT)."""
    if offset % PART_BYTES or not 1 <= len(part) <= PART_BYTES:
        raise InvalidArgument("parts are of 1 MiB but the last, and begin where the one before ended", reason="PART_INVALID")
    return await blobs.put_part(tenant, principal, upload_id, offset, part)
