"""The index against a model of it that is slow and plain: sets of blocks for each worker."""

import random

import numpy as np
import pytest
from router.domain.prefix_index import PrefixIndex, Taken

A, B, C, D = (bytes([number]) * 16 for number in range(4))


def begun(*slots: int) -> PrefixIndex:
    index = PrefixIndex()
    for slot in slots:
        index.begin(slot, "i1", 1)
    return index


def blocks(index: PrefixIndex, chain: list[bytes], slots: int) -> list[int]:
    return index.cached(chain, slots).blocks.tolist()


def test_a_prefix_is_cached_as_far_as_its_blocks_are_found_in_a_row() -> None:
    index = begun(0, 1, 2)
    index.apply(0, "i1", 1, [(A, 0), (B, 0), (C, 0)], [])
    index.apply(1, "i1", 1, [(A, 0), (C, 0)], [])  # B is missing: C is of no use
    index.apply(2, "i1", 1, [(B, 0), (C, 0)], [])
    assert blocks(index, [A, B, C, D], 4) == [3, 1, 0, 0]


def test_a_block_of_a_lower_tier_is_worth_less() -> None:
    index = begun(0, 1)
    index.apply(0, "i1", 1, [(A, 0), (B, 1)], [])
    index.apply(1, "i1", 1, [(A, 0), (B, 0)], [])
    found = index.cached([A, B], 2)
    assert found.blocks.tolist() == [2, 2]
    assert found.weighted.tolist() == [1.5, 2.0]
    index.apply(0, "i1", 2, [(B, 0)], [])
    assert index.cached([A, B], 2).weighted.tolist() == [2.0, 2.0]


def test_events_that_repeat_change_nothing() -> None:
    index = begun(0)
    assert index.apply(0, "i1", 1, [(A, 0)], []) is Taken.APPLIED
    assert index.apply(0, "i1", 2, [], [A]) is Taken.APPLIED
    assert index.apply(0, "i1", 1, [(A, 0)], []) is Taken.REPEATED
    assert blocks(index, [A], 1) == [0]


def test_after_a_gap_nothing_is_taken_until_it_is_replayed() -> None:
    index = begun(0)
    index.apply(0, "i1", 1, [(A, 0), (B, 0)], [])
    assert index.apply(0, "i1", 3, [(C, 0)], []) is Taken.GAP
    assert index.next_seq(0, "i1") == 2
    assert index.apply(0, "i1", 4, [(D, 0)], []) is Taken.GAP
    assert index.apply(0, "i1", 2, [], [B]) is Taken.APPLIED
    assert index.apply(0, "i1", 3, [(C, 0)], []) is Taken.APPLIED
    assert blocks(index, [A, B, C], 1) == [1]


def test_a_snapshot_jumps_over_what_is_no_longer_kept() -> None:
    index = begun(0)
    index.apply(0, "i1", 1, [(A, 0)], [])
    assert index.apply(0, "i1", 90, [(B, 0)], [], cleared=True) is Taken.APPLIED
    assert blocks(index, [A], 1) == [0]
    assert blocks(index, [B], 1) == [1]
    assert index.apply(0, "i1", 91, [(A, 0)], []) is Taken.APPLIED


def test_another_incarnation_holds_nothing() -> None:
    index = begun(0, 1)
    index.apply(0, "i1", 1, [(A, 0)], [])
    index.apply(1, "i1", 1, [(A, 0)], [])
    assert index.apply(0, "i2", 2, [(B, 0)], []) is Taken.GAP
    assert index.next_seq(0, "i2") is None
    index.begin(0, "i2", 1)
    assert blocks(index, [A], 2) == [0, 1]
    assert index.holds(0) == 0


def test_a_slot_that_is_given_out_again_inherits_nothing() -> None:
    index = begun(0)
    index.apply(0, "i1", 1, [(A, 0)], [])
    index.leave(0)
    index.begin(0, "other", 1)
    assert blocks(index, [A], 1) == [0]


def test_what_a_worker_may_fill_is_bounded() -> None:
    index = PrefixIndex(max_blocks=2)
    index.begin(0, "i1", 1)
    index.apply(0, "i1", 1, [(A, 0), (B, 0), (C, 0)], [])
    assert index.holds(0) == 2
    index.apply(0, "i1", 2, [(C, 0)], [A])
    assert index.holds(0) == 2
    assert blocks(index, [B, C], 1) == [2]


@pytest.mark.parametrize("seed", range(20))
def test_it_agrees_with_a_plain_model(seed: int) -> None:
    rng = random.Random(seed)
    workers, names = rng.randint(1, 70), [rng.randbytes(16) for _ in range(12)]
    index, plain, seqs = PrefixIndex(), {slot: dict[bytes, int]() for slot in range(workers)}, dict.fromkeys(range(workers), 1)
    for slot in range(workers):
        index.begin(slot, "i", 1)
    for _ in range(400):
        slot = rng.randrange(workers)
        match rng.randrange(10):
            case 0:
                index.begin(slot, "i", seqs[slot])
                plain[slot].clear()
            case 1:
                stored = [(rng.choice(names), rng.randrange(3))]
                index.apply(slot, "i", seqs[slot], stored, [], cleared=True)
                plain[slot] = dict(stored)
                seqs[slot] += 1
            case _:
                stored = [(name, rng.randrange(3)) for name in rng.sample(names, rng.randrange(6))]
                removed = rng.sample(names, rng.randrange(4))
                index.apply(slot, "i", seqs[slot], stored, removed)
                for name in removed:
                    plain[slot].pop(name, None)
                plain[slot].update(stored)
                seqs[slot] += 1
    for _ in range(20):
        chain = rng.sample(names, rng.randint(1, len(names)))
        found = index.cached(chain, workers)
        for slot in range(workers):
            length = next((at for at, name in enumerate(chain) if name not in plain[slot]), len(chain))
            assert found.blocks[slot] == length
            assert found.weighted[slot] == sum((1.0, 0.5)[min(plain[slot][name], 1)] for name in chain[:length])
    for slot in range(workers):
        index.leave(slot)
    assert not any(index._masks)
    assert np.array_equal(index.cached(names, workers).blocks, np.zeros(workers))
