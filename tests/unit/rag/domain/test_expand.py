"""What is added beside passages that were found: neighbours, beginnings of tables, endorsements; never over the borders of an access id."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rag.domain.access import Access
from rag.domain.document import Chunk, NewChunk
from rag.domain.expand import BACK, ENDORSING, MOST, NEAR, Why, beside, endorsing, joined, reach

from tests.unit.rag.shelf import version

HEADER = "表：费率 | 元"


def chunk(
    ordinal: int, text: str = "", *, access_id: int = 1, version_id: int = 1, header: str = "", clause: str = "", record: str = ""
) -> Chunk:
    """A passage."""
    new = NewChunk(ordinal, text or f"段落{ordinal}", Access(1), table_header=header, clause=clause, record_id=record)
    return Chunk(version_id * 1_000 + ordinal, version_id, access_id, new)


def told(found: list[tuple[Chunk, Why]]) -> list[tuple[int, str]]:
    return [(each.passage.ordinal, str(why)) for each, why in found]


def test_neighbours_are_those_before_and_after() -> None:
    around = [chunk(number) for number in range(8)]
    assert told(beside(around[4], around)) == [(3, "NEIGHBOUR"), (5, "NEIGHBOUR")]
    assert told(beside(around[0], around)) == [(1, "NEIGHBOUR")]
    assert reach(around[4]) == (NEAR, NEAR)


@pytest.mark.parametrize("other", [chunk(5, access_id=2), chunk(5, version_id=2), chunk(5, record="r")])
def test_what_is_of_another_access_or_version_or_is_a_record_is_no_neighbour(other: Chunk) -> None:
    assert beside(chunk(4), [other]) == []


def test_records_have_no_neighbours() -> None:
    assert reach(chunk(4, record="r")) == (0, 0)


def test_a_table_is_shown_from_where_it_begins() -> None:
    table = [chunk(2, f"{HEADER}\n20 | 38.50"), *(chunk(number, f"{number} | 1.00", header=HEADER) for number in range(3, 7))]
    assert told(beside(table[3], [chunk(1), *table])) == [(2, "TABLE_HEADER"), (4, "NEIGHBOUR"), (6, "NEIGHBOUR")]
    assert told(beside(table[1], table)) == [(2, "TABLE_HEADER"), (2, "NEIGHBOUR"), (4, "NEIGHBOUR")]
    assert reach(table[1]) == (BACK, NEAR)


@pytest.mark.parametrize("begins", [chunk(2, "另一张表 | 元\n20 | 38.50"), chunk(2, f"{HEADER}\n20 | 38.50", access_id=2)])
def test_where_another_table_begins_or_one_that_may_not_be_read_is_not_where_this_one_does(begins: Chunk) -> None:
    assert beside(chunk(9, "x | 1", header=HEADER), [begins]) == []


def test_an_endorsement_says_what_it_changes() -> None:
    rider = [chunk(0, "本批单附于保险合同。", version_id=9), chunk(1, "第五条修改为：等待期30日。", version_id=9)]
    assert [each.passage.ordinal for each in endorsing(chunk(4, clause="第五条"), rider)] == [1]
    assert [each.passage.ordinal for each in endorsing(chunk(4, clause="第六条"), rider)] == [0]
    assert [each.passage.ordinal for each in endorsing(chunk(4), list(reversed(rider)))] == [0]
    assert endorsing(chunk(4), []) == []
    many = [chunk(number, "第五条删除。", version_id=9) for number in range(5)]
    assert len(endorsing(chunk(4, clause="第五条"), many)) == ENDORSING


def test_each_passage_is_added_once_with_all_its_reasons_and_never_what_was_found() -> None:
    made = version("条款")
    offered = [(chunk(2), made, Why.TABLE_HEADER), (chunk(2), made, Why.NEIGHBOUR), (chunk(4), made, Why.NEIGHBOUR)]
    (one,) = joined({chunk(4).chunk_id}, [*offered, (chunk(2), made, Why.NEIGHBOUR)])
    assert (one.chunk.passage.ordinal, one.why) == (2, (Why.TABLE_HEADER, Why.NEIGHBOUR))
    full = set(range(100_000, 100_000 + MOST - 1))
    assert len(joined(full, [(replace(chunk(2), chunk_id=number), made, Why.NEIGHBOUR) for number in range(9)])) == 1
