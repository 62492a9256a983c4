"""What is sealed: the key of each document under the ring "seal", and everything that a document says under its own key.

Destroying the key makes every copy of what it sealed unreadable, backups and old pages of the store among them. Keys that were opened are
remembered by their sealed form, which the store is asked for each time: a destroyed one is met no more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from meshkit.crypto.ring import KEY_BYTES
from meshkit.crypto.seal import Sealer, SealKey
from meshkit.errors import DataCorrupted

from rag.domain.access import Access
from rag.domain.document import Box, NewChunk, Submission

_REMEMBERED = 4_096


class Key:
    """Seals and opens what belongs to one owner."""

    def __init__(self, secret: bytes) -> None:
        self._key = SealKey("own", secret)

    def seal(self, value: Any, place: str) -> bytes:
        """Return a value of JSON, sealed; ``place`` must be given again."""
        return self._key.seal(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), place)

    def open(self, sealed: bytes, place: str) -> Any:
        """Return the value. Raises DataCorrupted (SEAL_BROKEN)."""
        content = self._key.open(sealed, place)
        if content is None:
            raise DataCorrupted("a sealed row does not open", reason="SEAL_BROKEN")
        return json.loads(content)


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


def packed(chunk: NewChunk) -> list[Any]:
    """Return what is sealed of a passage."""
    box = None if chunk.box is None else [chunk.box.x0, chunk.box.y0, chunk.box.x1, chunk.box.y1]
    return [chunk.text, list(chunk.heading_path), chunk.table_header, chunk.page, box, chunk.clause, chunk.record_id]


def unpacked(value: list[Any], ordinal: int, access: Access) -> NewChunk:
    """Return a passage; the other way of `packed`."""
    text, heading_path, table_header, page, box, clause, record_id = value
    return NewChunk(ordinal, text, access, tuple(heading_path), table_header, page, None if box is None else Box(*box), clause, record_id)


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
