"""When an answer is supported: one version for every corpus, which neither an ingestion nor `kb tune` moves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """``covered_*``: share of the question that a passage must cover, by language; ``named``: of a name, that title or text must hold.

    ``label``: of the words asked about, that must stand
    beside a number or above it; ``label_of_few``: the same where the question has four words or fewer. ``sentence``: what a further
    sentence must reach of the best one.
    """

    version: str
    covered_chinese: float
    covered_english: float
    named: float
    label: float
    label_of_few: float
    sentence: float

    def covered(self, *, chinese: bool) -> float:
        """Return the share for a language."""
        return self.covered_chinese if chinese else self.covered_english


DEFAULT = Thresholds("cloze/1", covered_chinese=0.28, covered_english=0.28, named=0.8, label=0.25, label_of_few=0.6, sentence=0.6)
