"""Tokens of prompts and answers, and the shares of them that somebody has; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gateway.domain.token_windows import Period

Kind = Literal["prompt", "output"]
Scope = Literal["tenant", "scenario", "principal"]
Stage = Literal["admitted", "substituted", "text", "ended"]
SCOPES: tuple[Scope, ...] = ("tenant", "scenario", "principal")
KINDS: tuple[Kind, ...] = ("prompt", "output")


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
    """At most ``tokens`` of a kind in each window of the period, for every one of the scope."""

    scope: Scope
    kind: Kind
    period: Period
    tokens: int

    @property
    def name(self) -> str:
        """Return what callers and operators call it: ``tenant-output-day``."""
        return f"{self.scope}-{self.kind}-{self.period}"


@dataclass(frozen=True, slots=True)
class Whose:
    """Who uses tokens. A scenario is one of a tenant, and so is a principal.

    ``budget_key`` stands for the principal in stores and in audit records, which hold no names: 16 bytes, a keyed hash. Empty: nobody can
    say whose it was, and no account of a principal is touched.
    """

    tenant: str
    scenario: str
    budget_key: bytes
    principal: str = ""  # where its own shares are looked up; unknown to whoever reads records

    def account(self, scope: Scope) -> str:
        """Return the name under which a scope's tokens are counted; empty for a principal that nobody knows."""
        if scope == "tenant":
            return "tenant"
        if scope == "scenario":
            return f"scenario:{self.scenario}"
        return f"principal:{self.budget_key.hex()}" if self.budget_key else ""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a share for others, and after how many seconds its window ends."""

    share: Share
    tokens: int
    resets_s: float


@dataclass(frozen=True, slots=True)
class Held:
    """A call may use this much. ``left``: of each of its shares, what nobody has used or holds."""

    tokens: TokenCount
    left: tuple[Left, ...] = ()


@dataclass(frozen=True, slots=True)
class Exhausted:
    """No tokens: which share is used up, and after how many seconds it may have them; None: never, one call wants more than the whole."""

    share: Share
    free_after_s: float | None


def last_to_free(found: Iterable[Exhausted]) -> Exhausted | None:
    """Return of several the one that is waited for longest."""
    return max(found, key=lambda each: float("inf") if each.free_after_s is None else each.free_after_s, default=None)
