"""One sentence of a served model held against the passages that it cites itself (``prompting`` says how it comes by its markers).

A sentence without a citation, or with one that does not support it, is not shown: what a passage asks for stays words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from claims import verify

from rag.domain.answer import Sentence
from rag.domain.answering import candidate, quoting
from rag.domain.retrieval import Passage

_MARKER = re.compile(r"\s?[\[【]\s?(\d{1,3}(?:\s?[,，、]\s?\d{1,3})*)\s?[\]】]")


def verified(text: str, passages: Sequence[Passage]) -> Sentence | None:
    """Return one sentence of a model with its citations, without the markers; None when the passages that it cites don't support it."""
    places = sorted({int(number) for match in _MARKER.finditer(text) for number in re.findall(r"\d+", match[1])})
    statement = _MARKER.sub("", text).strip()
    if not places or not statement or any(not 1 <= place <= len(passages) for place in places):
        return None
    cited = [candidate.of(passages[place - 1]) for place in places]
    verdict = verify(statement, [one.evidence for one in cited])
    if not verdict.is_supported:
        return None
    citations = [quoting.cite(cited[used.passage], used.start, used.end) for used in verdict.used]
    return Sentence(statement, tuple(citations)) if citations else None
