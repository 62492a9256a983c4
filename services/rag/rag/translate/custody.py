"""What curators ask for, as messages."""

from __future__ import annotations

from finmesh.rag.v1 import rag_service_pb2 as pb
from meshkit.errors import FieldViolation, InvalidArgument

from rag.domain.access import Grant
from rag.translate import documents

MAX_WHY = 1_000


def grant(request: pb.SetGrantRequest) -> Grant:
    """Return rights; clearance L1 when none is stated. Raises InvalidArgument."""
    return Grant(max(request.clearance, 1), documents.names(request.groups, "groups"), documents.names(request.barriers, "barriers"))


def why(text: str) -> str:
    """Return the reason of a decision, which has one. Raises InvalidArgument (WHY_INVALID)."""
    if not 1 <= len(text.strip()) <= MAX_WHY or "\x00" in text:
        problem = f"has 1 to {MAX_WHY} characters"
        raise InvalidArgument(
            f"why {problem}", reason="WHY_INVALID", metadata={"field": "why"}, violations=(FieldViolation("why", problem),)
        )
    return text.strip()
