"""How a field that is wrong is told, in every translation alike."""

from __future__ import annotations

from meshkit.errors import FieldViolation, InvalidArgument


def wrong(field: str, problem: str, reason: str) -> InvalidArgument:
    """Return the error of a field: what it must be, without the value."""
    return InvalidArgument(f"{field} {problem}", reason=reason, violations=(FieldViolation(field, problem),))
