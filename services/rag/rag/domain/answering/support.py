"""Whether a passage may answer at all: names, periods and clauses of the question must be its document's, its heading's or its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import sqrt

from claims import periods
from claims.periods import Period

from rag.domain import terms
from rag.domain.answering.candidate import Candidate, folded
from rag.domain.answering.question import Question
from rag.domain.answering.scoring import Idf

_SUFFIX = re.compile(r"(?:产品)?(?:条款|说明书|合同|协议|正文)?(?:\(.{0,12}\)|\[.{0,12}\]|（.{0,12}）)?$|\.(?:pdf|docx?|md|txt|html?)$")
_GENERIC = re.compile(
    r"附加|根据|按照|如果|若|当|这|那|个|份|款|种|本|该|此|贵|我|的|保险|公司|银行|合同|产品|条款|投保人|被保险人|受益人|保险人|客户|"
    r"团体|个人|人寿|财产|医疗|意外|伤害|"
    r"重大|疾病|养老|年金|终身|两全|贷款|账户|计划|报告|年报|办法|制度|规定|细则|指引|手册|协议|基金|理财|证券|信托|集团|有限|责任|"
    r"股份|中国|险|卡|行|"
    r"\b(?:the|company|bank|insurance|policy|insurer|group|plan|loan|account|fund|report|annual|agreement|contract|product|terms)\b|[\W_]"
)
_SHORTEST = 4  # characters of a title that may be looked for in a question


def named_titles(question: Question, candidates: Sequence[Candidate], idf: Idf) -> dict[str, frozenset[str]]:
    """Return the titles that a question names, with their terms: the whole title stands in it, or nearly all of its rarer words."""
    asked, mine = folded(question.text), frozenset(terms.terms(question.folded))
    found: dict[str, frozenset[str]] = {}
    for title in dict.fromkeys(candidate.evidence.title for candidate in candidates):
        core = core_of(title)
        if len(core) < _SHORTEST or not distinctive(core):
            continue
        its = frozenset(terms.terms(title))
        if core in asked or _share(frozenset(terms.terms(_SUFFIX.sub("", title))), mine, idf) >= 0.85:
            found[title] = its
    return _longest(found, asked)


def accounted_for(question: Question, candidate: Candidate, titles: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the words of a question that the title answers for: of a title that it names, and of names that the title holds."""
    named = frozenset(term for name in (*question.names, *question.products) for term in terms.terms(name))
    return titles.get(candidate.evidence.title, frozenset()) | (named & candidate.title)


def _longest(found: dict[str, frozenset[str]], asked: str) -> dict[str, frozenset[str]]:
    """Leave out titles that are part of another that is named: 安心医疗保险 in 安心医疗保险尊享版."""
    cores = {title: core_of(title) for title in found}
    whole = {title for title, core in cores.items() if core in asked}
    return {
        title: its
        for title, its in found.items()
        if title not in whole or not any(cores[title] != cores[other] and cores[title] in cores[other] for other in whole)
    }


def core_of(title: str) -> str:
    """Return a title without what all titles have: endings, years, versions."""
    return folded(_SUFFIX.sub("", title.strip()))


def distinctive(name: str) -> bool:
    """Whether a name says more than what kind of thing it is."""
    return len(_GENERIC.sub("", name)) >= 2


def _share(wanted: frozenset[str], there: frozenset[str], idf: Idf) -> float:
    weighed = {term: sqrt(max(0.0, idf(term))) for term in wanted}
    total = sum(weighed.values())
    return sum(weight for term, weight in weighed.items() if term in there) / total if total else 0.0


def names_fit(question: Question, candidate: Candidate, idf: Idf, least: float) -> bool:
    """Whether every product is the title's or a heading's, and every other name stands there or in the text, whole or by its rarer
    words."""
    above, text = candidate.title | candidate.above, folded(candidate.named_text)
    there = above | frozenset().union(*(unit.terms for unit in candidate.units))
    wanted = [(name, above) for name in question.products] + [(name, there) for name in question.names]
    return all(
        folded(name) in text or _share(frozenset(terms.terms(name)), where, idf) >= least for name, where in wanted if distinctive(name)
    )


def periods_fit(question: Question, candidate: Candidate) -> bool:
    """Whether every period of the question is one of the passage's, or lies above it."""
    prepared = candidate.prepared
    there = [*prepared.context_periods, *(period for piece in prepared.pieces for period in piece.periods)]
    there += _header_periods(candidate)
    return all(any(covers(asked, period) for period in there) for asked in question.periods)


def _header_periods(candidate: Candidate) -> list[Period]:
    return [period for piece in candidate.prepared.pieces if piece.is_row for period in periods.find(piece.header)]


def covers(asked: Period, period: Period) -> bool:
    """Whether a period answers for the one that was asked for: the same, or days inside the year that was asked for."""
    if asked.same(period):
        return True
    return period.first == period.last and period.within(asked)


def clauses_fit(question: Question, candidate: Candidate) -> bool:
    """Whether every clause and code of the question is the passage's own, or is mentioned in it."""
    own = folded(candidate.passage.chunk.passage.clause)
    keys = {reference.key for piece in candidate.prepared.pieces for reference in piece.references}
    text = candidate.named_text
    return all(key in keys or folded(key) == own or _stands(key, text) for key in question.clauses)


def _stands(key: str, text: str) -> bool:
    bare = re.sub(r"[^0-9.a-z-]", "", key) or key
    return re.search(rf"(?<![0-9.]){re.escape(bare)}(?![0-9])", text) is not None
