"""Who holds and who has used how many tokens: what a gateway knows by itself while Redis is away. Pure.

A call holds what it may use at most until it says what it used. Free in a window is the share less what was used in it and less what is
held now, whenever the hold began. What was used counts in the window in which it is told. A hold that is not renewed ends by itself.
`adapters/scripts/tokens.lua` has the same rules for holds; what was used stands there by audit records (`book.lua`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.domain.token_shares import SCOPES, Exhausted, Held, Left, Share, TokenCount, Whose, last_to_free
from gateway.domain.token_windows import PERIODS, Calendar, Period, Window

RUNNING_S = 1.0  # after which to ask again for what running calls hold: nobody knows when they end
_MAX_ACCOUNTS = 30_000


@dataclass(slots=True)
class _Account:
    """``held``: by call, with the time at which it ends. ``used``: by period, with the name of the window."""

    held: dict[str, tuple[TokenCount, float]] = field(default_factory=dict)
    used: dict[Period, tuple[str, TokenCount]] = field(default_factory=dict)

    def forget(self, now_s: float) -> None:
        """End the holds that are over."""
        for call in [call for call, (_, until_s) in self.held.items() if until_s <= now_s]:
            del self.held[call]

    def used_in(self, window: Window) -> TokenCount:
        """Return what was used in a window, which is the newest one."""
        name, used = self.used.get(window.period, ("", TokenCount()))
        return used if name == window.name else TokenCount()

    def others(self, call: str) -> TokenCount:
        """Return what other calls hold."""
        held = [tokens for other, (tokens, _) in self.held.items() if other != call]
        return TokenCount(sum(each.prompt for each in held), sum(each.output for each in held))


class TokenLedger:
    """Times are seconds of the wall clock."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._accounts: dict[tuple[str, str], _Account] = {}

    def hold(
        self, whose: Whose, shares: Sequence[Share], call: str, least: TokenCount, most: TokenCount, now_s: float, until_s: float
    ) -> Held | Exhausted:
        """Hold as much of ``most`` as there is, instead of what the call held before; Exhausted, and nothing changes, below ``least``."""
        granted = {"prompt": most.prompt, "output": most.output}
        exhausted: list[Exhausted] = []
        frees: list[tuple[Share, int, float]] = []
        for share in shares:
            account = self._account(whose.tenant, whose.account(share.scope), now_s)
            window = self._calendar.window(share.period, now_s)
            left = share.tokens - account.used_in(window).of(share.kind)
            free = left - account.others(call).of(share.kind)
            frees.append((share, free, window.end_s - now_s))
            if free < least.of(share.kind):
                exhausted.append(Exhausted(share, _free_after_s(share, least.of(share.kind), left, window.end_s - now_s)))
            granted[share.kind] = min(granted[share.kind], free)
        if refused := last_to_free(exhausted):
            return refused
        tokens = TokenCount(**granted)
        self.keep(whose, call, tokens, now_s, until_s)
        return Held(tokens, tuple(Left(share, max(0, free - tokens.of(share.kind)), resets_s) for share, free, resets_s in frees))

    def keep(self, whose: Whose, call: str, tokens: TokenCount, now_s: float, until_s: float) -> None:
        """Hold that much, whether it is there or not."""
        for account in self._of(whose, now_s):
            account.held[call] = (tokens, until_s)

    def drop(self, whose: Whose, call: str, now_s: float) -> None:
        """End a hold; nothing was used of it."""
        for account in self._of(whose, now_s):
            account.held.pop(call, None)

    def settle(self, whose: Whose, call: str, used: TokenCount, now_s: float) -> None:
        """End a hold, which may have ended by itself, and count what was used."""
        for account in self._of(whose, now_s):
            account.held.pop(call, None)
            for period in PERIODS:
                window = self._calendar.window(period, now_s)
                before = account.used_in(window)
                account.used[period] = (window.name, TokenCount(before.prompt + used.prompt, before.output + used.output))

    def _of(self, whose: Whose, now_s: float) -> list[_Account]:
        return [self._account(whose.tenant, name, now_s) for scope in SCOPES if (name := whose.account(scope))]

    def _account(self, tenant: str, name: str, now_s: float) -> _Account:
        account = self._accounts.get((tenant, name))
        if account is None:
            if len(self._accounts) >= _MAX_ACCOUNTS:
                self._accounts = {key: each for key, each in self._accounts.items() if each.held}
            account = self._accounts[tenant, name] = _Account()
        account.forget(now_s)
        return account


def _free_after_s(share: Share, wanted: int, left: int, to_next_s: float) -> float | None:
    """When a share may have what is wanted: ``left`` of it is not used, but held."""
    if wanted > share.tokens:
        return None
    return min(RUNNING_S, to_next_s) if left >= wanted else to_next_s
