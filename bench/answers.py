"""Extractive answers: of the questions whose answer is there, how many are answered from the right passage; of those whose passage was
taken
away, how many are refused. On generated documents, and on a set in BEIR's format within each question's scope.

Any ranker may be put in. The one here is BM25 over the terms of the lexical leg. Nothing is fitted: thresholds are those of the service.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from random import Random

from rag.domain import terms
from rag.domain.access import Access
from rag.domain.answer import Answered
from rag.domain.answering import answer
from rag.domain.document import Chunk, NewChunk, State, Submission, Version
from rag.domain.retrieval import Passage

from bench.answers_corpus import Document, chinese
from bench.answers_english import english
from bench.report import Figures, Target

TOP = 8  # as scenarios.yaml has it
TARGETS = {"answered": Target(min=0.8), "refused": Target(min=0.9)}
SCOPED_TARGETS = {"right_citation": Target(min=0.7), "refused_hidden": Target(min=0.9)}
WORDS = {
    "answered": "of the answerable questions, with the right passage cited",
    "answered_at_all": "of the answerable questions, whatever was cited",
    "refused": "of the questions whose passage was taken away",
    "right_citation": "of the set's questions in scope, the right passage cited first",
    "refused_hidden": "of the set's questions in scope, their passage hidden",
}
Ranker = Callable[[str, Sequence[int]], list[int]]


@dataclass
class Index:
    """Passages with the statistics of their terms, and BM25 over any part of them."""

    passages: list[Passage]
    frequency: Counter[str] = field(default_factory=Counter)
    counts: list[Counter[str]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    postings: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for place, passage in enumerate(self.passages):
            chunk = passage.chunk.passage
            found = Counter(terms.terms(" ".join((passage.version.submission.title, *chunk.heading_path, chunk.table_header, chunk.text))))
            self.frequency.update(found.keys())
            self.counts.append(found)
            self.lengths.append(found.total())
            for term in found:
                self.postings[term].append(place)

    def idf(self, term: str) -> float:
        """Return what a term weighs."""
        there = self.frequency[term]
        return log(1 + (len(self.passages) - there + 0.5) / (there + 0.5))

    def ranked(self, question: str, among: frozenset[int] | None = None) -> list[int]:
        """Return places of passages, best first."""
        mean = sum(self.lengths) / max(1, len(self.lengths))
        scores: dict[int, float] = defaultdict(float)
        for term, weight in terms.query_terms(question).items():
            for place in self.postings.get(term, ()):
                if among is None or place in among:
                    count = self.counts[place][term]
                    scores[place] += weight * self.idf(term) * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * self.lengths[place] / mean))
        return sorted(scores, key=lambda place: (-scores[place], place))


@dataclass
class Score:
    """Counts over questions."""

    questions: int = 0
    right: int = 0
    answered: int = 0
    refused: int = 0
    lacking: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, question: str, there: Answered, hidden: Answered, gold: Passage) -> None:
        """Count one question, asked twice."""
        cited = [citation.passage for sentence in there.sentences for citation in sentence.citations]
        self.questions += 1
        self.answered += bool(cited)
        right = bool(cited) and cited[0] == gold.id
        self.right += right
        self.refused += not hidden.sentences
        if not right:
            self.lacking[there.lacking or "another passage"] += 1
            self.examples.append((there.lacking or "another passage", question, there.sentences[0].text if there.sentences else gold.text))
        if hidden.sentences:
            self.examples.append(("not refused", question, hidden.sentences[0].text))


def passages(documents: Sequence[Document]) -> tuple[list[Passage], list[list[int]]]:
    """Return the passages of documents, and the places of each document's."""
    made: list[Passage] = []
    places: list[list[int]] = []
    for document in documents:
        places.append([])
        for number, clause in enumerate(document.clauses):
            places[-1].append(len(made))
            chunk = NewChunk(number, clause.text, Access(1), (clause.heading,), clause.table_header)
            made.append(_passage(len(made), document.title, document.title, chunk))
    return made, places


def _passage(number: int, document_id: str, title: str, chunk: NewChunk) -> Passage:
    submission = Submission(
        tenant="bench",
        document_id=document_id,
        source_version=1,
        title=title,
        media_type="text/plain",
        blob="",
        content_sha256=b"",
        access=Access(1),
        submitted_by="bench",
    )
    return Passage(Chunk(number, 1, 1, chunk), Version(1, submission, State.VISIBLE))


def generated(products: int, seed: int, made: Callable[[Random, int], list[Document]]) -> Score:
    """Ask every question of generated documents, of all passages and of all but the one that answers."""
    random, score = Random(seed), Score()
    documents = made(random, products)
    found, places = passages(documents)
    index = Index(found)
    for place, document in enumerate(documents):
        for number, clause in enumerate(document.clauses):
            if not clause.questions:
                continue
            question = random.choice(clause.questions).format(name=document.title.removesuffix("条款"))
            gold = places[place][number]
            ranked = index.ranked(question)
            there = answer(question, [found[one] for one in ranked[:TOP]], index.idf)
            hidden = answer(question, [found[one] for one in ranked if one != gold][:TOP], index.idf)
            score.add(question, there, hidden, found[gold])
    return score


def scoped(folder: Path) -> Score:
    """Ask the questions of a set within the document that each has open, then with the passage that answers hidden."""
    records = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    gold = dict(line.split("\t")[:2] for line in (folder / "qrels.tsv").read_text().splitlines()[1:])
    found = [_passage(number, one["_id"], one["title"], NewChunk(0, one["text"], Access(1))) for number, one in enumerate(records)]
    place = {one["_id"]: number for number, one in enumerate(records)}
    titled: dict[str, set[int]] = defaultdict(set)
    for number, one in enumerate(records):
        titled[one["title"]].add(number)
    index, score = Index(found), Score()
    for query in queries:
        among, right = frozenset(titled[query["scope"]["document"]]), place[gold[query["_id"]]]
        ranked = index.ranked(query["text"], among)
        there = answer(query["text"], [found[one] for one in ranked[:TOP]], index.idf)
        hidden = answer(query["text"], [found[one] for one in ranked if one != right][:TOP], index.idf)
        score.add(query["text"], there, hidden, found[right])
    return score


def measure(products: int, seed: int, dataset: Path | None, say: Callable[[str], None]) -> Figures:
    """Ask questions of generated documents in both languages, and of a set if one is given."""
    figures = Figures("Extractive answers", targets=dict(TARGETS), words=WORDS)
    total = Score()
    began = time.process_time()
    for made in (chinese, english):
        one = generated(products, seed, made)
        say(f"{made.__name__}: {one.questions} questions")
        for name, value in (("answered", one.right), ("refused", one.refused)):
            figures.values[f"{name}_{made.__name__}"] = value / one.questions
        total.questions += one.questions
        total.right += one.right
        total.answered += one.answered
        total.refused += one.refused
    count = total.questions
    figures.values |= {
        "questions": count,
        "answered": total.right / count,
        "answered_at_all": total.answered / count,
        "refused": total.refused / count,
    }
    figures.values["questions_s"] = 2 * count / (time.process_time() - began)
    if dataset is not None:
        one = scoped(dataset)
        figures.values |= {"right_citation": one.right / one.questions, "refused_hidden": one.refused / one.questions}
        figures.targets = TARGETS | SCOPED_TARGETS
    return figures
