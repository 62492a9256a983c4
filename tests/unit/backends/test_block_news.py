"""KV events of one engine, in order and without gaps."""

from __future__ import annotations

from backends.block_news import BlockNews
from finmesh.inference.v1.worker_pb2 import KvEvent


def event(seq: int, cleared: bool = False) -> KvEvent:
    return KvEvent(seq=seq, cleared=cleared)


def seqs(events: list[KvEvent]) -> list[int]:
    return [each.seq for each in events]


def test_what_is_told_before_the_answer_waits_for_it() -> None:
    news = BlockNews()
    assert news.begin(is_same=False) == 0
    assert news.told([event(4), event(5)]) == []
    assert seqs(news.caught_up([event(4, cleared=True)])) == [4, 5]
    assert seqs(news.told([event(6)])) == [6]


def test_what_is_known_is_not_told_again() -> None:
    news = BlockNews()
    news.begin(is_same=False)
    news.caught_up([event(9, cleared=True)])
    assert seqs(news.told([event(8), event(9), event(10)])) == [10]


def test_a_gap_is_asked_for_and_nothing_told_before() -> None:
    news = BlockNews()
    news.begin(is_same=False)
    news.caught_up([event(0, cleared=True)])
    assert seqs(news.told([event(1), event(3), event(4)])) == [1]
    assert news.is_behind
    assert news.begin(is_same=True) == 1
    assert news.told([event(5)]) == []
    assert seqs(news.caught_up([event(2), event(3), event(4)])) == [2, 3, 4, 5]
    assert not news.is_behind


def test_another_incarnation_begins_anew() -> None:
    news = BlockNews()
    news.begin(is_same=False)
    news.caught_up([event(7, cleared=True)])
    assert news.begin(is_same=True) == 7
    assert news.begin(is_same=False) == 0
    assert seqs(news.caught_up([event(2, cleared=True)])) == [2]
