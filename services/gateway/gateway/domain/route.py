"""One forwarding RPC as data. A route is everything the gateway knows about a method."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from meshkit.errors import FieldViolation, InvalidArgument

QuotaClass = Literal["decide", "read", "change", "generate", "upload"]

MIB = 1024 * 1024
SCENARIO = re.compile(
    r"(?!(?:[^0-9]*[0-9]){6})[a-z][a-z0-9-]{0,39}"
)  # stands in audit records, whoever names it: six digits may be somebody's
HIGHEST_GRADE = 5


@dataclass(frozen=True, slots=True)
class Stream:
    """What bounds a method that answers with a stream: how long its first response may take, and each one after the one before."""

    first_s: float
    between_s: float


@dataclass(frozen=True, slots=True)
class Route:
    """One row of ``routes.py``. Paths lead from the wrapper to a field of the request; empty: requests have no such field.

    ``scenario`` and ``grade`` stand in for what a request does not say. ``maximum_s`` bounds the whole call. ``stream``: the method
    answers with a stream.
    """

    method: str  # of GatewayService; also the Cedar action
    upstream: str
    upstream_service: str  # full proto name
    maximum_s: float
    quota_class: QuotaClass
    scenario: str
    grade: int  # of the data that travels, 1 to 5
    tenant_path: tuple[str, ...]
    scenario_path: tuple[str, ...] = ()
    grade_path: tuple[str, ...] = ()
    request_bytes: int = MIB
    idempotent: bool = True  # may be sent again after UNAVAILABLE
    stream: Stream | None = None
    metered: bool = False  # in tokens: a generation

    def scenario_of(self, stated: str) -> str:
        """Return the scenario of a request. Raises InvalidArgument for what none is called; whether it exists the policy knows."""
        if not stated:
            return self.scenario
        if not SCENARIO.fullmatch(stated):
            violation = FieldViolation(".".join(self.scenario_path), "must be a word of small letters, hyphens and at most five digits")
            raise InvalidArgument("the scenario is wrong", reason="SCENARIO_INVALID", violations=(violation,))
        return stated

    def grade_of(self, stated: int) -> int:
        """Return the grade, 1 to 5, of a request's data. Raises InvalidArgument for a number that is no grade."""
        if not 0 <= stated <= HIGHEST_GRADE:
            violation = FieldViolation(".".join(self.grade_path), f"must be 1 to {HIGHEST_GRADE}")
            raise InvalidArgument("the data grade is wrong", reason="GRADE_INVALID", violations=(violation,))
        return stated or self.grade

    @property
    def upstream_path(self) -> str:
        """Return the upstream's full method path: the same method name at its owner."""
        return f"/{self.upstream_service}/{self.method}"
