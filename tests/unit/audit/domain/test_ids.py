"""Which ids are well-formed: never a character that a store, a log line or a terminal would stumble over."""

import pytest
from audit.domain.ids import checked_id, is_id
from meshkit.errors import InvalidArgument


@pytest.mark.parametrize("text", ["0190b2f0-7c3e-7000-8000-000000000001", "risk-scoring/stream/3", "x", "~" * 128])
def test_ids(text: str) -> None:
    assert is_id(text)
    assert checked_id(text, "f") == text


@pytest.mark.parametrize("text", ["", " ", "a b", "a\x00", "a\n", "号", "x" * 129, "a\u200b", "\x7f"])
def test_malformed_ids(text: str) -> None:
    assert not is_id(text)
    with pytest.raises(InvalidArgument) as caught:
        checked_id(text, "audit_record_id")
    assert (caught.value.reason, caught.value.metadata) == ("MALFORMED_ID", {"field": "audit_record_id"})
