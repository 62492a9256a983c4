"""What a curator decides about documents, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided what, and why."""

    principal: str
    why: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Purge:
    """A purge under way. ``blobs``: originals still to be destroyed; ``scrubbed``: whether the store's files are free of it.

    ``behind``: index followers that have not yet acknowledged its sequence.
    """

    purge_id: int
    tenant: str
    document_id: str
    sequence: int
    blobs: Sequence[str]
    scrubbed: bool
    behind: Sequence[str]

    @property
    def finished(self) -> bool:
        """Whether nothing of the document is left anywhere."""
        return not self.blobs and self.scrubbed and not self.behind
