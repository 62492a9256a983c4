"""The redactor uses libs/pii for every kind of value; what pii finds is tested there."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meshkit.telemetry import redactor
from meshkit.telemetry.redactor import LIMIT_CHARACTERS, redact, redacted

CARD = "6222021234567890128"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"pay {CARD} now", "pay [card] now"),
        ("卡号4111111111111111，金额", "卡号[card]，金额"),
        (f"{CARD}a", "[card]a"),
        ("6222\n0212\n3456\n7890\n128", "[card]"),
        ("\u202e4111111111111111\u202c", "\u202e[card]\u202c"),
        ("身份证１１０１０５１９４９１２３１００２Ｘ", "身份证[resident-id]"),
        ("+86 138-1234-5678", "+[mobile]"),
        ("Authorization: Bearer abcdefghijk.lmn", "Authorization: [secret]"),
        ("token=eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "token=[secret]"),
        ("redis://:hunter2hunter2@cache/0", "redis://:[secret]@cache/0"),
        ("request 0197f3a2-1b37-795c-8274-150130d4fef6 done", "request 0197f3a2-1b37-795c-8274-150130d4fef6 done"),
        ("finmesh.risk.v1.RiskScoringService/ScoreTransaction", "finmesh.risk.v1.RiskScoringService/ScoreTransaction"),
    ],
)
def test_texts(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(text) == expected, "the same when it is known"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (int(CARD), "[card]"),
        (-13812345678, "[mobile]"),
        (13812345678.0, "[mobile]"),
        (50061, 50061),
        (1795312800000000000, 1795312800000000000),
        (1.5, 1.5),
        (10**50, 10**50),
        (True, True),
        (None, None),
        ({int(CARD): {"手机": ["13812345678", 1]}}, {"[card]": {"手机": ["[mobile]", 1]}}),
        ((int(CARD), "ok"), ["[card]", "ok"]),
        (b"4111111111111111", "b'[card]'"),
        (ValueError("mobile 13812345678"), "mobile [mobile]"),
    ],
)
def test_values(value: object, expected: object) -> None:
    assert redacted(value) == expected
    assert type(redacted(value)) is type(expected)


def test_numbers_that_are_none_stay() -> None:
    assert str(redacted(float("nan"))) == "nan"
    assert redacted(float("inf")) == float("inf")


@pytest.mark.parametrize("wall", ["1" * 1_000_000, "1 " * 500_000, "﷽" * 100_000, "eyJ" * 300_000, "零" * 1_000_000, "%25" * 300_000])
def test_hostile_text_is_cut_before_it_is_read(wall: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(redactor, "mask", lambda text, limit: read.append(limit) or text[:limit])
    assert len(redact(wall)) == LIMIT_CHARACTERS + 1
    assert read == [LIMIT_CHARACTERS]


def test_an_identifier_across_the_limit_is_masked() -> None:
    text = "x" * (LIMIT_CHARACTERS - 9) + " " + CARD + " " + "y" * 9_000
    assert redact(text) == "x" * (LIMIT_CHARACTERS - 9) + " [card]…"


def test_only_harmless_short_texts_are_remembered_and_not_for_ever() -> None:
    redactor._harmless.clear()
    redact(f"card {CARD}")
    redact("x" * 200)
    assert not redactor._harmless
    for number in range(10_000):
        redact(f"name-{number}")
    assert 0 < len(redactor._harmless) <= redactor._MAX_KNOWN
    assert sys.getsizeof(redactor._harmless) < 1_000_000


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_card_between_any_letters_never_passes(before: str, after: str) -> None:
    assert CARD not in redact(f"{before}卡{CARD}号{after}")
