"""One forwarding RPC as data. A route is everything the gateway knows about a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

QuotaClass = Literal["decide", "read", "change"]

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stream:
    """What bounds a method that answers with a stream: how long its first response may take, and each one after the one before."""

    first_s: float
    between_s: float


@dataclass(frozen=True, slots=True)
class Route:
    """One row of ``routes.py``. ``tenant_path`` leads from the wrapper to the tenant's field; empty: the request names none.

    ``maximum_s`` bounds the whole call. ``stream``: the method answers with a stream.
    """

    method: str  # of GatewayService; also the Cedar action
    upstream: str
    upstream_service: str  # full proto name
    maximum_s: float
    quota_class: QuotaClass
    scenario: str
    grade: int  # of the data that travels, 1 to 5
    tenant_path: tuple[str, ...]
    request_bytes: int = MIB
    idempotent: bool = True  # may be sent again after UNAVAILABLE
    stream: Stream | None = None

    @property
    def upstream_path(self) -> str:
        """Return the upstream's full method path: the same method name at its owner."""
        return f"/{self.upstream_service}/{self.method}"
