"""One call: as it came in, and as it goes on."""

from __future__ import annotations

import base64
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from gateway.domain.token_shares import TokenCount


class Caller(NamedTuple):
    """How the call came in. ``certificate_sha256`` is base64url without padding, asked for only when a token is bound to a certificate."""

    authorization: str
    workload: str
    purpose: str
    request_id: str
    certificate_sha256: Callable[[], str]


class Admitted(NamedTuple):
    """A call that goes on: for whom, what for, by which policy (hexadecimal digest), and the owner's request.

    ``tokens``: bound of what a generation may use; None for what costs no tokens. ``budget_key``: stands for its principal in budgets.
    ``clearance``: up to which data grade its token may read.
    """

    request_id: str
    principal: str
    tenant: str
    scenario: str
    purpose: str
    policy_hash: str
    body: bytes
    tokens: TokenCount | None = None
    budget_key: bytes = b""
    clearance: int = 1


def thumbprint(certificate: bytes) -> str:
    """Return the thumbprint of a certificate (DER) as tokens name it: RFC 8705, base64url without padding."""
    return base64.urlsafe_b64encode(sha256(certificate).digest()).rstrip(b"=").decode()
