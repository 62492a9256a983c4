"""Tokens of prompts and answers, and the shares of them that somebody has; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["prompt", "output"]
Scope = Literal["tenant", "scenario", "principal"]
Stage = Literal["admitted", "text", "ended"]


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens of a prompt, and of all its answers together."""

    prompt: int = 0
    output: int = 0

    def of(self, kind: Kind) -> int:
        """Return those of one kind."""
        return self.prompt if kind == "prompt" else self.output


@dataclass(frozen=True, slots=True)
class Share:
    """At most ``tokens`` of a kind in each calendar window of ``period_s`` seconds, for every one of the scope."""

    scope: Scope
    kind: Kind
    period_s: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Whose:
    """Who uses tokens. A scenario is one of a tenant, and so is a principal."""

    tenant: str
    scenario: str
    principal: str

    def account(self, scope: Scope) -> str:
        """Return the name under which a scope's tokens are counted. Of a principal it is a digest, since stores hold no names."""
        if scope == "tenant":
            return "tenant"
        if scope == "scenario":
            return f"scenario:{self.scenario}"
        return f"principal:{hashlib.blake2b(f'{self.tenant}|{self.principal}'.encode(), digest_size=16).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Exhausted:
    """No tokens: which share is used up, and after how many seconds it may have them; None: never, one call wants more than the whole."""

    share: Share
    free_after_s: float | None


def last_to_free(found: Iterable[Exhausted]) -> Exhausted | None:
    """Return of several the one that is waited for longest."""
    return max(found, key=lambda each: float("inf") if each.free_after_s is None else each.free_after_s, default=None)
