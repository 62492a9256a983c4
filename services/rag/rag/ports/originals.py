"""What was handed in, and how it is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from documents.parsed import Parsed


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload under way. ``received_bytes``: how much is there without a gap from the beginning."""

    upload_id: str
    size_bytes: int
    sha256: bytes
    received_bytes: int


class Blobs(Protocol):
    """Sealed originals. A name is HMAC(tenant key, digest): it tells nothing, and equal contents of two tenants have two names.

    Content becomes an original only by being handed in whole: who knows a digest gets nothing by it. What writes raises Unavailable
    (DISK_FULL).
    """

    async def begin(self, tenant: str, principal: str, size_bytes: int, sha256: bytes) -> Upload:
        """Begin an upload, or return the one that the same principal began for the same content.

        Raises InvalidArgument (DOCUMENT_TOO_LARGE), QuotaExceeded (UPLOADS_FULL).
        """
        ...

    async def put_part(self, tenant: str, principal: str, upload_id: str, offset: int, part: bytes) -> Upload:
        """Keep a part, sealed; the same part again is the same. Raises NotFound (UPLOAD_NOT_FOUND), Conflict (PART_CONFLICT)."""
        ...

    def commit(self, tenant: str, principal: str, upload_id: str) -> AbstractAsyncContextManager[tuple[str, Upload]]:
        """Join an upload; its blob's name. Repeated, it answers alike. ``principal`` empty: whoever began it.

        Within the block nobody destroys the original: let a version refer to it there.
        Raises NotFound (UPLOAD_NOT_FOUND), FailedPrecondition (UPLOAD_INCOMPLETE), InvalidArgument (DIGEST_MISMATCH).
        """
        ...

    def keep(self, tenant: str, content: bytes) -> AbstractAsyncContextManager[str]:
        """Keep a whole original; its blob's name. Within the block nobody destroys it: let a version refer to it there."""
        ...

    async def read(self, tenant: str, blob: str) -> bytes:
        """Raises NotFound (BLOB_NOT_FOUND), DataCorrupted."""
        ...

    async def destroy(self, tenant: str, blob: str, unless: Callable[[], Awaitable[bool]]) -> None:
        """Destroy it and its key; one that is not there is destroyed already. ``unless`` is asked while nobody hands it in."""
        ...

    async def aged(self, idle_s: float) -> list[tuple[str, str]]:
        """Return tenant and name of originals that were handed in longer ago than that."""
        ...

    async def sweep(self, idle_s: float) -> int:
        """Take away uploads that nobody touched for so long; return how many."""
        ...


class Parser(Protocol):
    """Bytes of any format to blocks, in a sandbox."""

    @property
    def identity(self) -> str:
        """Versions and settings that shape what is read."""
        ...

    async def parse(self, content: bytes, name: str, media_type: str) -> Parsed:
        """Raises InvalidArgument with the parser's reason (UNSUPPORTED_FORMAT, ZIP_BOMB, PARSER_TIMEOUT, ...)."""
        ...
