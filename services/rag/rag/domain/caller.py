"""Who calls, as the gateway found out. Empty, and of the lowest clearance, on a clear-text loopback server without one."""

from __future__ import annotations

from dataclasses import dataclass

CURATING = "knowledge-management"
"""The purpose under which knowledge is curated: a token that does not carry it can't name it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller of a tenant. ``clearance`` is the token's; what may be read is the lower of it and the grant's."""

    tenant: str
    principal: str = ""
    purpose: str = ""
    clearance: int = 1
    request_id: str = ""
    policy_hash: bytes = b""
    budget_key: bytes = b""
