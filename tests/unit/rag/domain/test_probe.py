"""Weights from probes without labels."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from rag.domain.probe import FEWEST, Probe, bm25, cloze, weigh
from rag.domain.ranking import Hit, TermStatistics
from rag.domain.tuning import DEFAULT_WEIGHT, Language, Tuning, language

CHINESE = (
    "本合同的等待期为九十日，自合同生效日起计算。等待期内发生保险事故的，我们不承担给付保险金的责任，但退还已交保险费。续保没有等待期。"
    "您可以在犹豫期内解除合同，我们退还全部保险费。合同效力中止的两年内，您可以申请恢复效力。"
)
ENGLISH = (
    "Revenue grew by 12.5 percent in fiscal 2019. The growth came from services sold to large banks, which renewed their contracts early. "
    "Costs fell because two data centres were closed in the spring. "
    "The bank expects a similar margin next year, provided that interest rates stay where they are and no large client leaves."
)


@pytest.mark.parametrize("text", [CHINESE, ENGLISH])
def test_a_sentence_is_taken_out_of_its_passage(text: str) -> None:
    """The rest does not hold it; the same seed takes the same one; a short passage gives none."""
    taken = cloze(7, text, seed=1)
    assert taken is not None and taken.sentence in text and taken.sentence not in taken.rest
    assert cloze(7, text, seed=1) == taken and taken.language is language(text)
    assert {made.sentence for seed in range(20) if (made := cloze(7, text, seed))} != {taken.sentence}
    assert cloze(7, text[:30], seed=1) is None and cloze(7, "", seed=1) is None


def probes(own_lexical: float, own_dense: float, count: int = 40, asked: Language = Language.HAN) -> list[Probe]:
    """Probes whose passage each leg scores so among others of 1.0 to 0.1."""
    others: Sequence[Hit] = [Hit(place, 1.0 - place / 10) for place in range(10)]
    return [Probe(100 + each, asked, others, others, own_lexical, own_dense) for each in range(count)]


def test_a_leg_that_finds_nothing_gets_no_weight() -> None:
    """The smallest of equal weights, so that a useless encoder harms nobody."""
    assert weigh(probes(1.5, 0.0), Language.HAN).weight == 0.0


def test_the_cap_holds_but_where_the_dense_leg_alone_is_best() -> None:
    """.5 where mixtures serve as well, .7 where dense alone beat them all."""
    alone = weigh(probes(0.0, 1.5), Language.HAN)
    assert alone.weight <= 0.7 and alone.found[1.0] == 1.0
    spoiled = [Probe(each.chunk_id, each.language, [Hit(9, 5.0), Hit(8, 4.9)], [*each.dense], 0.0, 0.95) for each in probes(0, 0)]
    spoiled = [
        Probe(p.chunk_id, p.language, [Hit(9, 5.0), Hit(1, 4.9), Hit(2, 4.8)], [Hit(9, 0.94), Hit(1, 0.9)], 0.0, 0.95) for p in spoiled
    ]
    assert weigh(spoiled, Language.HAN).weight in (0.5, 0.7)
    assert all(weigh(each, Language.HAN).weight <= 0.5 for each in (probes(0.96, 0.96), probes(1.2, 0.4)))


def test_few_probes_leave_the_default() -> None:
    """And those of another language count for nothing."""
    assert weigh(probes(0.0, 1.5, FEWEST - 1), Language.HAN).weight == DEFAULT_WEIGHT[Language.HAN]
    assert weigh(probes(0.0, 1.5), Language.OTHER).weight == DEFAULT_WEIGHT[Language.OTHER]


def test_what_an_index_would_have_scored() -> None:
    """Rare terms more than common ones, short passages more than long ones, terms that are not there nothing."""
    statistics = TermStatistics(100, {"rare": 1, "common": 90})
    score = lambda asked, passage: bm25(asked, passage, statistics, 10.0)  # noqa: E731
    assert score(["rare"], ["rare"]) > score(["common"], ["common"]) > 0
    assert score(["rare"], ["rare"]) > score(["rare"], ["rare", *["x"] * 30]) > score(["rare"], ["x"]) == 0


def test_languages_of_texts() -> None:
    """A Chinese question with a product's English name is Chinese."""
    assert language("iPhone 手机碎屏险的免赔额是多少") is Language.HAN
    assert language("What does 保险 mean in a policy wording of this insurer?") is Language.OTHER
    assert language("2019 %") is Language.OTHER


def test_weights_of_another_encoder_do_not_hold() -> None:
    """A new model is weighed anew; until then the default holds."""
    tuning = Tuning(3, {Language.HAN: 0.45}, "encoder/1")
    assert tuning.weight("等待期", "encoder/1") == 0.45
    assert tuning.weight("等待期", "encoder/2") == DEFAULT_WEIGHT[Language.HAN]
    assert tuning.weight("waiting period", "encoder/1") == DEFAULT_WEIGHT[Language.OTHER]
