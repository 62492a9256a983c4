"""The tiled tree against a naive reference that follows the recursive definitions of RFC 9162 word for word."""

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from translog.errors import NotFoundError, ProofError, TamperedError
from translog.merkle import EMPTY_ROOT, leaf_hash, node_hash, verify_consistency, verify_inclusion
from translog.tree import Frontier, TileTree, partial_width, tiles_of

LEAVES = [leaf_hash(str(n).encode()) for n in range(70_000)]


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(d: list[bytes]) -> bytes:
    if not d:
        return EMPTY_ROOT
    return d[0] if len(d) == 1 else node_hash(mth(d[: split(len(d))]), mth(d[split(len(d)) :]))


def path(m: int, d: list[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = split(len(d))
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], whole: bool) -> list[bytes]:
    if m == len(d):
        return [] if whole else [mth(d)]
    k = split(len(d))
    return [*subproof(m, d[:k], whole), mth(d[k:])] if m <= k else [*subproof(m - k, d[k:], False), mth(d[:k])]


def grown(batches: list[int]) -> tuple[Frontier, dict[tuple[int, int], bytes]]:
    frontier, tiles = Frontier(), {}
    for count in batches:
        tiles.update(frontier.append(LEAVES[frontier.size : frontier.size + count]))
    return frontier, tiles


def tree(frontier: Frontier, tiles: dict[tuple[int, int], bytes]) -> TileTree:
    return TileTree(frontier.size, lambda level, index: tiles[level, index])


batches = st.lists(st.integers(0, 300), max_size=8)


@given(batches)
def test_root_is_the_reference_root_however_leaves_arrive(counts: list[int]) -> None:
    frontier, tiles = grown(counts)
    assert frontier.root() == mth(LEAVES[: sum(counts)])
    assert {(level, n): len(t) // 32 for (level, n), t in tiles.items()} == {(level, n): w for level, n, w in tiles_of(sum(counts))}


@given(batches, st.data())
def test_every_historical_root_and_proof(counts: list[int], data: st.DataObject) -> None:
    frontier, tiles = grown([*counts, 1])
    stored = tree(frontier, tiles)
    new = data.draw(st.integers(1, frontier.size))
    old = data.draw(st.integers(0, new))
    index = data.draw(st.integers(0, new - 1))
    assert stored.root_at(new) == mth(LEAVES[:new])
    inclusion = stored.inclusion(index, new)
    assert inclusion == path(index, LEAVES[:new])
    verify_inclusion(leaf=LEAVES[index], index=index, size=new, proof=inclusion, root=stored.root_at(new))
    consistency = stored.consistency(old, new)
    assert consistency == (subproof(old, LEAVES[:new], True) if old else [])
    verify_consistency(old_size=old, old_root=stored.root_at(old), new_size=new, new_root=stored.root_at(new), proof=consistency)


@given(st.integers(1, 600), st.data())
def test_a_proof_with_any_bit_changed_fails(size: int, data: st.DataObject) -> None:
    frontier, tiles = grown([size])
    index = data.draw(st.integers(0, size - 1))
    proof = tree(frontier, tiles).inclusion(index, size)
    hashes = [LEAVES[index], frontier.root(), *proof]
    which, bit = data.draw(st.integers(0, len(hashes) - 1)), data.draw(st.integers(0, 255))
    changed = int.from_bytes(hashes[which]) ^ (1 << bit)
    hashes[which] = changed.to_bytes(32)
    with pytest.raises(ProofError):
        verify_inclusion(leaf=hashes[0], index=index, size=size, proof=hashes[2:], root=hashes[1])


@given(batches, st.integers(0, 300))
def test_a_loaded_frontier_goes_on_like_the_one_that_was_never_dropped(counts: list[int], more: int) -> None:
    frontier, tiles = grown(counts)
    loaded = Frontier.load(frontier.size, lambda level, index: tiles[level, index])
    assert loaded.append(LEAVES[frontier.size : frontier.size + more]) == frontier.append(LEAVES[frontier.size : frontier.size + more])
    assert (loaded.root(), loaded.size) == (frontier.root(), frontier.size)


def test_an_old_size_loads_from_tiles_that_grew_since() -> None:
    _, tiles = grown([300, 100])
    loaded = Frontier.load(300, lambda level, index: tiles[level, index])
    assert loaded.root() == mth(LEAVES[:300])


def test_three_tile_levels() -> None:
    """The example of the tlog-tiles page: 70,000 leaves."""
    assert [partial_width(70_000, level) for level in range(4)] == [112, 17, 1, 0]
    expected = [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert [t for t in tiles_of(70_000) if t[2] < 256] == expected
    frontier, tiles = grown([65_535, 1, 4_464])
    assert len(tiles) == 273 + 1 + 1 + 1 + 1
    assert frontier.root() == mth(LEAVES)
    stored = tree(frontier, tiles)
    for index, size in [(0, 70_000), (65_535, 65_536), (65_536, 65_537), (69_999, 70_000)]:
        proof = stored.inclusion(index, size)
        verify_inclusion(leaf=LEAVES[index], index=index, size=size, proof=proof, root=mth(LEAVES[:size]))


@settings(max_examples=20)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=4))
def test_only_the_right_edge_changes(counts: list[int]) -> None:
    frontier = Frontier()
    for start, count in zip([0, *accumulate(counts)], counts, strict=False):
        changed = frontier.append(LEAVES[start : start + count])
        assert all(index >= start >> 8 * (level + 1) for level, index in changed)


def test_what_is_not_there_is_said() -> None:
    frontier, tiles = grown([5])
    stored = tree(frontier, tiles)
    for call in (
        lambda: stored.root_at(6),
        lambda: stored.inclusion(5, 5),
        lambda: stored.inclusion(-1, 5),
        lambda: stored.consistency(4, 3),
    ):
        with pytest.raises(NotFoundError):
            call()


def test_a_short_tile_is_tampering() -> None:
    frontier, tiles = grown([5])
    tiles[0, 0] = tiles[0, 0][:-32]
    with pytest.raises(TamperedError):
        tree(frontier, tiles).root_at(5)
    with pytest.raises(TamperedError):
        Frontier.load(5, lambda level, index: tiles[level, index])
