"""What a reader should know beside an answer: old wordings, reviews that are due, endorsements that come before what is cited."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.domain.answer import ANSWERER_UNAVAILABLE, ENDORSED, GUARDRAIL_CONFLICT, NOT_SUPPORTED, REVIEW_DUE, SUPERSEDED, Warned
from rag.domain.retrieval import Passage

_HAN = re.compile("[㐀-䶿一-鿿豈-﫿]")
_WORDS = {
    SUPERSEDED: (
        "A newer version stands, or the wording is not in force at the time asked for.",
        "所引条款已有新版本，或在所问时点不在有效期内。",
    ),
    REVIEW_DUE: ("The document is past its review date.", "所引文件已过复核日期。"),
    ENDORSED: ("An endorsement changes the document that is cited.", "所引文件另有批单或附加条款。"),
    NOT_SUPPORTED: ("Not found in the documents you may read.", "在您有权查阅的文件中没有找到答案。"),
    GUARDRAIL_CONFLICT: ("The answer contradicted its sources and was withheld.", "生成的回答与来源不一致，未予展示。"),
    ANSWERER_UNAVAILABLE: ("The model that answers here cannot be reached.", "负责作答的模型暂时无法访问。"),
}


def is_chinese(text: str) -> bool:
    """Whether a text has Chinese characters: answers are in its language."""
    return _HAN.search(text) is not None


def words(reason: str, question: str) -> str:
    """Return a sentence for people, in the question's language."""
    return _WORDS[reason][is_chinese(question)]


def of(cited: Sequence[Passage], found: Sequence[Passage], question: str) -> tuple[Warned, ...]:
    """Return the warnings that cited passages need; ``found`` is everything that was found."""
    bases = {each.version.submission.base for each in found if each.version.submission.base}
    about = {
        SUPERSEDED: [each.id for each in cited if each.superseded],
        REVIEW_DUE: [each.id for each in cited if each.review_due],
        ENDORSED: [each.id for each in cited if each.version.submission.document_id in bases],
    }
    return tuple(Warned(reason, words(reason, question), tuple(ids)) for reason, ids in about.items() if ids)
