from __future__ import annotations

import pytest
from engine.llm.block_pool import BlockPool
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule


def chain(text: str) -> tuple[bytes, ...]:
    """Ids of the prefixes of a word: a letter is a block."""
    return tuple(text[: end + 1].encode() for end in range(len(text)))


def stored(pool: BlockPool, text: str) -> list[int]:
    made = pool.store(chain(text))
    pool.give_back([chain(text)[position] for position, _ in made.places])
    return [position for position, _ in made.places]


def test_what_is_stored_is_found_from_its_beginning() -> None:
    pool = BlockPool(8)
    assert stored(pool, "abcd") == [0, 1, 2, 3]
    assert stored(pool, "abxy") == [2, 3]
    assert [pool.held(chain(text)) for text in ("abcd", "abq", "abxyz", "b")] == [4, 2, 4, 0]
    assert len(pool) == 6


def test_the_end_of_the_oldest_chain_goes_first() -> None:
    pool = BlockPool(4)
    stored(pool, "ab")
    stored(pool, "cd")
    pool.give_back(chain("ab")[: len(pool.take(chain("ab")))])
    assert pool.store(chain("x")).removed == (b"cd",)


def test_nobody_is_evicted_for_his_own_end() -> None:
    pool = BlockPool(3)
    stored(pool, "ab")
    assert stored(pool, "abcdefg") == [2]
    assert pool.ids() == chain("abc")


def test_a_referenced_block_stays_and_then_nothing_new_is_stored() -> None:
    pool = BlockPool(2)
    stored(pool, "ab")
    assert len(pool.take(chain("abc"))) == 2
    assert pool.store(chain("xy")).places == ()
    assert pool.referenced() == {b"a": 1, b"ab": 1}
    pool.give_back(chain("ab"))
    assert stored(pool, "xy") == [0, 1]


def test_a_reference_that_nobody_holds_is_a_bug() -> None:
    pool = BlockPool(2)
    stored(pool, "a")
    with pytest.raises(ValueError, match="not referenced"):
        pool.give_back(chain("a"))
    with pytest.raises(KeyError):
        pool.give_back(chain("b"))


def test_a_pool_of_nothing_stores_nothing() -> None:
    assert BlockPool(0).store(chain("abc")).places == ()


class Pool(RuleBasedStateMachine):
    """Any sequence of operations: the bytes of a block stay those of its id, no chain has a hole, nothing is lost."""

    @initialize(capacity=st.integers(1, 6))
    def made(self, capacity: int) -> None:
        self.pool = BlockPool(capacity)
        self.memory: dict[int, bytes] = {}
        self.taken: list[tuple[bytes, ...]] = []

    @rule(text=st.text("ab", min_size=1, max_size=6))
    def store(self, text: str) -> None:
        before = set(self.pool.ids())
        made = self.pool.store(chain(text))
        for position, place in made.places:
            self.memory[place] = chain(text)[position]
        self.pool.give_back([chain(text)[position] for position, _ in made.places])
        assert set(made.removed) <= before
        assert not set(made.removed) & set(self.pool.ids())

    @rule(text=st.text("ab", min_size=1, max_size=6))
    def take(self, text: str) -> None:
        places = self.pool.take(chain(text))
        found = chain(text)[: len(places)]
        assert [self.memory[place] for place in places] == list(found)
        self.taken.append(found)

    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        if self.taken:
            self.pool.give_back(self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1))))

    @invariant()
    def no_block_is_out_of_reach(self) -> None:
        held = set(self.pool.ids())
        assert all(len(each) == 1 or each[:-1] in held for each in held)
        ids = self.pool.ids()
        assert all(ids.index(each[:-1]) < ids.index(each) for each in ids if len(each) > 1)

    @invariant()
    def references_are_those_that_were_taken(self) -> None:
        wanted: dict[bytes, int] = {}
        for found in self.taken:
            for each in found:
                wanted[each] = wanted.get(each, 0) + 1
        assert self.pool.referenced() == wanted
        assert set(wanted) <= set(self.pool.ids())

    @invariant()
    def places_add_up(self) -> None:
        assert len(self.pool) + len(self.pool._free) == self.pool.capacity
        used = {self.pool._blocks[each].place for each in self.pool.ids()}
        assert len(used) == len(self.pool)
        assert used.isdisjoint(self.pool._free)


TestPool = Pool.TestCase
TestPool.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
