"""Arenas: sealed, bounded, zeroed, and read-only for whoever was handed one."""

import fcntl
import mmap
import os

import numpy as np
import pytest
from engine.handoff.arena import SEALS, Arena, Mapping
from engine.handoff.errors import Refused

from tests.unit.engine.handoff.makers import LAYOUT


@pytest.fixture
def arena():
    made = Arena(LAYOUT, 4096 + 4 * LAYOUT.block_bytes)
    yield made
    made.close()


def test_blocks_start_on_pages_and_stay_within_the_budget(arena) -> None:
    assert arena.stride_bytes % 4096 == 0
    assert arena.blocks == 4
    assert arena.bytes <= 4096 + 4 * LAYOUT.block_bytes
    assert Arena(LAYOUT, 4095 + 5 * LAYOUT.block_bytes).blocks == 4


def test_a_budget_without_room_for_a_block_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        Arena(LAYOUT, LAYOUT.block_bytes)
    assert caught.value.reason == "ARENA_TOO_SMALL"


def test_a_full_arena_refuses_and_gives_nothing(arena) -> None:
    assert arena.allocate(3) == [0, 1, 2]
    with pytest.raises(Refused) as caught:
        arena.allocate(2)
    assert caught.value.reason == "OVERLOADED"
    assert arena.used_bytes == 3 * arena.stride_bytes
    arena.free([1])
    assert arena.allocate(2) == [1, 3]


def test_zeroised_is_zero_to_the_end_of_the_block(arena) -> None:
    blocks = arena.allocate(2)
    for block in blocks:
        arena.content(block, 64)[...] = 255
    arena.zeroise([0])
    assert not arena.content(0, 64).any()
    assert arena.content(1, 64).all()


def test_nobody_can_shrink_grow_or_write_what_was_handed_over(arena) -> None:
    assert fcntl.fcntl(arena.descriptor, fcntl.F_GET_SEALS) == SEALS
    handed = os.dup(arena.descriptor)
    try:
        for size in (4096, arena.bytes * 2):
            with pytest.raises(PermissionError):
                os.ftruncate(handed, size)
        with pytest.raises(PermissionError):
            os.pwrite(handed, b"x", 0)
        with pytest.raises(PermissionError):
            mmap.mmap(handed, arena.bytes, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        with pytest.raises(PermissionError):
            fcntl.fcntl(handed, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    finally:
        os.close(handed)
    arena.content(0, 64)[...] = 7  # the owner's own mapping was made before


def test_a_mapping_sees_what_is_written_and_cannot_write(arena) -> None:
    mapping = Mapping(os.dup(arena.descriptor), LAYOUT, arena.nonce)
    arena.content(2, 40)[...] = 9
    seen = mapping.content(arena.offset(2), 40)
    assert seen.shape == (4, 2, 40, 32)
    assert (seen == 9).all()
    with pytest.raises(ValueError, match="read-only"):
        seen[0] = 1
    del seen
    mapping.close()


def test_memory_of_another_kind_is_not_mapped(arena) -> None:
    loose = os.memfd_create("loose", os.MFD_ALLOW_SEALING)
    os.ftruncate(loose, 8192)
    for descriptor, nonce in ((loose, arena.nonce), (os.dup(arena.descriptor), b"?" * 32)):
        with pytest.raises(Refused) as caught:
            Mapping(descriptor, LAYOUT, nonce)
        assert caught.value.reason == "NOT_THIS_HOST"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_a_block_behind_the_end_is_a_short_read(arena) -> None:
    mapping = Mapping(os.dup(arena.descriptor), LAYOUT, arena.nonce)
    for offset in (0, 4095, arena.offset(3) + 1, 1 << 60):
        with pytest.raises(Refused) as caught:
            mapping.content(offset, 64)
        assert caught.value.reason == "SHORT_READ"
    mapping.close()


def test_pages_are_there_before_the_first_write(arena) -> None:
    """Fresh pages cost twenty times a copy: all of them are taken at the beginning."""
    resident = os.fstat(arena.descriptor).st_blocks * 512
    assert resident >= arena.bytes


def test_a_block_is_layer_major(arena) -> None:
    content = arena.content(0, 64)
    content[...] = np.arange(content.size, dtype=np.int64).reshape(content.shape) % 251
    flat = arena.at(arena.offset(0), 64).reshape(-1)
    assert (flat == np.arange(flat.size) % 251).all()
