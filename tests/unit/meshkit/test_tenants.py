"""One pattern for every tenant, wherever it comes in."""

import re

import pytest
from meshkit.errors import InvalidArgument
from meshkit.tenants import checked_tenant, is_tenant

from tests.contract.repository import ROOT

BAD = ["甲银行", "bank_a", "Bank", "bank a", "bank-a\n", " bank", "bank-a\x00", "ｂａｎｋ", "bänk", "٣", "x" * 41, "a/b", "-" * 41]


@pytest.mark.parametrize("text", ["bank-a", "0", "-", "x" * 40])
def test_a_tenant(text: str) -> None:
    assert is_tenant(text)
    assert checked_tenant(text) == text


@pytest.mark.parametrize("text", ["", *BAD])
def test_no_tenant(text: str) -> None:
    assert not is_tenant(text)
    with pytest.raises(InvalidArgument) as caught:
        checked_tenant(text, "request.tenant")
    assert caught.value.reason == ("TENANT_INVALID" if text else "TENANT_MISSING")
    assert [violation.field for violation in caught.value.violations] == ["request.tenant"]
    assert not text.strip() or text not in str(caught.value)


def test_the_pattern_is_written_once() -> None:
    pattern = re.compile(re.escape("[a-z0-9-]{1,40}"))
    sources = [path for top in ("libs", "services", "cli", "deploy") for path in (ROOT / top).rglob("*.py")]
    assert [path.name for path in sources if pattern.search(path.read_text("utf-8"))] == ["tenants.py"]
