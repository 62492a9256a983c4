"""Which models may answer in whose place: what a scenario lists as equivalents, in order.

Equivalence is said for a pair and is not passed on: who stands in for a standby does not stand in for the model before it. So two models
may stand in for one another, and a request goes through one list once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from meshkit.errors import FailedPrecondition, InvalidArgument, MeshError, PermissionDenied

from router.domain.generation import Request, TokenIds
from router.domain.model import ServedModel

FIELDS = {"for", "model", "highest_grade", "purposes", "when_full"}
_DOWN, _FULL = {"NO_WORKER", "LAYOUT_MISMATCH"}, {"OVERLOADED", "QUEUE_EXPIRED"}


@dataclass(frozen=True, slots=True)
class Standby:
    """One equivalent. ``highest_grade``, ``purposes``: of data that this model may see; ``when_full``: also when the other is only busy."""

    instead_of: str
    model: str
    highest_grade: int
    purposes: frozenset[str]
    when_full: bool

    def answers_for(self, error: MeshError) -> bool:
        """Whether it may take over after this error of the model before it: nobody could do the work, which says nothing of the request."""
        return error.reason in _DOWN or (self.when_full and error.reason in _FULL)

    def check(self, request: Request, first: ServedModel, mine: ServedModel) -> None:
        """Raise PermissionDenied for what this model may not see, FailedPrecondition for token ids that mean something else to it."""
        if request.grade > self.highest_grade:
            raise PermissionDenied("data of this grade may not go to the standby model", reason="GRADE_TOO_HIGH")
        if request.purpose not in self.purposes:
            raise PermissionDenied("the standby model may not be used for this purpose", reason="PURPOSE_DENIED")
        if isinstance(request.input, TokenIds) and first.tokenizer_digest != mine.tokenizer_digest:
            raise FailedPrecondition("the prompt is tokens of another tokenizer", reason="TOKENIZER_DIFFERS")


def is_its_own(error: MeshError) -> bool:
    """Whether an error of a standby says nothing about the next: nobody there, no room, prompt too long for it, refused by its template."""
    return error.reason in _DOWN | _FULL or isinstance(error, InvalidArgument | FailedPrecondition)


def standbys(document: Any, models: Collection[str], highest_grade: int) -> tuple[Standby, ...]:
    """Return what a scenario lists. Raises ValueError that says what is wrong. ``models``, ``highest_grade``: of the scenario."""
    if not isinstance(document, list):
        raise ValueError("standby must be a list")
    found = tuple(_standby(number, entry, models, highest_grade) for number, entry in enumerate(document))
    pairs = [(each.instead_of, each.model) for each in found]
    for number, pair in enumerate(pairs):
        if pair in pairs[:number]:
            raise ValueError(f"standby[{number}]: {pair[1]} stands in for {pair[0]} already")
    return found


def _standby(number: int, entry: Any, models: Collection[str], highest_grade: int) -> Standby:
    where = f"standby[{number}]"
    if not isinstance(entry, Mapping) or set(entry) != FIELDS:
        raise ValueError(f"{where}: needs exactly {', '.join(sorted(FIELDS))}")
    for field in ("for", "model"):
        if not isinstance(entry[field], str) or entry[field] not in models:
            raise ValueError(f"{where}: {field} must be one of the models of the scenario")
    if entry["for"] == entry["model"]:
        raise ValueError(f"{where}: {entry['model']} would stand in for itself")
    grade, purposes, when_full = entry["highest_grade"], entry["purposes"], entry["when_full"]
    if not isinstance(grade, int) or isinstance(grade, bool) or not 1 <= grade <= highest_grade:
        raise ValueError(f"{where}: highest_grade must be a whole number from 1 to that of the scenario, {highest_grade}")
    if not isinstance(purposes, list) or not purposes or not all(isinstance(each, str) and each for each in purposes):
        raise ValueError(f"{where}: purposes must be a list of words")
    if not isinstance(when_full, bool):
        raise ValueError(f"{where}: when_full must be true or false")
    return Standby(entry["for"], entry["model"], grade, frozenset(purposes), when_full)
