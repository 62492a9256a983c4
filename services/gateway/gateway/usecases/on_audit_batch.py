"""Audit records were written: what generations used is booked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway import ports
from gateway.domain.token_use import Place, TokenUse


class OnAuditBatch:
    """Books what was read, together with the place behind it."""

    def __init__(self, books: ports.TokenBooks) -> None:
        self._books = books

    async def places(self) -> Mapping[str, str]:
        """Return where reading goes on. Raises Unavailable."""
        return await self._books.places()

    async def __call__(self, before: Place, after: str, uses: Sequence[TokenUse]) -> bool:
        """Return False when the books stand elsewhere than ``before``, and nothing was booked. Raises Unavailable."""
        return await self._books.book(before, after, uses)
