"""Where packed blocks wait: one memfd, pre-faulted, sealed, cut into blocks of one size.

Surprising: `FUTURE_WRITE` keeps the mapping that was made before it writable and lets nobody make another, so that a puller which was
handed the descriptor can read and no more; Python's `fcntl` does not know it before 3.13. Blocks of one size need no search and cannot
fragment. Bytes are zeroed before a block can be given out again. A page in front holds a nonce: who finds it in what was mapped shares
our host.
"""

from __future__ import annotations

import fcntl
import heapq
import mmap
import os
import secrets
import struct

import numpy as np

from engine.handoff.errors import Refused
from engine.handoff.layout import Layout
from engine.handoff.rows import Bytes

F_SEAL_FUTURE_WRITE = 0x10
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | F_SEAL_FUTURE_WRITE | fcntl.F_SEAL_SEAL
NONCE_BYTES = 32
_PAGE = mmap.PAGESIZE
_HEAD = struct.Struct(f"!8s{NONCE_BYTES}sQQ")  # magic, nonce, blocks, bytes between the starts of two
_MAGIC = b"FINKV\x00\x00\x01"


class Arena:
    """Blocks of one layout within ``budget_bytes``. Not thread-safe: its publisher locks."""

    def __init__(self, layout: Layout, budget_bytes: int) -> None:
        """Take the memory, all of it now. Raises Refused (ARENA_TOO_SMALL) when no block fits, OSError when the kernel has none."""
        self.layout = layout
        self.stride_bytes = -(-layout.block_bytes // _PAGE) * _PAGE
        self.blocks = (budget_bytes - _PAGE) // self.stride_bytes
        if self.blocks < 1:
            raise Refused("ARENA_TOO_SMALL", f"a block takes {self.stride_bytes} bytes, the budget is {budget_bytes}")
        self.nonce = secrets.token_bytes(NONCE_BYTES)
        self.bytes = _PAGE + self.blocks * self.stride_bytes
        self.descriptor = os.memfd_create("finmesh-kv", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.descriptor, self.bytes)
            self._memory = mmap.mmap(
                self.descriptor, self.bytes, mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ | mmap.PROT_WRITE
            )  # fmt: skip
            _HEAD.pack_into(self._memory, 0, _MAGIC, self.nonce, self.blocks, self.stride_bytes)
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, SEALS)
        except OSError:
            os.close(self.descriptor)
            raise
        self._content: Bytes = np.frombuffer(self._memory, dtype=np.uint8)
        self._free = list(range(self.blocks))

    @property
    def used_bytes(self) -> int:
        """Bytes of blocks that are given out."""
        return (self.blocks - len(self._free)) * self.stride_bytes

    def allocate(self, count: int) -> list[int]:
        """Give out so many blocks, lowest first. Raises Refused (OVERLOADED) when there are not enough; then none is."""
        if count > len(self._free):
            raise Refused("OVERLOADED", f"{count} blocks wanted, {len(self._free)} of {self.blocks} free")
        return [heapq.heappop(self._free) for _ in range(count)]

    def zeroise(self, blocks: list[int]) -> None:
        """Overwrite blocks that are given out."""
        for block in blocks:
            start = self.offset(block)
            self._content[start : start + self.stride_bytes] = 0

    def free(self, blocks: list[int]) -> None:
        """Take blocks back, which must have been zeroised."""
        for block in blocks:
            heapq.heappush(self._free, block)

    def offset(self, block: int) -> int:
        """Where a block begins, from the beginning of the memory."""
        return _PAGE + block * self.stride_bytes

    def content(self, block: int, valid_tokens: int) -> Bytes:
        """Return a view of a block's valid bytes, of `Layout.shape`."""
        return self.at(self.offset(block), valid_tokens)

    def at(self, offset: int, valid_tokens: int) -> Bytes:
        """Return the same by where it begins."""
        return block_view(self._content, offset, self.layout, valid_tokens)

    def close(self) -> None:
        """Give the memory back; pullers that mapped it keep what they mapped."""
        self._content = np.empty(0, np.uint8)
        os.close(self.descriptor)
        del self._memory


class Mapping:
    """The other end: an arena of another process on this host, read-only."""

    def __init__(self, descriptor: int, layout: Layout, nonce: bytes) -> None:
        """Map what was handed over and close the descriptor. Raises Refused (NOT_THIS_HOST) when it is not the arena of that nonce."""
        try:
            seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
            size = os.fstat(descriptor).st_size
            if seals & SEALS != SEALS or size < _PAGE:
                raise Refused("NOT_THIS_HOST", "the arena is not sealed")
            self._memory = mmap.mmap(descriptor, size, mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ)
        finally:
            os.close(descriptor)
        magic, found, _, _ = _HEAD.unpack_from(self._memory)
        if magic != _MAGIC or not secrets.compare_digest(found, nonce):
            raise Refused("NOT_THIS_HOST", "the arena has another nonce")
        self._content: Bytes = np.frombuffer(self._memory, dtype=np.uint8)
        self._layout = layout

    def content(self, offset: int, valid_tokens: int) -> Bytes:
        """Return a read-only view of a block. Raises Refused (SHORT_READ) when it ends behind the memory."""
        if offset < _PAGE or offset + valid_tokens * self._layout.token_bytes > self._content.size:
            raise Refused("SHORT_READ", "a block ends behind the arena")
        return block_view(self._content, offset, self._layout, valid_tokens)

    def close(self) -> None:
        """Unmap."""
        self._content = np.empty(0, np.uint8)
        del self._memory


def block_view(content: Bytes, offset: int, layout: Layout, valid_tokens: int) -> Bytes:
    """Return the valid bytes of the block at ``offset`` as an array of `Layout.shape`."""
    return content[offset : offset + valid_tokens * layout.token_bytes].reshape(layout.shape(valid_tokens))
