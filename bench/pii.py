"""`libs/pii`: what it finds of a generated corpus, how fast it reads ordinary text, and what the worst text of the same length costs.

Processor time of this process, the best of some tries: a neighbour on the machine takes time away, never adds speed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from pii import Kind, find

from bench.pii_corpus import Sample, ordinary, sample
from bench.pii_walls import mixes, walls
from bench.report import Figures, Target

LENGTH = 16_384  # characters: what the redactor looks at at most
TARGETS = {"recall": Target(min=0.995), "precision": Target(min=0.995), "mb_s": Target(min=5), "worst_ratio": Target(max=5)}
WORDS = {
    "recall": "of the identifiers, found exactly",
    "precision": "of what was found, right exactly",
    "mb_s": "MB of ordinary text a second of processor time",
    "worst_ratio": "worst text to ordinary text of its length",
}


@dataclass
class Score:
    """How often what was found is what is there."""

    right: Counter[Kind] = field(default_factory=Counter)
    missed: Counter[Kind] = field(default_factory=Counter)
    wrong: Counter[Kind] = field(default_factory=Counter)
    examples: list[tuple[str, str]] = field(default_factory=list)

    def add(self, one: Sample) -> None:
        """Compare the findings of one text with the truth."""
        found = {(finding.kind, finding.start, finding.end) for finding in find(one.text)}
        for counter, what in ((self.right, found & one.truth), (self.missed, one.truth - found), (self.wrong, found - one.truth)):
            counter.update(kind for kind, _, _ in what)
        for kind, start, end in sorted(found ^ one.truth):
            self.examples.append(
                (f"{'missed' if (kind, start, end) in one.truth else 'wrong'} {kind}", one.text[max(0, start - 10) : end + 10])
            )

    @property
    def recall(self) -> float:
        """Share of the truth that was found."""
        return self.right.total() / max(1, self.right.total() + self.missed.total())

    @property
    def precision(self) -> float:
        """Share of the findings that are true."""
        return self.right.total() / max(1, self.right.total() + self.wrong.total())


def scored(samples: int, seed: int) -> Score:
    """Return the score of a corpus, every other text Chinese."""
    random, score = Random(seed), Score()
    for number in range(samples):
        score.add(sample(random, chinese=number % 2 == 0))
    return score


def cost_s(text: str, tries: int) -> float:
    """Processor seconds of one look, the least of some."""

    def once() -> float:
        began = time.process_time()
        find(text)
        return time.process_time() - began

    return min(once() for _ in range(tries))


def measure(samples: int, seed: int, say: Callable[[str], None]) -> Figures:
    """Score the corpus, then measure speed."""
    say(f"{samples} texts, half of them Chinese")
    score = scored(samples, seed)
    for what, text in score.examples[:8]:
        say(f"{what}: {text!r}")
    random = Random(seed)
    texts = [ordinary(random, LENGTH) for _ in range(20)]
    find(texts[0])
    usual_s = sum(cost_s(text, 5) for text in texts) / len(texts)
    say("hostile texts")
    hostile = walls(LENGTH)
    costs = {name: cost_s(text, 3) for name, text in hostile.items()}
    worst = sorted(costs, key=costs.__getitem__, reverse=True)[:5]
    costs |= {name: cost_s(hostile[name], 10) for name in worst}  # the first tries were few
    longer = walls(8 * LENGTH)
    mixed = {name: cost_s(text, 2) for name, text in mixes(LENGTH, 300, seed).items()}
    worst_mix = max(mixed, key=mixed.__getitem__)
    figures = Figures(f"pii, {samples} texts", targets=TARGETS, words=WORDS)
    figures.values = {
        "recall": score.recall,
        "precision": score.precision,
        "mb_s": sum(len(text.encode()) for text in texts) / len(texts) / usual_s / 1e6,
        "worst_ratio": max(*costs.values(), mixed[worst_mix]) / usual_s,
    }
    figures.notes = {
        name: f"{costs[name] / usual_s:.2f}×, of eight times the length {cost_s(longer[name], 1) / usual_s / 8:.2f}×" for name in worst
    }
    figures.notes["worst wall of one kind"] = f"{max(costs.values()) / usual_s:.2f}×"
    figures.notes["worst of 300 random mixes"] = f"{mixed[worst_mix] / usual_s:.2f}× {worst_mix}"
    for kind in Kind:
        right, missed, wrong = score.right[kind], score.missed[kind], score.wrong[kind]
        if missed or wrong:
            figures.notes[str(kind)] = f"{right} right, {missed} missed, {wrong} wrong"
    return figures
