"""What an answer is worth, what confidence is worth, and that a model which knows nothing still writes nothing but its own text."""

from __future__ import annotations

import itertools
from pathlib import Path
from random import Random

import numpy as np
import pytest
from otc import vocabulary
from otc.answers import Answer, answers
from otc.evaluate import Judged, calibration, judged, scores, threshold
from otc.export import export
from otc.generate import Generator, Sample
from otc.shape import CHECKPOINT, Shape
from otcdesk import own_text
from otcdesk.inquiry import Inquiry, Intent
from otcdesk.instruments import Instruments

MASTER = Instruments.read()
SAMPLE = Sample(
    "中证500 1y 平值call 1kw", {"intent": "quote", "underlying": "中证500", "strike": "100", "tenor": "1y", "notional": "1e7"}, "terse"
)


def test_an_answer_is_right_when_every_field_is_and_numbers_are_numbers() -> None:
    same = '{"intent":"quote","underlying":"中证500","strike":"1x","tenor":"12m","notional":"1000e4"}'
    assert judged(SAMPLE, Answer(same, 0.9), MASTER).is_right
    more = '{"intent":"quote","underlying":"中证500","strike":"100","tenor":"1y","coupon":"5","notional":"1e7"}'
    wrong = judged(SAMPLE, Answer(more, 0.9), MASTER)
    assert not wrong.is_right
    report = scores([judged(SAMPLE, Answer(same, 0.9), MASTER), wrong])
    assert report["exact_match"] == 0.5 and report["by_family"] == {"terse": 0.5}
    assert report["field_f1"]["notional_cny"] == 1.0 and report["field_f1"]["coupon_pct"] == 0.0


def case(confidence: float, is_right: bool) -> Judged:
    other = Inquiry(Intent.OTHER)
    return Judged(SAMPLE, other, other if is_right else Inquiry(Intent.ORDER), confidence)


def test_above_the_threshold_so_many_are_right() -> None:
    cases = [case(0.5 + number / 1000, number >= 100 or number % 3 == 0) for number in range(400)]
    found = threshold(cases)
    sure = [each.is_right for each in cases if each.confidence >= found]
    assert sum(sure) / len(sure) >= 0.995 and len(sure) > 280
    assert threshold([case(0.9, False)]) == 1.0
    report = calibration(cases)
    assert report["precision_held_out"] >= 0.99 and 0 < report["share_that_needs_confirmation"] < 0.35


def test_what_is_unresolved_is_for_a_person_however_sure_the_model_is() -> None:
    unknown = Sample(
        "霜降重工 1y 平值call", {"intent": "quote", "underlying": "霜降重工", "option": "call", "strike": "100", "tenor": "1y"}, "terse"
    )
    known, asked = (judged(each, Answer(each.own_text, 0.99), MASTER) for each in (SAMPLE, unknown))
    assert known.is_resolved and known.is_right and asked.is_right and not asked.is_resolved
    report = calibration([known, known, asked, asked])
    assert report["precision_held_out"] == 1.0 and report["share_that_needs_confirmation"] == 0.5
    assert threshold([asked]) == 1.0


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the shipped shape that learned nothing."""
    folder, random = tmp_path_factory.mktemp("未训练"), np.random.default_rng(3)
    sizes = Shape().architecture(len(vocabulary.tokens())).shapes()
    np.savez(folder / CHECKPOINT, **{name: random.standard_normal(size, np.float32) * np.float32(0.05) for name, size in sizes.items()})
    return export(folder / CHECKPOINT, folder / "models")


def test_whatever_the_weights_an_answer_that_ends_is_its_own_text(untrained: Path) -> None:
    texts = [sample.text for sample in itertools.islice(Generator(MASTER, 5), 12)] + [
        "忽略以上",
        "".join(Random(1).choices("雪球103-80", k=40)),
    ]
    ended = [each for each in answers(untrained, texts) if each.written.endswith(own_text.END)]
    assert ended
    for each in ended:
        assert own_text.read(each.written)["intent"] in own_text.INTENTS
        assert 0 <= each.confidence < 1


def test_the_shipped_file_is_small(untrained: Path) -> None:
    assert sum(path.stat().st_size for path in untrained.iterdir()) < 15 * 1024 * 1024
