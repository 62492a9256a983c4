"""JSON that two readers could understand in two ways is refused, always with the same type of error."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given
from meshkit.errors import InvalidDocument
from meshkit.strict_json import parse_json

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_what_is_plain_is_read_as_the_library_reads_it(value: object) -> None:
    for ascii_only in (True, False):
        assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not JSON"),
        (b"{", "line 1"),
        (b"\xff{}", "UTF-8"),
        ("{}".encode("utf-16"), "UTF-8"),
        (b'{"a": {"weight": 1, "weight": 2}}', "'weight' occurs twice"),
        (b'{"\\u0061": 1, "a": 2}', "'a' occurs twice"),
        ('{"渠道": 1, "渠道": 1}'.encode(), "'渠道' occurs twice"),
        (b'{"a": NaN}', "NaN"),
        (b"[-Infinity]", "-Infinity"),
        (b'{"a": [1E400]}', r"a\[0\] is not a finite number"),
        (b'{"a": {"b": 9223372036854775808}}', r"a\.b is a whole number beyond 64 bits"),
        (b"[" + b"9" * 400 + b"]", "beyond 64 bits"),
        (b"9" * 5000, "too long"),
        (b'{"a": "\\ud800"}', "a holds half of a surrogate pair"),
        (b'{"\\ud800": 1}', "surrogate"),
        (b"[" * 41 + b"]" * 41, "too deeply"),
        (b"[" * 100_000, "too deeply"),
        (b'{"a":' * 100_000, "too deeply"),
    ],
)
def test_what_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(InvalidDocument, match=said):
        parse_json(content)


@given(st.binary())
def test_bytes_raise_nothing_else(content: bytes) -> None:
    try:
        parse_json(content)
    except InvalidDocument as error:
        error.message.encode()
