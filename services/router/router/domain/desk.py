"""What is asked about a text of the OTC desk, and what is answered."""

from __future__ import annotations

from dataclasses import dataclass

from otcdesk.inquiry import Inquiry
from otcdesk.reading import Unresolved

from router.domain.generation import Admitted, Ended, Request

SCENARIO = "otc"
MOST_TOKENS = 192


@dataclass(frozen=True, slots=True)
class Asked:
    """``request``: who asks, without an input; ``text``: the client's."""

    request: Request
    text: str
    last: Inquiry | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a text means; see the contract."""

    inquiry: Inquiry
    terms: Inquiry
    written: str
    confidence: float
    needs_confirmation: bool
    unresolved: tuple[Unresolved, ...]
    admitted: Admitted
    ended: Ended
