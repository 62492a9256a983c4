"""The extractive answerer: quotes what passages say, or says that they don't. A pure function of question, passages and word statistics.

A passage answers when the question's names, periods and clauses are its own, when it has the kind of thing that is asked for, under a label
like the words of the question, and when it covers enough of the question's rarer words. Cosine and ranks decide nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.domain.answer import Answered
from rag.domain.answering import candidate, conflicts, derived, quoting, scoring, support
from rag.domain.answering.candidate import Candidate
from rag.domain.answering.question import Expects, Question, analyse
from rag.domain.answering.scoring import Idf, Scored
from rag.domain.answering.thresholds import DEFAULT, Thresholds
from rag.domain.retrieval import Passage

NO_PASSAGE = "no passage"
NAME, PERIOD, CLAUSE, KIND, COVERED, LABEL = "name", "period", "clause", "kind", "covered", "label"


def answer(question: str, passages: Sequence[Passage], idf: Idf | None = None, thresholds: Thresholds = DEFAULT) -> Answered:
    """Answer from passages, best first. ``idf``: of a term of the lexical leg, over what the asker may read; without it all words weigh
    alike."""
    return decide(analyse(question), candidate.all_of(passages), idf or _alike, thresholds)


def _alike(_: str) -> float:
    return 1.0


def decide(question: Question, candidates: Sequence[Candidate], idf: Idf, thresholds: Thresholds) -> Answered:
    """Answer a question that was taken apart."""
    if not candidates:
        return Answered(lacking=NO_PASSAGE)
    titles = support.named_titles(question, candidates, idf)
    fitting: list[Scored] = []
    lacking: list[tuple[float, str]] = []
    for place, one in enumerate(candidates):
        known = support.accounted_for(question, one, titles)
        weighed = scoring.weights(question, idf, known)
        scored = scoring.score(question, one, weighed)
        failed = _failed(question, scored, weighed, titles, idf, thresholds)
        if failed:
            lacking.append((scored.covered - place / 1000, failed))
        else:
            fitting.append(scored)
    if not fitting:
        return Answered(lacking=max(lacking)[1])
    best = max(fitting, key=lambda scored: scored.covered)
    weighed = scoring.weights(question, idf, support.accounted_for(question, best.candidate, titles))
    computed = derived.derive(question, best)
    if question.operation is not None:
        return Answered((computed,)) if computed is not None else Answered(lacking=KIND)
    warned = conflicts.found(question, best.candidate, best.best, [scored.candidate for scored in fitting])
    return Answered(quoting.sentences(question, best, weighed, thresholds.sentence), warned)


def _failed(
    question: Question, scored: Scored, weighed: Mapping[str, float], titles: Mapping[str, frozenset[str]], idf: Idf, thresholds: Thresholds
) -> str:
    """Return the first condition that a passage fails, "" for none."""
    one = scored.candidate
    if (titles and one.evidence.title not in titles) or (not titles and not support.names_fit(question, one, idf, thresholds.named)):
        return NAME
    if not support.periods_fit(question, one):
        return PERIOD
    if not support.clauses_fit(question, one):
        return CLAUSE
    if scored.covered < thresholds.covered(chinese=question.is_chinese):
        return COVERED
    if (question.kinds or question.expects is Expects.DATE) and not scored.has_kind:
        return KIND
    if question.expects is Expects.DEFINITION and not scoring.defines(question, scored, weighed):
        return KIND
    if question.expects is Expects.LIST and not scoring.enumerates(scored):
        return KIND
    if question.kinds and not _label_fits(question, scored, weighed, thresholds):
        return LABEL
    return ""


def _label_fits(question: Question, scored: Scored, weighed: Mapping[str, float], thresholds: Thresholds) -> bool:
    """Whether a number stands under the words that are asked about: the fewer they are, the more of them."""
    least = max(thresholds.label, min(thresholds.label_of_few, 4 * thresholds.label_of_few / max(1, len(weighed))))
    for unit in scored.candidate.units:
        fact = quoting.best_fact(question, unit.piece, weighed)
        if fact is not None and scoring.likeness(fact, unit, scored.candidate, weighed, question.stems) >= least:
            return True
    return False
