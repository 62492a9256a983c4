"""Uploads that go on where they were broken off: parts of 1 MiB, each the same when sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from finmesh.rag.v1 import document_pb2 as documents
from finmesh.rag.v1 import rag_service_pb2 as rag
from finmesh_client import GatewayClient

from finmesh_cli.failures import UsageError

PART_BYTES = 1024 * 1024


async def upload(
    gateway: GatewayClient, tenant: str, path: Path, description: documents.DocumentDescription, told: Callable[[int, int], None]
) -> documents.DocumentVersion:
    """Hand a file in; return its version. ``told``: bytes that are there, of how many. Raises UsageError for a file that cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: ASYNC230, PTH123  # one file at a time, and nothing else waits here
            return await hand_in(gateway, tenant, file, description, told)
    except EOFError:
        raise UsageError(f"{path} became shorter while it was read") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


async def hand_in(
    gateway: GatewayClient, tenant: str, file: BinaryIO, description: documents.DocumentDescription, told: Callable[[int, int], None]
) -> documents.DocumentVersion:
    """Hand in what can be read and sought in; return its version. Raises EOFError for what became shorter meanwhile, OSError."""
    size, digest = 0, hashlib.sha256()
    while block := file.read(PART_BYTES):
        digest.update(block)
        size += len(block)
    begun = await gateway.knowledge(rag.BeginUploadRequest(tenant=tenant, size_bytes=size, content_sha256=digest.digest()))
    at = begun.received_bytes // PART_BYTES * PART_BYTES if begun.received_bytes < size else size
    file.seek(at)
    told(at, size)
    while at < size:
        part = rag.PutPartRequest(tenant=tenant, upload_id=begun.upload_id, offset=at, part=file.read(PART_BYTES))
        if not part.part:
            raise EOFError
        await gateway.knowledge(part, 15.0)
        at += len(part.part)
        told(at, size)
    committed = await gateway.knowledge(rag.CommitUploadRequest(tenant=tenant, upload_id=begun.upload_id, description=description), 30.0)
    version: documents.DocumentVersion = committed.version
    return version
