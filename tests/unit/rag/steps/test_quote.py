"""Quotes weigh words by what the asker may read, and by nothing else."""

from collections.abc import Collection

from rag.domain.access import Access, Reader
from rag.domain.answering import needed
from rag.domain.document import AsOf
from rag.domain.ranking import Filter, TermStatistics
from rag.steps.quote import Quote
from rag.steps.rights import Standing

from tests.unit.rag.domain.answering.passages import passage

NOW = AsOf(0, 0)
STANDING = Standing(Reader("bank", "clerk", "service", 2), {7: Access(1)}, 0)
WAIT = passage("自本合同生效之日起90日内为等待期。", heading="1. 等待期")
OTHER_WORDS = ("投诉", "热线", "电话", "号码", "诉热", "线电", "话号", "内投", "期内")


class Counts:
    """A lexical leg that counts."""

    def __init__(self, *common: str) -> None:
        self.asked: list[tuple[frozenset[str], Filter]] = []
        self.common = common

    async def statistics(self, terms: Collection[str], where: Filter) -> TermStatistics:
        self.asked.append((frozenset(terms), where))
        return TermStatistics(100, {term: 99 if term in self.common else 1 for term in terms})


async def test_words_are_counted_once_over_what_may_be_read() -> None:
    leg, question = Counts(), "江城安心医疗保险的等待期是多少天？"
    answered = await Quote(leg)(question, [WAIT], STANDING, NOW)  # type: ignore[arg-type]
    assert [sentence.text for sentence in answered.sentences] == [WAIT.text]
    assert leg.asked == [(needed(question, [WAIT]), Filter("bank", frozenset({7}), NOW))]


async def test_counts_decide() -> None:
    question = "等待期内投诉热线电话号码"
    common = Quote(Counts("等待", "待期"))  # type: ignore[arg-type]
    rare = Quote(Counts(*OTHER_WORDS))  # type: ignore[arg-type]
    assert (await common(question, [WAIT], STANDING, NOW)).sentences == ()
    assert (await rare(question, [WAIT], STANDING, NOW)).sentences
