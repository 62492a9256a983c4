"""What is found: a kind, a place, and how sure it is."""

from enum import IntEnum, StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Kinds, in the order in which they win over one another: one valid resident id in ten passes a card's check too."""

    SECRET = "secret"  # noqa: S105
    EMAIL = "email"
    RESIDENT_ID = "resident-id"
    USCC = "uscc"
    IBAN = "iban"
    LEI = "lei"
    CARD = "card"
    VIN = "vin"
    HKID = "hkid"
    PASSPORT = "passport"
    PERMIT = "permit"
    PLATE = "plate"
    MOBILE = "mobile"
    LANDLINE = "landline"


RANK = {kind: number for number, kind in enumerate(Kind)}


class Certainty(IntEnum):
    """How sure a finding is."""

    LIKELY = 1  # the format alone, a word beside it, or a check digit in an unusual grouping
    CERTAIN = 2  # a check digit, or a format that nobody writes by chance


class Finding(NamedTuple):
    """Characters ``start`` up to ``end`` of the text."""

    kind: Kind
    start: int
    end: int
    certainty: Certainty


def resolved(findings: list[Finding]) -> list[Finding]:
    """Return findings in order and apart: where some overlap the surest stays, then the first kind, and covers what all cover."""
    if len(findings) < 2:
        return findings
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda f: (f.start, -f.end)):
        last = kept[-1] if kept else None
        if last is None or finding.start >= last.end:
            kept.append(finding)
            continue
        better = finding if (-finding.certainty, RANK[finding.kind]) < (-last.certainty, RANK[last.kind]) else last
        kept[-1] = Finding(better.kind, last.start, max(last.end, finding.end), better.certainty)
    return kept
