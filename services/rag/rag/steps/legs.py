"""The two legs as a follower of the ledger writes them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from meshkit.errors import Unavailable

from rag import ports
from rag.domain.ranking import IndexedChunk
from rag.ports import Kind

_ENCODED_AT_ONCE = 256
_NEVER = 0


class LaterError(Exception):
    """A version has to wait for what it needs; the others need not."""


class Leg(Protocol):
    """An index that follows the ledger. Everything can be done twice. Raises Unavailable when it is away."""

    async def position(self) -> int:
        """Sequence up to which everything is in."""
        ...

    async def write(self, tenant: str, version_id: int, passages: Sequence[IndexedChunk]) -> None:
        """Make this what there is of a version. Raises LaterError."""
        ...

    async def retire(self, tenant: str, version_id: int, to_seq: int) -> None:
        """Set the end of a version."""
        ...

    async def hide(self, tenant: str, version_id: int) -> None:
        """Never find a version again, at no time."""
        ...

    async def delete(self, tenant: str, version_ids: Collection[int]) -> None:
        """Leave nothing of them."""
        ...

    async def settle(self, seq: int) -> None:
        """Say that everything up to this sequence is in."""
        ...


class LexicalLeg:
    """Every process that answers has its own."""

    def __init__(self, lexical: ports.Lexical) -> None:
        self._lexical = lexical

    async def position(self) -> int:
        """Return the folder's."""
        return self._lexical.position

    async def write(self, tenant: str, version_id: int, passages: Sequence[IndexedChunk]) -> None:
        """Take out what was there under other ids or demands, and write."""
        await self._lexical.delete(tenant, [version_id])
        await self._lexical.upsert(tenant, passages)

    async def retire(self, tenant: str, version_id: int, to_seq: int) -> None:
        """Set the end of a version."""
        await self._lexical.retire(tenant, version_id, to_seq)

    async def hide(self, tenant: str, version_id: int) -> None:
        """Take it out: that is cheap here."""
        await self._lexical.delete(tenant, [version_id])

    async def delete(self, tenant: str, version_ids: Collection[int]) -> None:
        """Leave nothing of them."""
        await self._lexical.delete(tenant, version_ids)

    async def settle(self, seq: int) -> None:
        """Save."""
        await self._lexical.settle(seq)


class VectorLeg:
    """The leader of ingestion writes it for everybody. What is there already is not encoded again."""

    def __init__(self, vectors: ports.Vectors, encoder: ports.Encoder) -> None:
        self._vectors, self._encoder = vectors, encoder

    async def position(self) -> int:
        """Return the store's."""
        return await self._vectors.position()

    async def write(self, tenant: str, version_id: int, passages: Sequence[IndexedChunk]) -> None:
        """Encode and write what is missing, some at a time: what was done is not lost when the encoder goes away."""
        missing = set(await self._vectors.missing(tenant, passages))
        wanted = [passage for passage in passages if passage.chunk_id in missing]
        for begin in range(0, len(wanted), _ENCODED_AT_ONCE):
            some = wanted[begin : begin + _ENCODED_AT_ONCE]
            try:
                vectors = await self._encoder.encode([passage.text for passage in some], Kind.PASSAGE)
            except Unavailable as error:
                raise LaterError from error
            await self._vectors.upsert(tenant, some, vectors)

    async def retire(self, tenant: str, version_id: int, to_seq: int) -> None:
        """Set the end of a version."""
        await self._vectors.retire(tenant, version_id, to_seq)

    async def hide(self, tenant: str, version_id: int) -> None:
        """End it before the first sequence: taking it out would copy all others."""
        await self._vectors.retire(tenant, version_id, _NEVER)

    async def delete(self, tenant: str, version_ids: Collection[int]) -> None:
        """Leave nothing of them."""
        await self._vectors.delete(tenant, version_ids)

    async def settle(self, seq: int) -> None:
        """Write the position."""
        await self._vectors.settle(seq)
