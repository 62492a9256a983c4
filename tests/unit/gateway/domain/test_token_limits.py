"""Which shares hold for whom."""

from __future__ import annotations

from typing import Any

import pytest
from gateway.config import BudgetSettings
from gateway.domain.token_limits import TokenLimits
from gateway.domain.token_shares import Whose
from meshkit.errors import InvalidDocument
from meshkit.strict_yaml import parse_yaml
from pydantic import ValidationError

EVERYBODY: Any = {"tenant": {"output_per_minute": 100, "output_per_day": 1_000}, "principal": {"prompt_per_day": 50}}
FILE = """
tenants:
  bank-a: {output_per_day: 5000}
scenarios:
  research: {prompt_per_day: 7}
  bank-a/research: {prompt_per_day: 9, output_per_minute: 3}
principals:
  bank-a/张三: {prompt_per_day: 0}
"""


def named(tenant: str, scenario: str, principal: str) -> dict[str, int]:
    """The shares of a call, by their names."""
    limits = TokenLimits.of(EVERYBODY, parse_yaml(FILE.encode()))
    return {share.name: share.tokens for share in limits.shares(Whose(tenant, scenario, b"k" * 16, principal))}


def test_the_narrower_row_holds_field_by_field() -> None:
    assert named("bank-a", "assistant", "张三") == {"tenant-output-minute": 100, "tenant-output-day": 5_000}
    assert named("bank-a", "research", "李四") == {
        "tenant-output-minute": 100, "tenant-output-day": 5_000, "scenario-prompt-day": 9, "scenario-output-minute": 3,
        "principal-prompt-day": 50,
    }  # fmt: skip
    assert named("bank-b", "research", "张三") == {
        "tenant-output-minute": 100, "tenant-output-day": 1_000, "scenario-prompt-day": 7, "principal-prompt-day": 50,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "the table has some of"),
        ("{}", "the table has some of"),
        ("tenant: {bank-a: {output_per_day: 1}}", "the table has some of"),
        ("tenants: {}", "tenants: 1 to"),
        ("tenants: {Bank A: {output_per_day: 1}}", "tenants: a name is tenant"),
        ("scenarios: {bank-a/: {output_per_day: 1}}", "scenarios: a name is"),
        ("scenarios: {a/b/c: {output_per_day: 1}}", "scenarios: a name is"),
        ("principals: {zhang-san: {output_per_day: 1}}", "principals: a name is tenant/subject"),
        ("tenants: {bank-a: {}}", "tenants: bank-a: needs some of"),
        ("tenants: {bank-a: {output_per_hour: 1}}", "tenants: bank-a: needs some of"),
        ("tenants: {bank-a: {output_per_day: -1}}", "output_per_day must be a whole number"),
        ("tenants: {bank-a: {output_per_day: true}}", "output_per_day must be a whole number"),
        ("tenants: {bank-a: {output_per_day: 1.5}}", "output_per_day must be a whole number"),
        ("tenants: {bank-a: {output_per_day: 1000000000001}}", "output_per_day must be a whole number"),
        ("tenants: {bank-a: {output_per_day: '5'}}", "output_per_day must be a whole number"),
        ("tenants: {bank-a: {output_per_minute: 100, output_per_day: 99}}", "output_per_minute is more than output_per_day"),
        ("tenants: {bank-a: {output_per_day: 5, output_per_day: 6}}", "twice|duplicate|repeat"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InvalidDocument, match=said):
        TokenLimits.of(EVERYBODY, parse_yaml(text.encode()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_zone": "Asia/Peking"},
        {"time_zone": "../etc/passwd"},
        {"time_zone": ""},
        {"local_fraction": 0},
        {"local_fraction": 1.1},
        {"tenant": {"output_per_day": -1}},
        {"tenant": {"output_per_week": 1}},
    ],
)
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BudgetSettings(**wrong)
