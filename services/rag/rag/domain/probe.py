"""Weights without labels: take a sentence out of a passage, ask for its passage, see which mixture of the legs finds it.

The passage is judged without the sentence, else the lexical leg would always win. A probe mirrors how well each leg follows this corpus,
not how people ask; so a weight is capped at .5, and at .7 where the dense leg alone beat every mixture. Seeded: the same passages give the
same weights.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import log1p

from rag.domain.fusion import HIGHEST_WEIGHT, stretched
from rag.domain.ranking import Hit, TermStatistics
from rag.domain.tuning import DEFAULT_WEIGHT, Language, Tuning, language

FEWEST = 30
"""Probes of a language below which nothing is concluded."""
_GRID = tuple(step / 20 for step in range(11))
_DEPTH = 10
_K1, _B = 1.2, 0.75
_SENTENCE = re.compile(r"[^。；！？!?\n]*?(?:[。；！？!?\n]+|(?<=[a-z)\]])\.\s+|$)")
_SENTENCE_LENGTH = {Language.HAN: (12, 80), Language.OTHER: (30, 240)}
_REST = {Language.HAN: 40, Language.OTHER: 100}


@dataclass(frozen=True, slots=True)
class Cloze:
    """A sentence and the passage that it was taken out of."""

    chunk_id: int
    sentence: str
    rest: str

    @property
    def language(self) -> Language:
        """Language of the sentence."""
        return language(self.sentence)


@dataclass(frozen=True, slots=True)
class Probe:
    """What both legs said to a sentence: other passages with their scores, and the score of the passage without its sentence."""

    chunk_id: int
    language: Language
    lexical: Sequence[Hit]
    dense: Sequence[Hit]
    own_lexical: float
    own_dense: float


@dataclass(frozen=True, slots=True)
class Weighed:
    """A weight and why: probes, and mean reciprocal rank by weight of the dense leg."""

    weight: float
    probes: int
    found: Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Probing:
    """How many probes were looked at, of how many."""

    done: int
    of: int


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was recorded, and what the probes showed by language."""

    tuning: Tuning
    weighed: Mapping[Language, Weighed]


def cloze(chunk_id: int, text: str, seed: int) -> Cloze | None:
    """Take a sentence out of a passage; none for one that is too short to lose it."""
    shortest, longest = _SENTENCE_LENGTH[language(text)]
    most = min(longest, len(text) - _REST[language(text)])
    sentences = [each for each in _SENTENCE.findall(text) if shortest <= len(each.strip()) and len(each) <= most]
    if not sentences:
        return None
    sentence = random.Random(f"{seed} {chunk_id}").choice(sentences)
    return Cloze(chunk_id, sentence.strip(), text.replace(sentence, " ", 1).strip())


def bm25(asked: Collection[str], passage: Sequence[str], statistics: TermStatistics, average: float) -> float:
    """Return a passage's BM25 score by the statistics of the index, for what is not in the index."""
    times = Counter(passage)
    norm = _K1 * (1 - _B + _B * len(passage) / max(average, 1.0))
    return sum(
        log1p((statistics.documents - (df := statistics.frequency.get(term, 0)) + 0.5) / (df + 0.5)) * times[term] / (times[term] + norm)
        for term in asked
        if times[term]
    )


def weigh(probes: Sequence[Probe], asked: Language) -> Weighed:
    """Return the dense leg's weight for a language."""
    mine = [probe for probe in probes if probe.language is asked]
    if len(mine) < FEWEST:
        return Weighed(DEFAULT_WEIGHT[asked], len(mine), {})
    legs = [
        (_stretched(each.lexical, each.own_lexical, each.chunk_id), _stretched(each.dense, each.own_dense, each.chunk_id), each)
        for each in mine
    ]

    def mean_of(weight: float) -> float:
        return sum(_reciprocal_rank(lexical, dense, weight, probe.chunk_id) for lexical, dense, probe in legs) / len(legs)

    found = {weight: mean_of(weight) for weight in (*_GRID, HIGHEST_WEIGHT, 1.0)}
    best = max(_GRID, key=lambda weight: (found[weight], -weight))
    if found[1.0] > max(found[weight] for weight in (*_GRID, HIGHEST_WEIGHT)):
        best = HIGHEST_WEIGHT
    return Weighed(best, len(mine), found)


def _stretched(hits: Sequence[Hit], own: float, chunk_id: int) -> dict[int, float]:
    others = [hit for hit in hits if hit.chunk_id != chunk_id]
    return stretched([*others, Hit(chunk_id, own)] if own > 0 and (not others or own > min(hit.score for hit in others)) else others)


def _reciprocal_rank(lexical: Mapping[int, float], dense: Mapping[int, float], weight: float, chunk_id: int) -> float:
    score: Callable[[int], float] = lambda each: (1 - weight) * lexical.get(each, 0.0) + weight * dense.get(each, 0.0)  # noqa: E731
    own = score(chunk_id)
    above = sum(1 for each in lexical.keys() | dense.keys() if each != chunk_id and score(each) >= own)
    return 1 / (above + 1) if own > 0 and above < _DEPTH else 0.0
