"""The responses of one outgoing stream.

Surprising: dropping the iterator of an async generator ends its call when the event loop gets to it, and never while a traceback holds its
frame. Nobody may pay for answers that nobody reads, so this iterator cancels its call when it is closed, fails, is cancelled or dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import Any, Self


class Responses:
    """Async iterator. The call begins with the first response that is asked for, inside ``scope``, which maps errors and ends with it."""

    def __init__(self, scope: AbstractContextManager[Any], begin: Callable[[Any], Any]) -> None:
        self._scope = scope
        self._begin: Callable[[Any], Any] | None = begin
        self._call: Any = None
        self._responses: AsyncIterator[Any] | None = None

    def __aiter__(self) -> Self:
        """Return itself: a stream is read once."""
        return self

    async def __anext__(self) -> Any:
        """Return the next response. Raises StopAsyncIteration at the end, and typed errors."""
        if self._begin is not None:
            begin, self._begin = self._begin, None
            inside = self._scope.__enter__()
            try:
                self._call = begin(inside)
            except BaseException as error:
                self._scope.__exit__(type(error), error, error.__traceback__)
                raise
            self._responses = aiter(self._call)
        if self._responses is None:
            raise StopAsyncIteration
        try:
            return await anext(self._responses)
        except StopAsyncIteration:
            self._end(None)
            raise
        except BaseException as error:
            self._end(error)
            raise

    async def aclose(self) -> None:
        """End the call."""
        self._drop()

    def __del__(self) -> None:
        """End the call: nobody reads it any more."""
        self._drop()

    def _drop(self) -> None:
        self._begin = None
        if self._responses is not None:
            try:
                self._end(asyncio.CancelledError())
            except asyncio.CancelledError:
                return

    def _end(self, error: BaseException | None) -> None:
        call, self._call, self._responses = self._call, None, None
        call.cancel()
        self._scope.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
