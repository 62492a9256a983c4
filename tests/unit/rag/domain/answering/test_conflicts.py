"""A reader is warned where a source says another number of the same."""

import dataclasses

from rag.domain.answering import answer

from tests.unit.rag.domain.answering.passages import passage

ONE = passage("境外旅行医疗保险的等待期为90日。", document="terms")
TWO = passage("境外旅行医疗保险的等待期为30日。", document="leaflet", number=1)
OTHER = passage("境外旅行医疗保险的等待期为30日。", title="海岳守护医疗保险条款", number=2)
QUESTION = "江城安心医疗保险的境外旅行医疗保险等待期是多少天？"


def test_two_sources_that_differ() -> None:
    (warned,) = answer(QUESTION, [ONE, TWO]).warnings
    assert warned.reason == "CONFLICTING_SOURCES" and set(warned.passages) == {ONE.id, TWO.id} and "30日" in warned.message


def test_what_is_no_conflict() -> None:
    assert answer(QUESTION, [ONE, OTHER]).warnings == ()
    assert answer(QUESTION, [ONE, passage("境外旅行医疗保险的等待期为九十日。", document="leaflet", number=1)]).warnings == ()
    assert answer(QUESTION, [ONE, dataclasses.replace(TWO, superseded=True)]).warnings == ()
    assert answer(QUESTION, [ONE, passage("境外旅行医疗保险的宽限期为30日。", number=1)]).warnings == ()
