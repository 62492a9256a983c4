from __future__ import annotations

import pytest
from engine.llm.rows import Rows
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule


def test_the_lowest_free_row_is_taken_first_and_nothing_is_moved() -> None:
    rows = Rows(4)
    assert rows.take("a") == [0]
    assert rows.take("b", 2) == [1, 2]
    rows.give_back([0])
    assert rows.held() == {1: "b", 2: "b"}
    assert rows.take("c") == [0]
    assert rows.take("d") == [3]


def test_all_or_nothing() -> None:
    rows = Rows(3)
    rows.take("a")
    assert rows.take("b", 3) is None
    assert rows.free == 2


def test_a_pinned_row_is_nobody_else_s_until_the_last_pin_goes() -> None:
    rows = Rows(2)
    rows.take("a")
    rows.pin(0)
    rows.pin(0)
    rows.give_back([0])
    rows.unpin(0)
    assert rows.take("b", 2) is None
    assert "given back" in rows.held()[0]
    rows.unpin(0)
    assert rows.take("b", 2) == [0, 1]


def test_what_is_not_held_cannot_be_given_back_pinned_or_passed_on() -> None:
    rows = Rows(2)
    rows.take("a")
    rows.pin(0)
    rows.give_back([0])
    for row in (0, 1):
        for wrong in (lambda row=row: rows.give_back([row]), lambda row=row: rows.pin(row), lambda row=row: rows.pass_on(row, "b")):
            with pytest.raises(ValueError, match="not held"):
                wrong()


class AnyOrder(RuleBasedStateMachine):
    """No row has two holders, none is lost, whatever is done."""

    @initialize(count=st.integers(1, 5))
    def made(self, count: int) -> None:
        self.rows = Rows(count)
        self.mine: list[int] = []
        self.pins: list[int] = []

    @rule(count=st.integers(1, 3))
    def take(self, count: int) -> None:
        taken = self.rows.take("x", count)
        if taken is not None:
            assert taken == sorted(taken)
            assert not set(taken) & (set(self.mine) | set(self.pins))
            self.mine += taken

    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        if self.mine:
            self.rows.give_back([self.mine.pop(data.draw(st.integers(0, len(self.mine) - 1)))])

    @rule(data=st.data())
    def pin(self, data: st.DataObject) -> None:
        if self.mine:
            row = data.draw(st.sampled_from(self.mine))
            self.rows.pin(row)
            self.pins.append(row)

    @rule(data=st.data())
    def unpin(self, data: st.DataObject) -> None:
        if self.pins:
            self.rows.unpin(self.pins.pop(data.draw(st.integers(0, len(self.pins) - 1))))

    @invariant()
    def held_are_mine_and_pinned(self) -> None:
        assert set(self.rows.held()) == set(self.mine) | set(self.pins)
        assert self.rows.free == self.rows.count - len(self.rows.held())


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
