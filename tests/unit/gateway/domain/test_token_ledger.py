"""Holds and uses of tokens, whatever happens in whatever order. The suite of the port (tests/ports/gateway) has the single rules."""

from __future__ import annotations

from gateway.domain.token_ledger import TokenLedger
from gateway.domain.token_shares import Exhausted, Held, Share, TokenCount, Whose
from gateway.domain.token_windows import Calendar
from hypothesis import given
from hypothesis import strategies as st

SHARES = (
    Share("tenant", "prompt", "minute", 500),
    Share("tenant", "output", "minute", 300),
    Share("principal", "output", "day", 900),
    Share("scenario", "prompt", "day", 2_000),
)
WHOSE = [Whose("bank-a", "assistant", bytes([number]) * 16) for number in (1, 2)]
COUNTS = st.builds(TokenCount, st.integers(0, 400), st.integers(0, 400))
STEPS = st.lists(
    st.tuples(st.sampled_from(["hold", "settle", "keep"]), st.integers(0, 5), st.sampled_from(WHOSE), COUNTS, st.floats(0, 40)),
    max_size=60,
)


@given(STEPS)
def test_what_is_held_and_used_never_exceeds_a_share(steps: list[tuple[str, int, Whose, TokenCount, float]]) -> None:
    calendar = Calendar()
    ledger = TokenLedger(calendar)
    now_s = 1_750_000_000.0
    held: dict[tuple[Whose, str], tuple[TokenCount, float]] = {}
    used: list[tuple[float, Whose, TokenCount]] = []
    for op, number, whose, count, passed_s in steps:
        now_s += passed_s
        call = f"{whose.budget_key.hex()}{number}"
        key = (whose, call)
        if op == "hold":
            most = TokenCount(count.prompt + 1, count.output + 1)
            found = ledger.hold(whose, SHARES, call, TokenCount(1, 1), most, now_s, now_s + 30)
            if isinstance(found, Held):
                held[key] = (found.tokens, now_s + 30)
        elif op == "keep" and key in held and held[key][1] > now_s:
            ledger.keep(whose, call, held[key][0], now_s, now_s + 30)
            held[key] = (held[key][0], now_s + 30)
        elif op == "settle" and key in held and held[key][1] > now_s:
            granted = held.pop(key)[0]
            spent = TokenCount(min(count.prompt, granted.prompt), min(count.output, granted.output))
            ledger.settle(whose, call, spent, now_s)
            used.append((now_s, whose, spent))
        for share in SHARES:
            for each in WHOSE:
                mine = [tokens for (who, _), (tokens, until_s) in held.items() if until_s > now_s and concerns(share, who, each)]
                window = calendar.window(share.period, now_s)
                spent_now = [
                    tokens for at_s, who, tokens in used if calendar.window(share.period, at_s) == window and concerns(share, who, each)
                ]
                assert sum(tokens.of(share.kind) for tokens in [*mine, *spent_now]) <= share.tokens


def concerns(share: Share, who: Whose, each: Whose) -> bool:
    return share.scope != "principal" or who == each


def test_many_principals_do_not_fill_the_memory() -> None:
    shares = (Share("principal", "output", "minute", 10),)
    ledger = TokenLedger(Calendar())
    for number in range(31_000):
        whose = Whose("bank-a", "assistant", number.to_bytes(16, "big"))
        ledger.hold(whose, shares, str(number), TokenCount(1, 1), TokenCount(1, 1), 0.0, 30.0)
        if number:
            ledger.settle(whose, str(number), TokenCount(), 0.0)
    assert len(ledger._accounts) <= 30_000
    first = Whose("bank-a", "assistant", bytes(16))
    found = ledger.hold(first, shares, "x", TokenCount(1, 10), TokenCount(1, 10), 1.0, 30.0)
    assert isinstance(found, Exhausted), "who holds something is kept"
