"""Bearer tokens: who is asked for one, before each call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from meshkit.errors import Unauthenticated

TokenSource: TypeAlias = Callable[[str], str]
"""From the tenant that a call is about to the token to show; the tenant is empty where a call is about no tenant."""


def by_tenant(tokens: Mapping[str, str]) -> TokenSource:
    """Return a source of one token for each tenant. Raises Unauthenticated, when it is asked for another."""

    def token_of(tenant: str) -> str:
        try:
            return tokens[tenant]
        except KeyError:
            raise Unauthenticated("there is no token for this tenant", reason="TOKEN_MISSING") from None

    return token_of
