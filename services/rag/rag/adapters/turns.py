"""Turns of processes that share a folder: locks on files, let go by whoever dies.

`turn` waits on its thread and is for short work on that thread. What is held while others are waited for (the ledger) asks again and again
instead: threads that waited for a lock could be all there are, and whoever has it would wait for one of them.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from meshkit.threads import on_thread

from rag.adapters.sealed_files import disk

_AGAIN_S = 0.01


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Let callers pass here one after the other. Raises Unavailable."""
    with _file(path) as file:
        with disk():
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@asynccontextmanager
async def beside(path: Path) -> AsyncIterator[None]:
    """Stand beside others who do the same; nobody is `alone` meanwhile. Raises Unavailable."""
    async with _held(path, fcntl.LOCK_SH):
        yield


@asynccontextmanager
async def alone(path: Path) -> AsyncIterator[None]:
    """Have nobody beside. Raises Unavailable."""
    async with _held(path, fcntl.LOCK_EX):
        yield


@asynccontextmanager
async def _held(path: Path, how: int) -> AsyncIterator[None]:
    with await on_thread(lambda _: _file(path)) as file:
        while not _tried(file, how):  # noqa: ASYNC110 - another process may have it, and tells nobody when it lets go
            await asyncio.sleep(_AGAIN_S)
        yield


def _file(path: Path) -> BinaryIO:
    with disk():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")


def _tried(file: BinaryIO, how: int) -> bool:
    with disk():
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
