"""Which documents a question names, and how surely: a soft boost, weighted by how rare the name is.

Nothing here filters. A name that many versions share says little; one that a single document has says almost everything. A period in the
question halves the match of a document whose own name has another period.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import log

from rag.domain.names import HAN, squeezed, variants
from rag.domain.periods import years
from rag.domain.terms import fold, terms

_LONGEST = 8
_NAMES = 8
_PARTIAL = 0.5
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Named:
    """What a question names: strength (0 to 1) by version, the whole names as written, and the versions
    that they name."""

    strength: Mapping[int, float] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    exact: frozenset[int] = frozenset()


class Catalogue:
    """The names of what one set of access ids may read."""

    def __init__(self, names: Iterable[tuple[str, int]]) -> None:
        """names: (name, version_id), from titles, headings and defined terms."""
        self._versions: dict[str, set[int]] = defaultdict(set)
        self._written: dict[str, str] = {}
        self._years: dict[int, frozenset[int]] = {}
        self._terms: dict[str, list[str]] = defaultdict(list)
        for name, version_id in names:
            self._years[version_id] = self._years.get(version_id, frozenset()) | years(name)
            for key in variants(name):
                self._versions[key].add(version_id)
                self._written.setdefault(key, name)
        self._han = [key for key in self._versions if HAN.search(key)]
        for key in self._han:
            for term in set(terms(key)):
                self._terms[term].append(key)
        self._all = max(len(self._years), 1)

    def resolve(self, question: str) -> Named:
        """Return what a question names."""
        asked = years(question)
        strength: dict[int, float] = {}
        exact: set[int] = set()
        names: dict[str, None] = {}  # in order
        for key, match in sorted(self._matches(question).items(), key=lambda each: (-each[1], each[0])):
            held = self._versions[key]
            rarity = log(1 + self._all / len(held)) / log(1 + self._all)
            if len(held) * 4 > self._all and self._all > 8:
                continue
            if match == 1.0:
                names[self._written[key]] = None
            for version_id in held:
                own = self._years[version_id]
                fits = 0.5 if asked and own and asked.isdisjoint(own) else 1.0
                strength[version_id] = max(strength.get(version_id, 0.0), match * rarity * fits)
                if match == 1.0 and fits == 1.0:
                    exact.add(version_id)
        return Named(strength, tuple(names)[:_NAMES], frozenset(exact))

    def _matches(self, question: str) -> dict[str, float]:
        """Return how much of each name the question holds: 1 for all of it, partly for Chinese names alone."""
        found: dict[str, float] = {}
        words = _WORD.findall(fold(question).replace("'s", ""))
        for first in range(len(words)):
            key = ""
            for word in words[first : first + _LONGEST]:
                key += word
                if key in self._versions:
                    found[key] = 1.0
        if HAN.search(question):
            whole = squeezed(question)
            found |= {key: 1.0 for key in self._han if key in whole}
            found = {**self._partial(whole), **found}
        longest = {key for key, match in found.items() if match == 1.0}
        return {key: match for key, match in found.items() if not any(key != other and key in other for other in longest)}

    def _partial(self, question: str) -> dict[str, float]:
        asked = [term for term in set(terms(question)) if term in self._terms]
        idf = {term: log(1 + len(self._han) / len(self._terms[term])) for term in asked}
        shared: dict[str, float] = defaultdict(float)
        for term in asked:
            if len(self._terms[term]) * 10 <= len(self._han) or len(self._han) < 20:
                for key in self._terms[term]:
                    shared[key] += idf[term]
        return {key: share for key, mass in shared.items() if (share := mass / self._mass(key)) >= _PARTIAL}

    def _mass(self, key: str) -> float:
        return sum(log(1 + len(self._han) / len(self._terms[term])) for term in set(terms(key))) or 1.0
