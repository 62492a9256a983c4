"""Generated samples: a function of the seed, of their form, copied from their text; what is held out is apart."""

from __future__ import annotations

import itertools
import re
from random import Random
from typing import Any

import pytest
from otc import bonds, held_out, phrases, times, trained, vocabulary
from otc.frames import expanded
from otc.generate import LONGEST_TEXT, Generator, Sample
from otc.names import Names
from otc.words import WORDS
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


def test_names_of_the_master_alone_are_asked_for() -> None:
    for sample in itertools.islice(Generator(MASTER, 9, is_held_out=True, is_known=True), 400):
        words = sample.values.get("underlying", "")
        assert not words or MASTER.codes(words), words


def test_frames_are_many_and_none_has_the_words_of_a_family_that_is_held_out() -> None:
    random = Random(4)
    frames = [expanded(random, "frame") for _ in range(4000)]
    assert len(set(frames)) > 3500
    leads = [each.strip(" \n:[]-") for name in ("openings", "narrated", "forward_leads") for each in WORDS[name]]
    words = {part for each in leads for part in re.split(r"\{\w+\}|,", each) if len(part) >= 4}
    assert len(words) > 35 and not {part for part in words for frame in frames if part in frame}


def test_frames_say_all_terms() -> None:
    framed = [sample for sample in drawn(3000) if sample.family == "framed"]
    assert len(framed) > 400 and not [sample for sample in framed if "{" in sample.text or "[" in sample.text[:1]]
    for sample in framed:
        bond = sample.values.get("bond", "")
        assert bond in sample.text


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


def test_every_template_is_filled() -> None:
    left = re.compile(r"\{[a-z_]\w*\}|=(?:buy|sell)\b")
    found = [sample.text for sample in drawn(6000) if left.search(sample.text)]
    assert not [text for text in found if "intent" not in text], "what stands in braces, or behind =, is of the generator"


@pytest.mark.parametrize(
    ("make", "surface", "values"),
    [
        (phrases.strike_option, "平购", {"option": "call", "product": "vanilla", "strike": "100"}),
        (lambda random: phrases._moved_to(random, "put", "put"), "跌10%的put", {"option": "put", "product": "vanilla", "strike": "otm10"}),
        (times.tenor, "俩月", "2m"),
        (times.tenor, "仨月", "3m"),
    ],
)
def test_words_of_strangers_are_made(make: Any, surface: str, values: Any) -> None:
    """With what they mean: traders said them, and no sample did."""
    random = Random(3)
    made = [make(random) for _ in range(20_000)]
    pairs = {(each[0], each[1]) if isinstance(each, tuple) else (each.surface, tuple(each.values.items())) for each in made}
    assert (surface, values if isinstance(values, str) else tuple(values.items())) in pairs


def test_a_bond_s_yield_may_say_the_direction() -> None:
    random = Random(4)
    made = {each.surface: each.values for each in (bonds.bond_sided(random) for _ in range(4000))}
    for surface, values in made.items():
        assert values.keys() == {"yield", "side"} and values["yield"] in surface and "=" not in surface
    said = {re.sub(r"[0-9.]+", "n", surface): values["side"] for surface, values in made.items()}
    assert (said["nbid"], said["n ofr"], said["要n的offer"], said["n有要的吗"]) == ("buy", "sell", "buy", "sell")
