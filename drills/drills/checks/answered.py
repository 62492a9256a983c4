"""Patience with a mesh in which anything may be restarting."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from meshkit import errors

ASK_AGAIN_S = 0.25
_Answer = TypeVar("_Answer")


async def answered(ask: Callable[[], Awaitable[_Answer]], until_s: float) -> _Answer:
    """Ask until there is an answer; what is restarting now is back in a moment. Raises the last error when time is up."""
    while True:
        try:
            return await ask()
        except errors.MeshError:
            if time.time() >= until_s:
                raise
        await asyncio.sleep(ASK_AGAIN_S)
