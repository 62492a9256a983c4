"""Event DocumentSubmitted: a bank hands a document in."""

from __future__ import annotations

from collections.abc import Callable

from meshkit.clock import Clock

from rag import ports
from rag.domain.document import Submission, Version


class OnDocumentSubmitted:
    """Enrols documents that come as events."""

    def __init__(self, blobs: ports.Blobs, intake: ports.Intake, clock: Clock) -> None:
        self._blobs, self._intake, self._clock = blobs, intake, clock

    async def of_upload(self, tenant: str, upload_id: str, described: Callable[[str, bytes], Submission]) -> Version:
        """Enrol an upload of the same tenant, whoever made it. Raises typed errors: NotFound for one that is not there."""
        described("", bytes(32))
        async with self._blobs.commit(tenant, "", upload_id) as (blob, upload):
            return await self._intake.enrol(described(blob, upload.sha256), self._now_us())

    async def of_bytes(self, tenant: str, content: bytes, sha256: bytes, described: Callable[[str, bytes], Submission]) -> Version:
        """Enrol a document that came along."""
        described("", bytes(32))
        async with self._blobs.keep(tenant, content) as blob:
            return await self._intake.enrol(described(blob, sha256), self._now_us())

    def _now_us(self) -> int:
        return int(self._clock.now_s() * 1_000_000)
