"""Generated samples: a function of the seed, of their form, copied from their text; what is held out is apart."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from otc import held_out, trained, vocabulary
from otc.generate import LONGEST_TEXT, Generator, Sample
from otc.names import Names
from otcdesk import own_text
from otcdesk.fold import fold
from otcdesk.instruments import Instruments

MASTER = Instruments.read()


def drawn(count: int, *, seed: int = 7, is_held_out: bool = False) -> list[Sample]:
    return list(itertools.islice(Generator(MASTER, seed, is_held_out=is_held_out), count))


def test_the_same_seed_gives_the_same_samples() -> None:
    assert drawn(200) == drawn(200)
    assert drawn(200) != drawn(200, seed=8)


@pytest.mark.parametrize("is_held_out", [False, True])
def test_samples_are_of_their_form(is_held_out: bool) -> None:
    for sample in drawn(2000, is_held_out=is_held_out):
        assert own_text.read(sample.own_text) == sample.values
        assert fold(sample.text).text == sample.text and 0 < len(sample.text) <= LONGEST_TEXT
        assert sample.values.get("underlying", "") in sample.text
        own_text.inquiry(sample.values, fold(sample.text), MASTER)
        assert sample.values["intent"] not in ("other", own_text.SEVERAL) or len(sample.values) == 1


def test_families_and_names_are_held_out() -> None:
    seen = {sample.family for sample in drawn(4000)}
    unseen = {sample.family for sample in drawn(4000, is_held_out=True)}
    assert {family.__name__ for family, _ in held_out.HELD_OUT} <= unseen - seen
    assert {family.__name__ for family, _ in trained.TRAINED} <= seen - unseen
    known = set(Names(MASTER)._known)
    assert known and not known & set(Names(MASTER, is_held_out=True)._known)
    assert Names(MASTER).draw(Random(1)) == Names(MASTER).draw(Random(1))


def test_tokens_are_those_of_the_tokenizer() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_str(vocabulary.document().decode())
    spelt = [fold(piece).text for piece in own_text.PIECES]
    texts = [sample.text for sample in drawn(500)] + ["🙏漢", *spelt, *own_text.WORDS, "<|end|>x"]
    for text in texts:
        if "<|" not in text:
            assert tokenizer.encode(text).ids == vocabulary.encode(text)
    pieces = {vocabulary.ids()[each] for each in own_text.PIECES}
    for text in texts:
        assert not pieces & set(vocabulary.encode(text))
    for sample in drawn(500):
        ids = vocabulary.encode_values(sample.values)
        assert ids[-1] == vocabulary.END and tokenizer.decode(ids[:-1]) == sample.own_text
