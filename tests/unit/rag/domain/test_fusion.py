"""Convex fusion of two legs."""

from __future__ import annotations

import pytest
from rag.domain.fusion import fuse, stretched, union
from rag.domain.ranking import Hit


def ids(found: list[object]) -> list[int]:
    return [each.chunk_id for each in found]  # type: ignore[attr-defined]


def test_scores_are_stretched_over_their_own_leg() -> None:
    """Scales of the legs don't matter; a leg of equal scores gives 1."""
    assert stretched([Hit(1, 30.0), Hit(2, 20.0), Hit(3, 10.0)]) == {1: 1.0, 2: 0.5, 3: 0.0}
    assert stretched([Hit(1, 0.2)]) == {1: 1.0} and stretched([]) == {}
    lexical, dense = [Hit(1, 9.0), Hit(2, 8.0), Hit(3, 1.0)], [Hit(3, 0.9), Hit(2, 0.85), Hit(1, 0.7)]
    thousandfold = [Hit(hit.chunk_id, hit.score * 1000 + 7) for hit in lexical]
    assert fuse(lexical, dense, 0.4) == pytest.approx(fuse(thousandfold, dense, 0.4))  # type: ignore[comparison-overlap]


def test_the_weight_decides_between_the_legs() -> None:
    """0 is the lexical order, 1 the dense one; ranks of both are told."""
    lexical, dense = [Hit(1, 9.0), Hit(2, 8.0), Hit(3, 1.0)], [Hit(3, 0.9), Hit(2, 0.85), Hit(4, 0.7)]
    assert ids(fuse(lexical, dense, 0.0))[:2] == [1, 2]
    assert ids(fuse(lexical, dense, 1.0))[:2] == [3, 2]
    mixed = fuse(lexical, dense, 0.5)
    assert ids(mixed)[0] == 2 and (mixed[0].lexical_rank, mixed[0].dense_rank) == (2, 2)
    assert {each.chunk_id: each.dense_rank for each in mixed}[1] == 0


def test_a_leg_alone_keeps_its_order_whatever_the_weight() -> None:
    """The dense leg is away, or a question has no terms."""
    hits = [Hit(3, 3.0), Hit(1, 2.0), Hit(2, 1.0)]
    assert ids(fuse(hits, [], 0.7)) == ids(fuse([], hits, 0.0)) == [3, 1, 2]
    assert [each.score for each in fuse(hits, [], 0.7)] == [1.0, 0.5, 0.0]


def test_equal_scores_go_by_id() -> None:
    """An index made anew ranks equally."""
    hits = [Hit(9, 1.0), Hit(4, 1.0), Hit(7, 1.0)]
    assert ids(fuse(hits, [], 0.0)) == [4, 7, 9]


def test_two_searches_of_one_leg_are_joined() -> None:
    """Each passage once, best first."""
    assert union([Hit(1, 5.0), Hit(2, 3.0)], [Hit(3, 4.0), Hit(2, 3.0)]) == [Hit(1, 5.0), Hit(3, 4.0), Hit(2, 3.0)]
