"""Does a passage say what a statement says? Supported, contradicted or unknown, sentence by sentence, with the stretches that decide.

The sentences of the evidence that share most words with a sentence of the statement are what it is held against. There, every number must
be found
under the same label, with the same unit, bound and period; every period, clause and code must stand in them or above them; what is denied
must be
denied. Nothing is guessed: what the passages leave open is unknown, and only a supported statement may be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from claims import atoms, evidence, folding
from claims.evidence import Evidence, Prepared
from claims.windows import Window, best


class Status(Enum):
    """What a passage makes of a statement."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Used:
    """A stretch of a passage that was used, in code points of its stored text."""

    passage: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a statement holds, why not, and what it stands on."""

    status: Status
    reason: str = ""
    used: tuple[Used, ...] = ()

    @property
    def is_supported(self) -> bool:
        """Whether the statement may be shown."""
        return self.status is Status.SUPPORTED


def verify(statement: str, passages: Sequence[Evidence]) -> Verdict:
    """Hold a statement against passages: supported if each of its sentences is, contradicted if one is, unknown otherwise."""
    prepared = [evidence.prepare(passage) for passage in passages]
    parts = [part for part in evidence.pieces(folding.fold(statement).text) if part.text.strip(" .。;,:\n")]
    if not parts or not prepared:
        return Verdict(Status.UNKNOWN, "nothing stated" if prepared else "no passage")
    names = atoms.names(statement)
    verdicts = [_sentence(part, prepared, names) for part in parts]
    for status in (Status.CONTRADICTED, Status.UNKNOWN):
        failed = next((verdict for verdict in verdicts if verdict.status is status), None)
        if failed is not None:
            return failed
    return Verdict(Status.SUPPORTED, "", tuple(dict.fromkeys(used for verdict in verdicts for used in verdict.used)))


def _sentence(part: evidence.Piece, prepared: Sequence[Prepared], names: frozenset[str]) -> Verdict:
    verdict = _against(part, prepared, names)
    if verdict.status is Status.SUPPORTED:
        return verdict
    clauses = atoms.split(part)
    if len(clauses) < 2 or verdict.status is Status.CONTRADICTED:
        return verdict
    each = [_against(clause, prepared, names) for clause in clauses]
    if all(one.is_supported for one in each):
        return Verdict(Status.SUPPORTED, "", tuple(dict.fromkeys(used for one in each for used in one.used)))
    return next((one for one in each if one.status is Status.CONTRADICTED), verdict)


def _against(part: evidence.Piece, prepared: Sequence[Prepared], names: frozenset[str]) -> Verdict:
    windows = best(part, prepared)
    if not windows:
        return Verdict(Status.UNKNOWN, "no passage speaks of it")
    verdicts = [_window(part, window, prepared[window.passage], names) for window in windows]
    return next((verdict for verdict in verdicts if verdict.is_supported), verdicts[0])


def _window(part: evidence.Piece, window: Window, passage: Prepared, names: frozenset[str]) -> Verdict:
    used = tuple(Used(window.passage, *passage.folded.source(piece.start, piece.end)) for piece in window.pieces)
    for check in (atoms.values_fault, atoms.periods_fault, atoms.references_fault, atoms.polarity_fault, atoms.names_fault):
        fault = check(part, window, passage, names)
        if fault is not None:
            status = Status.CONTRADICTED if fault.contradicts else Status.UNKNOWN
            return Verdict(status, fault.reason, used)
    return Verdict(Status.SUPPORTED, "", used)
