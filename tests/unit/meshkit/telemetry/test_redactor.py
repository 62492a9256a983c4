"""Identifiers are masked however they are written; harmless text stays as it is."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meshkit.telemetry.redactor import LIMIT_CHARACTERS, is_luhn, is_resident_id, redact

CARD = "6222021234567890128"
RESIDENT = "11010519491231002X"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"pay {CARD} now", "pay [card] now"),
        ("4111 1111 1111 1111", "[card]"),
        ("4111-1111-1111-1111", "[card]"),
        ("4111.1111.1111.1111", "[card]"),
        ("卡号4111111111111111，金额", "卡号[card]，金额"),
        ("４１１１１１１１１１１１１１１１", "[card]"),
        ("4111\u200b1111\u200d1111\ufeff1111", "[card]"),
        ("\u202e4111111111111111\u202c", "\u202e[card]\u202c"),
        ("٤١١١١١١١١١١١١١١١", "[card]"),
        ("四一一一一一一一一一一一一一一一", "[card]"),
        ("2026-11-22 4111 1111 1111 1111", "2026-11-[card]"),
        (f"身份证{RESIDENT}。", "身份证[resident-id]。"),
        ("身份证１１０１０５１９４９１２３１００２Ｘ", "身份证[resident-id]"),
        ("110105 19491231 002X", "[resident-id]"),
        ("手机13812345678", "手机[mobile]"),
        ("138 1234 5678", "[mobile]"),
        ("+86 138-1234-5678", "+[mobile]"),
        ("run 123456789012", "run [digits]"),
        ("Authorization: Bearer abcdefghijk.lmn", "Authorization: [token]"),
        ("token=eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "token=[token]"),
    ],
)
def test_identifiers_are_masked(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "finmesh.risk.v1.RiskScoringService/ScoreTransaction",
        "request 0197f3a2-1b37-795c-8274-150130d4fef6 done",
        "request 01970000-1137-7950-8274-150100040006 done",
        "digest 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "2026-11-22 22:55:52.631",
        "amount 12345.67 CNY after 1024 ms on port 50061",
        "交易金额壹万贰仟元整",
        "127.0.0.1:50061",
    ],
)
def test_harmless_text_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "hostile", ["1" * 1_000_000, "1 " * 500_000, "﷽" * 100_000, "ﷺ" * 100_000, "1-" * 100_000, "eyJ" * 300_000, "零" * 1_000_000]
)
def test_hostile_text_costs_little_and_comes_out_short(hostile: str) -> None:
    start = time.process_time()
    assert len(redact(hostile)) <= LIMIT_CHARACTERS + 1
    assert time.process_time() - start < 2.0


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_card_between_any_letters_never_passes(before: str, after: str) -> None:
    text = f"{before}卡{CARD}号{after}"
    assert CARD not in redact(text)


@given(
    st.text(
        alphabet=st.characters(categories=["L", "P", "Zs"], exclude_characters="零〇一二三四五六七八九壹贰叁肆伍陆柒捌玖"), max_size=300
    )
)
def test_text_without_digits_and_tokens_is_untouched(text: str) -> None:
    if "eyJ" not in text and "bearer" not in text.lower():
        assert redact(text) == text


def test_check_digits() -> None:
    assert is_luhn(CARD)
    assert not is_luhn(CARD[:-1] + "7")
    assert not is_luhn("0" * 16)
    assert is_resident_id(RESIDENT)
    assert not is_resident_id("110105194912310021")
    assert not is_resident_id("11010519491331002X")
