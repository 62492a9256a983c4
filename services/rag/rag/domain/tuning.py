"""How the legs are mixed: versioned configuration of a tenant, computed by an operator's command from probes without labels.

Never moved by an ingestion: otherwise what somebody may not read would move what they see (`probe.py` says how it is computed).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Language(StrEnum):
    """Scripts that are analysed, and so weighed, differently."""

    HAN = "HAN"
    OTHER = "OTHER"


DEFAULT_WEIGHT = {Language.HAN: 0.2, Language.OTHER: 0.3}
"""Before a tenant was tuned: below the optimum of most sets, so that a dense leg that is bad at a corpus harms little."""

_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")
_LETTER = re.compile(r"[^\W\d_]")


def language(text: str) -> Language:
    """Return what a text is mostly written in. A Chinese character says about as much as three letters."""
    han = len(_HAN.findall(text))
    return Language.HAN if han and han * 4 >= len(_LETTER.findall(text)) else Language.OTHER


@dataclass(frozen=True, slots=True)
class Tuning:
    """Weights of the dense leg by language, of the encoder with this identity; version 0 is what nobody tuned."""

    version: int = 0
    dense_weight: Mapping[Language, float] = field(default_factory=lambda: dict(DEFAULT_WEIGHT))
    encoder: str = ""

    def weight(self, question: str, encoder: str) -> float:
        """Return the dense leg's share for a question; what was tuned for another encoder does not hold for this one."""
        asked = language(question)
        tuned = self.dense_weight if self.encoder in ("", encoder) else DEFAULT_WEIGHT
        return tuned.get(asked, DEFAULT_WEIGHT[asked])
