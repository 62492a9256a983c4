"""What grade a passage has by its content: the kinds that `libs/pii` finds, mapped by a table (`grades.yaml`).

Identifiers are L3 at most; secrets are L4, and a passage that holds one is withheld while the rest of its document is found. What a
document declares is a floor, never a ceiling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pii import Certainty, find

from rag.domain.access import HIGHEST_INDEXED


@dataclass(frozen=True, slots=True)
class Grades:
    """The institution's table. ``kinds``: grade of each kind that can be found; ``floor``: of a document that declares none."""

    kinds: Mapping[str, int]
    floor: int
    sha256: bytes

    def of(self, text: str, declared: int) -> int:
        """Return the highest grade of what a text holds, at least ``declared``, or the floor when that is 0.

        Only what is certain can withhold a passage.
        """
        highest = declared or self.floor
        for finding in find(text):
            grade = self.kinds.get(str(finding.kind), HIGHEST_INDEXED)
            if grade > HIGHEST_INDEXED and finding.certainty < Certainty.CERTAIN:
                grade = HIGHEST_INDEXED
            highest = max(highest, grade)
        return highest
