"""Holds and uses of tokens, whatever happens in whatever order. The suite of the port (tests/ports/gateway) has the single rules."""

from __future__ import annotations

from gateway.domain.token_ledger import TokenLedger
from gateway.domain.token_shares import Exhausted, Share, TokenCount, Whose
from hypothesis import given
from hypothesis import strategies as st

SHARES = (Share("tenant", "prompt", 60, 500), Share("tenant", "output", 60, 300), Share("principal", "output", 3_600, 900))
WHOSE = [Whose("bank-a", "assistant", name) for name in ("张三", "李四")]
COUNTS = st.builds(TokenCount, st.integers(0, 400), st.integers(0, 400))
STEPS = st.lists(
    st.tuples(st.sampled_from(["hold", "settle", "renew"]), st.integers(0, 5), st.sampled_from(WHOSE), COUNTS, st.floats(0, 40)),
    max_size=60,
)


@given(STEPS)
def test_what_is_held_and_used_never_exceeds_a_share(steps: list[tuple[str, int, Whose, TokenCount, float]]) -> None:
    ledger = TokenLedger(SHARES)
    now_s = 1_750_000_000.0
    held: dict[tuple[str, str], tuple[TokenCount, float]] = {}
    used: list[tuple[float, Whose, TokenCount]] = []
    for op, number, whose, count, passed_s in steps:
        now_s += passed_s
        call = f"{whose.principal}{number}"
        key = (whose.principal, call)
        if op == "hold":
            granted = ledger.hold(whose, call, TokenCount(1, 1), TokenCount(count.prompt + 1, count.output + 1), now_s, now_s + 30)
            if isinstance(granted, TokenCount):
                held[key] = (granted, now_s + 30)
        elif op == "renew" and key in held and held[key][1] > now_s:
            ledger.renew(whose, call, now_s, now_s + 30)
            held[key] = (held[key][0], now_s + 30)
        elif op == "settle" and key in held and held[key][1] > now_s:
            granted = held.pop(key)[0]
            spent = TokenCount(min(count.prompt, granted.prompt), min(count.output, granted.output))
            ledger.settle(whose, call, spent, now_s)
            used.append((now_s, whose, spent))
        for share in SHARES:
            for each in WHOSE:
                mine = [
                    tokens
                    for (name, _), (tokens, until_s) in held.items()
                    if until_s > now_s and (share.scope == "tenant" or name == each.principal)
                ]
                spent_now = [
                    tokens
                    for at_s, who, tokens in used
                    if at_s // share.period_s == now_s // share.period_s and (share.scope == "tenant" or who == each)
                ]
                assert sum(tokens.of(share.kind) for tokens in [*mine, *spent_now]) <= share.tokens


@given(st.text(min_size=1), st.text(min_size=1))
def test_accounts_hold_no_names_and_are_told_apart(first: str, second: str) -> None:
    one, other = (Whose("bank-a", "assistant", name).account("principal") for name in (first, second))
    assert (one == other) is (first == second)
    assert len(one) == len("principal:") + 32


def test_many_principals_do_not_fill_the_memory() -> None:
    ledger = TokenLedger((Share("principal", "output", 60, 10),))
    for number in range(31_000):
        whose = Whose("bank-a", "assistant", str(number))
        ledger.hold(whose, str(number), TokenCount(1, 1), TokenCount(1, 1), 0.0, 30.0)
        if number:
            ledger.settle(whose, str(number), TokenCount(), 0.0)
    assert len(ledger._accounts) <= 30_000
    first = Whose("bank-a", "assistant", "0")
    assert isinstance(ledger.hold(first, "x", TokenCount(1, 10), TokenCount(1, 10), 1.0, 30.0), Exhausted), "who holds something is kept"
