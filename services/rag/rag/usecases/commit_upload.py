"""RPC CommitUpload."""

from __future__ import annotations

from collections.abc import Callable

from meshkit.clock import Clock

from rag import ports
from rag.domain.document import Submission, Version


class CommitUpload:
    """Completes uploads."""

    def __init__(self, blobs: ports.Blobs, intake: ports.Intake, clock: Clock) -> None:
        self._blobs, self._intake, self._clock = blobs, intake, clock

    async def __call__(self, tenant: str, principal: str, upload_id: str, described: Callable[[str, bytes], Submission]) -> Version:
        """Join an upload and enrol its document. ``described``: the submission of a blob and its digest.

        Repeated, it answers alike. Raises NotFound, FailedPrecondition, InvalidArgument, Conflict (SOURCE_VERSION_CONFLICT).
        """
        described("", bytes(32))  # a description that is wrong is said before anything is joined
        async with self._blobs.commit(tenant, principal, upload_id) as (blob, upload):
            return await self._intake.enrol(described(blob, upload.sha256), int(self._clock.now_s() * 1_000_000))
