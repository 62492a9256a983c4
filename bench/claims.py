"""`libs/claims`: of statements with something planted wrong, how many are caught; of correct rewrites, how many are rejected; and the
speed.

Caught means not supported, whether contradicted or unknown: only what is supported is ever shown.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from claims import verify

from bench import claims_rules
from bench.claims_corpus import PLANTS, Sample, Story, results_en, results_zh
from bench.report import Figures, Target

STORIES: tuple[Callable[[Random], Story], ...] = (results_zh, results_en, claims_rules.terms_zh, claims_rules.terms_en, claims_rules.table)
TARGETS = {f"caught_{plant}": Target(min=0.99) for plant in PLANTS} | {"rejected_rewrites": Target(max=0.02)}
WORDS = {f"caught_{plant}": f"of the statements with a wrong {plant}" for plant in PLANTS}
WORDS |= {
    "rejected_rewrites": "of the correct rewrites",
    "statements_s": "statements verified a second of processor time, each passage new",
}


@dataclass
class Score:
    """How many of each kind there were, and how many were not supported."""

    seen: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """Verify one statement."""
        verdict = verify(sample.statement, [sample.evidence])
        self.seen[sample.plant] += 1
        self.stopped[sample.plant] += not verdict.is_supported
        if verdict.is_supported == bool(sample.plant):
            self.examples.append((sample.plant or "rewrite", sample.statement, verdict.reason, sample.evidence.text))

    def share(self, plant: str) -> float:
        """Share of a kind that was not supported; "" is that of correct rewrites."""
        return self.stopped[plant] / max(1, self.seen[plant])


def samples(count: int, seed: int) -> Iterator[Sample]:
    """Yield statements: of each passage a correct one, and one with something planted."""
    random, made = Random(seed), 0
    while made < count:
        story = random.choice(STORIES)(random)
        for plant in ("", PLANTS[made // 2 % len(PLANTS)]):
            statement = story.says(random, plant)
            if statement is not None:
                yield Sample(statement, story.evidence, plant)
            made += 1


def scored(count: int, seed: int) -> Score:
    """Return the score of a corpus."""
    score = Score()
    for sample in samples(count, seed):
        score.add(sample)
    return score


def measure(count: int, seed: int, say: Callable[[str], None]) -> Figures:
    """Score a corpus and time it."""
    say(f"{count:,} statements")
    began = time.process_time()
    score = scored(count, seed)
    spent = time.process_time() - began
    figures = Figures("Claims: statements against passages", targets=TARGETS, words=WORDS)
    figures.values = {f"caught_{plant}": score.share(plant) for plant in PLANTS}
    figures.values |= {"rejected_rewrites": score.share(""), "statements_s": count / spent}
    figures.notes = {
        f"{kind} {number}": f"{statement} · {reason}" for number, (kind, statement, reason, _) in enumerate(score.examples[:8])
    }
    return figures
