"""vLLM's cached blocks as ours: ids are those that the router and our own engine compute, whatever the sizes of blocks."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from backends.vllm.kv_blocks import KvBlocks, namespace_of, salt_of
from engine.handoff.chain import block_ids
from hypothesis import given
from hypothesis import strategies as st

NAMESPACE, OTHER = bytes(range(32)), bytes(range(1, 33))
_DRAWN = {seed: [random.Random(seed * 1000 + at).randrange(150_000) for at in range(700)] for seed in (1, 2)}


def tokens(length: int, seed: int = 1) -> list[int]:
    return _DRAWN[seed][:length]


def stored(content: list[int], size: int, first: int = 0, namespace: bytes | None = NAMESPACE, **changes: Any) -> dict[str, Any]:
    """As vLLM tells it: full blocks from number ``first`` on; the salt stands beside the first one."""
    names = [hash((namespace, tuple(content[: (number + 1) * size]))) for number in range(len(content) // size)]
    salt = [None if namespace is None else salt_of(namespace)]
    return {
        "type": "BlockStored",
        "block_hashes": names[first:],
        "parent_block_hash": names[first - 1] if first else None,
        "token_ids": content[first * size : len(names) * size],
        "block_size": size,
        "medium": "GPU",
        "group_idx": 0,
        "extra_keys": [salt if number == 0 and namespace else None for number in range(first, len(names))],
        **changes,
    }


def removed(content: list[int], size: int, *numbers: int) -> dict[str, Any]:
    names = [hash((NAMESPACE, tuple(content[: (number + 1) * size]))) for number in numbers]
    return {"type": "BlockRemoved", "block_hashes": names, "medium": "GPU", "group_idx": 0}


def ours(content: list[int], full: int) -> list[bytes]:
    return list(block_ids(NAMESPACE, content))[:full]


@pytest.mark.parametrize(
    ("size", "length", "full"), [(128, 300, 4), (64, 300, 4), (16, 300, 4), (16, 80, 1), (48, 300, 4), (256, 600, 8), (100, 250, 3)]
)
def test_ids_are_ours_whatever_the_size_of_their_blocks(size: int, length: int, full: int) -> None:
    blocks, content = KvBlocks(), tokens(length)
    (event,) = blocks.taken([stored(content, size)])
    assert list(event.stored) == ours(content, full)
    assert event.seq == 1


@given(st.integers(1, 9), st.integers(1, 200), st.integers(0, 700))
def test_told_in_pieces_it_is_the_same(pieces: int, size: int, length: int) -> None:
    content, blocks, found = tokens(length), KvBlocks(), []
    count = length // size
    bounds = sorted({0, *[number * count // pieces for number in range(1, pieces)], count})
    for first, end in itertools.pairwise(bounds):
        news = blocks.taken([stored(content[: end * size], size, first)])
        found += [each for event in news for each in event.stored]
    assert found == ours(content[: count * size], count * size // 64)


def test_what_leaves_is_told_once_nobody_holds_it() -> None:
    content, blocks = tokens(256), KvBlocks()
    blocks.taken([stored(content, 128)])
    (event,) = blocks.taken([removed(content, 128, 1)])
    assert (list(event.removed), event.seq, blocks.held) == (ours(content, 4)[2:], 2, 2)
    assert blocks.taken([removed(content, 128, 1), removed(content, 128, 7)]) == []


def test_a_block_of_ours_made_of_several_of_theirs_goes_with_the_last() -> None:
    content, blocks = tokens(64), KvBlocks()
    blocks.taken([stored(content, 16)])
    assert blocks.taken([removed(content, 16, 0)]) == []
    (event,) = blocks.taken([removed(content, 16, 3)])
    assert list(event.removed) == ours(content, 1)


def test_all_cleared_begins_anew() -> None:
    content, blocks = tokens(128), KvBlocks()
    first, cleared, again = blocks.taken([stored(content, 64), {"type": "AllBlocksCleared"}, stored(content, 64)])
    assert (cleared.cleared, cleared.seq, list(again.stored)) == (True, 2, list(first.stored))


def test_whoever_knows_nothing_is_told_everything() -> None:
    content, blocks = tokens(256), KvBlocks()
    blocks.taken([stored(content, 128), removed(content, 128, 1)])
    event = blocks.whole()
    assert (event.cleared, list(event.stored), event.seq) == (True, ours(content, 2), 3)


def test_namespaces_are_apart_and_what_has_none_is_not_told() -> None:
    content, blocks = tokens(64), KvBlocks()
    one, two = blocks.taken([stored(content, 64), stored(content, 64, namespace=OTHER)])
    assert list(one.stored) == ours(content, 1) != list(two.stored)
    assert blocks.taken([stored(tokens(64, 2), 64, namespace=None)]) == []


def test_what_continues_something_unknown_is_not_told() -> None:
    assert KvBlocks().taken([stored(tokens(256), 64, first=2)]) == []


def test_other_groups_and_slower_tiers_are_not_told() -> None:
    content = tokens(64)
    assert KvBlocks().taken([stored(content, 64, group_idx=1), stored(content, 64, medium="CPU")]) == []


@pytest.mark.parametrize(
    "event",
    [
        None,
        7,
        [],
        {},
        {"type": "BlockStored"},
        {"type": "Other"},
        {"type": "BlockRemoved"},
        {"type": "BlockStored", "block_hashes": [1], "token_ids": [1], "block_size": 64},
    ],
)
def test_what_cannot_be_understood_is_left_out(event: Any) -> None:
    assert KvBlocks().taken([event]) == []


@pytest.mark.parametrize("salt", [None, 7, "", "finmesh:", "finmesh:zz", "finmesh:00", salt_of(NAMESPACE) + "00", NAMESPACE.hex()])
def test_salts_that_are_not_ours(salt: object) -> None:
    assert namespace_of(salt) is None
    assert namespace_of(salt_of(NAMESPACE)) == NAMESPACE
