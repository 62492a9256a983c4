"""Thresholds without labels: each sentence is asked of the other passages of its document, as if its own passage could not be read.

What a sentence finds there by chance is what a question finds whose answer is hidden: on a set with labels the two distributions were the
same to a hundredth. The threshold is the share that all but a few such questions stay below. `kb tune` does not propose it yet: who would
have another than the default changes `thresholds.DEFAULT`; no ingestion moves it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from rag.domain import terms
from rag.domain.answering import scoring
from rag.domain.answering.candidate import Candidate
from rag.domain.answering.question import Expects, Question
from rag.domain.answering.scoring import Idf

_LEAST_TERMS = 12  # a shorter sentence is found whole or not at all, by chance


def hidden(candidates: Sequence[Candidate], idf: Idf, random: Random, most: int = 2_000) -> list[float]:
    """Return what one sentence of each passage finds in the other passages of its document, sorted; at most ``most`` passages are asked."""
    documents: Mapping[str, list[Candidate]] = defaultdict(list)
    for one in candidates:
        documents[one.passage.version.submission.document_id].append(one)
    return sorted(_found(documents, idf, random, most))


def _found(documents: Mapping[str, list[Candidate]], idf: Idf, random: Random, most: int) -> Iterator[float]:
    sources = [(passages, one) for passages in documents.values() for one in passages]
    for passages, source in random.sample(sources, min(most, len(sources))):
        asked = [found for found in map(_cloze, (unit.piece.text for unit in source.units)) if len(found.terms) >= _LEAST_TERMS]
        if asked:
            question = random.choice(asked)
            weighed = scoring.weights(question, idf, frozenset())
            yield max((scoring.score(question, other, weighed).covered for other in passages if other is not source), default=0.0)


def _cloze(sentence: str) -> Question:
    return Question(text=sentence, folded=sentence, expects=Expects.TEXT, terms=terms.query_terms(sentence))


def threshold(found: Sequence[float], refused: float) -> float:
    """Return the share that this part of the hidden questions stays at or below."""
    return found[min(len(found) - 1, int(refused * len(found)))] if found else 1.0
