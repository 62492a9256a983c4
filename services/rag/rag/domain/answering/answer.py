"""The extractive answerer: quotes what passages say, or says that they don't. A pure function of question, passages and word statistics.

A passage answers when the question's names, periods and clauses are its own, when it has the kind of thing that is asked for, under a label
like the words of the question, and when it covers enough of the question's rarer words. Cosine and ranks decide nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from claims.evidence import Piece

from rag.domain.answer import Answered, Sentence
from rag.domain.answering import candidate, conflicts, derived, lists, quoting, scoring, support
from rag.domain.answering.candidate import Candidate
from rag.domain.answering.question import Expects, Question, analyse
from rag.domain.answering.scoring import Idf, Scored
from rag.domain.answering.thresholds import DEFAULT, Thresholds
from rag.domain.retrieval import Passage

NO_PASSAGE = "no passage"
_MOST = 3
NAME, PERIOD, CLAUSE, KIND, COVERED, LABEL = "name", "period", "clause", "kind", "covered", "label"


def answer(question: str, passages: Sequence[Passage], idf: Idf | None = None, thresholds: Thresholds = DEFAULT) -> Answered:
    """Answer from passages, best first. ``idf``: of a term of the lexical leg, over what the asker may read; without it all words weigh
    alike."""
    beside = candidate.all_of(passages)
    return decide(analyse(question), [one for one in beside if not one.passage.added], idf or _alike, thresholds, beside)


def _alike(_: str) -> float:
    return 1.0


def decide(
    question: Question, candidates: Sequence[Candidate], idf: Idf, thresholds: Thresholds, beside: Sequence[Candidate] = ()
) -> Answered:
    """Answer a question that was taken apart. ``beside``: where a list may go on, the candidates and what stands beside them."""
    if not candidates:
        return Answered(lacking=NO_PASSAGE)
    titles = support.named_titles(question, candidates, idf)
    if lists.is_of_exclusions(question, [support.core_of(title) for title in titles]):
        named = [one for one in candidates if not _of_another(question, one, titles, idf, thresholds)]
        return lists.exclusions(question, named, beside) or Answered(lacking=KIND if named else NAME)
    fitting: list[Scored] = []
    short: dict[int, float] = {}
    lacking: list[tuple[float, str]] = []
    for place, one in enumerate(candidates):
        known = support.accounted_for(question, one, titles)
        weighed = scoring.weights(question, idf, known)
        scored = scoring.score(question, one, weighed)
        failed = _failed(question, scored, weighed, titles, idf, thresholds)
        if failed:
            lacking.append((scored.covered - place / 1000, failed))
        else:
            short[len(fitting)] = scoring.abbreviated(scored, weighed)
            fitting.append(scored)
    if not fitting:
        return Answered(lacking=max(lacking)[1])
    best = fitting[max(range(len(fitting)), key=lambda place: fitting[place].covered + short[place])]
    weighed = scoring.weights(question, idf, support.accounted_for(question, best.candidate, titles))
    computed = derived.derive(question, best)
    if question.operation is not None:
        return Answered((computed,)) if computed is not None else Answered(lacking=KIND)
    warned = conflicts.found(question, best.candidate, best.best, [scored.candidate for scored in fitting])
    if question.is_list and question.expects in (Expects.LIST, Expects.TEXT) and best.best >= 0 and not _best(best).is_row:
        found, cut = lists.listed(question, best, beside)
        return Answered(found, (*warned, *cut))
    return Answered(_sentences(question, best, weighed, thresholds.sentence), warned)


def _best(scored: Scored) -> Piece:
    return scored.candidate.units[scored.best].piece


def _sentences(question: Question, scored: Scored, weighed: Mapping[str, float], keep: float) -> tuple[Sentence, ...]:
    """Return the sentences that answer, in the order of the text; the title of a clause stands for what it says."""
    one, units = scored.candidate, scored.candidate.units
    if scored.best < 0:
        return ()
    if _best(scored).is_row:
        return (quoting.row(question, one, scored.best, weighed),)
    best = scored.best + 1 if lists.is_title(one, scored.best) else scored.best
    floor = max(scored.units[scored.best] * keep, 1e-9)
    chosen = {best}
    for place in sorted(range(len(units)), key=lambda place: -scored.units[place]):
        if len(chosen) < _MOST and scored.units[place] >= floor and not units[place].piece.is_row and abs(place - best) <= 2:
            chosen |= set() if lists.is_title(one, place) else {place}
    chosen |= {lead for place in chosen if (lead := lists.lead(scored, place)) is not None}
    return tuple(quoting.quote(one, units[place].piece) for place in sorted(chosen))


def _of_another(question: Question, one: Candidate, titles: Mapping[str, frozenset[str]], idf: Idf, thresholds: Thresholds) -> bool:
    """Whether a passage is of something else than the question names."""
    if titles:
        return one.evidence.title not in titles
    return not support.names_fit(question, one, idf, thresholds.named)


def _failed(
    question: Question, scored: Scored, weighed: Mapping[str, float], titles: Mapping[str, frozenset[str]], idf: Idf, thresholds: Thresholds
) -> str:
    """Return the first condition that a passage fails, "" for none."""
    one = scored.candidate
    if _of_another(question, one, titles, idf, thresholds):
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
