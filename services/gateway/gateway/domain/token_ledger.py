"""Who holds and who has used how many tokens: the rules, and what a gateway knows by itself while Redis is away.

A call holds what it may use at most until it says what it used. Free in a window is the share less what was used in it and less what is
held now, whenever the hold began. What was used counts in the window in which it is told. A hold that is not renewed ends by itself, and
uses nothing. `adapters/scripts/tokens.lua` is the same in Redis; one suite runs on both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.domain.token_shares import Exhausted, Share, TokenCount, Whose, last_to_free

RUNNING_S = 1.0  # after which to ask again for what running calls hold: nobody knows when they end
_MAX_ACCOUNTS = 30_000


@dataclass(slots=True)
class _Account:
    """``held``: by call, with the time at which it ends. ``used``: by period, with the number of the window."""

    held: dict[str, tuple[TokenCount, float]] = field(default_factory=dict)
    used: dict[int, tuple[int, TokenCount]] = field(default_factory=dict)

    def forget(self, now_s: float) -> None:
        """End the holds that are over."""
        for call in [call for call, (_, until_s) in self.held.items() if until_s <= now_s]:
            del self.held[call]

    def used_in(self, period_s: int, now_s: float) -> TokenCount:
        """Return what was used in the window of now."""
        window, used = self.used.get(period_s, (-1, TokenCount()))
        return used if window == now_s // period_s else TokenCount()


class TokenLedger:
    """Times are seconds of the wall clock."""

    def __init__(self, shares: Sequence[Share]) -> None:
        self._shares = tuple(shares)
        self._scopes = tuple(dict.fromkeys(share.scope for share in shares))
        self._accounts: dict[tuple[str, str], _Account] = {}

    def hold(self, whose: Whose, call: str, least: TokenCount, most: TokenCount, now_s: float, until_s: float) -> TokenCount | Exhausted:
        """Hold as much of ``most`` as there is, instead of what the call held before; Exhausted, and nothing changes, below ``least``."""
        accounts = {scope: self._account(whose.tenant, whose.account(scope), now_s) for scope in self._scopes}
        granted = most
        exhausted: list[Exhausted] = []
        for share in self._shares:
            account = accounts[share.scope]
            left = share.tokens - account.used_in(share.period_s, now_s).of(share.kind)
            free = left - sum(tokens.of(share.kind) for other, (tokens, _) in account.held.items() if other != call)
            if free < least.of(share.kind):
                exhausted.append(Exhausted(share, _free_after_s(share, least.of(share.kind), left, now_s)))
            elif share.kind == "prompt":
                granted = TokenCount(min(granted.prompt, free), granted.output)
            else:
                granted = TokenCount(granted.prompt, min(granted.output, free))
        if refused := last_to_free(exhausted):
            return refused
        for account in accounts.values():
            account.held[call] = (granted, until_s)
        return granted

    def renew(self, whose: Whose, call: str, now_s: float, until_s: float) -> None:
        """Let a hold end later, unless it ended."""
        for scope in self._scopes:
            account = self._account(whose.tenant, whose.account(scope), now_s)
            if call in account.held:
                account.held[call] = (account.held[call][0], until_s)

    def settle(self, whose: Whose, call: str, used: TokenCount, now_s: float) -> None:
        """End a hold, which may have ended by itself, and count what was used."""
        for scope in self._scopes:
            account = self._account(whose.tenant, whose.account(scope), now_s)
            account.held.pop(call, None)
            for period_s in {share.period_s for share in self._shares if share.scope == scope}:
                before = account.used_in(period_s, now_s)
                after = TokenCount(before.prompt + used.prompt, before.output + used.output)
                account.used[period_s] = (int(now_s // period_s), after)

    def _account(self, tenant: str, name: str, now_s: float) -> _Account:
        account = self._accounts.get((tenant, name))
        if account is None:
            if len(self._accounts) >= _MAX_ACCOUNTS:
                self._accounts = {key: each for key, each in self._accounts.items() if each.held}
            account = self._accounts[tenant, name] = _Account()
        account.forget(now_s)
        return account


def _free_after_s(share: Share, wanted: int, left: int, now_s: float) -> float | None:
    """When a share may have what is wanted: ``left`` of it is not used, but held."""
    if wanted > share.tokens:
        return None
    to_next_s = share.period_s - now_s % share.period_s
    return min(RUNNING_S, to_next_s) if left >= wanted else to_next_s
