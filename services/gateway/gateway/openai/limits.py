"""What is left of shares, as headers. There is room for one share of tokens: the one of which least is left."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.domain.token_bucket import RateLeft
from gateway.domain.token_shares import Left

Headers = list[tuple[bytes, bytes]]


def requests(left: RateLeft) -> Headers:
    """Return what is left of the rate of requests."""
    return _headers("requests", left.limit, left.calls, left.full_s)


def tokens(left: Sequence[Left]) -> Headers:
    """Return what is left of the tightest share; nothing where there is no share."""
    if not left:
        return []
    tightest = min(left, key=lambda each: each.tokens)
    return _headers("tokens", tightest.share.tokens, max(0, tightest.tokens), tightest.resets_s)


def _headers(kind: str, limit: int, remaining: int, resets_s: float) -> Headers:
    values = {"limit": f"{limit}", "remaining": f"{remaining}", "reset": f"{max(0.0, resets_s):.3f}s"}
    return [(f"x-ratelimit-{name}-{kind}".encode(), value.encode()) for name, value in values.items()]
