"""What is sealed: the key of each document under the ring "seal", and everything that a document says under its own key.

Destroying the key makes every copy of what it sealed unreadable, backups and old pages of the store among them. Keys that were opened are
remembered by their sealed form, which the store is asked for each time: a destroyed one is met no more.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import derive_key
from meshkit.crypto.ring import KEY_BYTES
from meshkit.crypto.seal import Sealer, SealKey
from meshkit.errors import DataCorrupted

from rag.adapters.ledger.columns import column, packed_column
from rag.domain.access import Access
from rag.domain.document import Box, NewChunk, Submission

_REMEMBERED = 4_096


class Key:
    """Seals and opens what belongs to one owner."""

    def __init__(self, secret: bytes) -> None:
        self._key = SealKey("own", secret)
        self._mac = CommitmentKey("own", derive_key(secret, "names"))

    def named(self, kind: str, text: str) -> bytes:
        """Return the keyed hash by which a text is found again without lying there."""
        return self._mac.commit(f"{kind}\x00{text}".encode())

    def seal(self, value: Any, place: str) -> bytes:
        """Return a value of JSON, sealed; ``place`` must be given again."""
        return self._key.seal(packed_column(value).encode(), place)

    def open(self, sealed: bytes, place: str) -> Any:
        """Return the value. Raises DataCorrupted (SEAL_BROKEN)."""
        content = self._key.open(sealed, place)
        if content is None:
            raise DataCorrupted("a sealed row does not open", reason="SEAL_BROKEN")
        return column(content)


class Keys:
    """Makes keys and opens them. ``owner``: what a key belongs to, bound to its sealed form."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._opened: Callable[[bytes, str], Key] = lru_cache(_REMEMBERED)(lambda sealed, owner: Key(sealer.open(sealed, owner)))

    def new(self, owner: str) -> bytes:
        """Return a new key in its sealed form."""
        return self._sealer.seal(os.urandom(KEY_BYTES), owner)

    def open(self, sealed: bytes, owner: str) -> Key:
        """Return the key. Raises DataCorrupted (SEAL_BROKEN)."""
        return self._opened(bytes(sealed), owner)


def document_owner(tenant: str, document_id: str) -> str:
    """Return what a document's key belongs to."""
    return f"rag-document|{tenant}|{document_id}"


def tenant_owner(tenant: str) -> str:
    """Return what a tenant's key belongs to: reasons, questions, the hashes of titles."""
    return f"rag-tenant|{tenant}"


def packed(chunk: NewChunk) -> list[Any]:
    """Return what is sealed of a passage."""
    box = None if chunk.box is None else [chunk.box.x0, chunk.box.y0, chunk.box.x1, chunk.box.y1]
    return [chunk.text, list(chunk.heading_path), chunk.table_header, chunk.page, box, chunk.clause, chunk.record_id]


def unpacked(value: list[Any], ordinal: int, access: Access) -> NewChunk:
    """Return a passage; the other way of `packed`."""
    text, heading_path, table_header, page, box, clause, record_id = value
    return NewChunk(
        ordinal=ordinal,
        text=text,
        access=access,
        heading_path=tuple(heading_path),
        table_header=table_header,
        page=page,
        box=None if box is None else Box(*box),
        clause=clause,
        record_id=record_id,
    )


def described(submission: Submission) -> dict[str, Any]:
    """Return what is sealed of a submission: its words."""
    return {
        "title": submission.title,
        "media_type": submission.media_type,
        "file_name": submission.file_name,
        "review_at_us": submission.review_at_us,
        "base": submission.base,
        "product": submission.product,
        "metadata": [list(pair) for pair in submission.metadata],
        "validity": [submission.valid_from_us, submission.valid_to_us],
    }
