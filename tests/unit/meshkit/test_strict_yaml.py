"""YAML without what makes a small file large or a word something else, always with the same type of error."""

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given
from meshkit.errors import InvalidDocument
from meshkit.strict_yaml import parse_yaml

from tests.unit.meshkit.test_strict_json import PLAIN

BOMB = "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n"
# fmt: off
PIECES = st.sampled_from([
    "a", "a: ", "- ", "\n", "  ", "{", "}", "[", "]", ",", "&x ", "*x", "<<: ", "? ", ": ", "|\n", ">\n", "'", '"', "#", "---\n", "...\n",
    "!!int ", "!!float ", "!!timestamp ", "!!binary ", "!!set ", "!!omap ", "!!pairs ", "!!python/object:os.system ", "!!null ", "!!bool ",
    "%YAML 9", "1", "-", ".", ".inf", ".nan", "0x", "0b", "1_0", "2001-99-99", "1:99", "010", "~", "on", "=", "\t", "\x00", "渠道",
])
# fmt: on


@given(PLAIN)
def test_what_is_plain_is_read_as_it_was_written(value: object) -> None:
    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    assert parse_yaml(yaml.dump(value, Dumper=Dumper).encode()) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: {c: 1, c: 2}", "'c' occurs twice in line 2"),
        ("a: 1\n'a': 2", "'a' occurs twice in line 2"),
        ("off: 1", "'off' must be quoted"),
        ("1: x", "'1' must be quoted"),
        ("? [a]\n: 1", "must be quoted"),
        ("? !!str [a]\n: 1", "not YAML"),
        ("a: {<<: {b: 1}}", "'<<' must be quoted"),
        (BOMB, "aliases are not allowed in line 2"),
        ("a: &a [*a]", "aliases"),
        ("a: .inf", "plain decimal number"),
        ("a: .nan", "plain decimal number"),
        ("a: 010", "plain decimal number"),
        ("a: 1:30", "plain decimal number"),
        ("a: 1_000", "plain decimal number"),
        ("a: 0x10", "plain decimal number"),
        ("a: 1.0e+999", "a is not a finite number"),
        ("a: [" + "9" * 400 + "]", r"a\[0\] is a whole number beyond 64 bits"),
        ("a: " + "9" * 5000, "not YAML"),
        ("a: 2026-01-01", "a must be quoted"),
        ("a: 2026-99-99", "not YAML"),
        ("a: !!python/object:os.system {}", "line 1"),
        ("a: !!int ''", "plain decimal number"),
        ("a: !!bool x", "not YAML"),
        ("a: !!timestamp x", "not YAML"),
        ("a: !!binary ä", "line 1"),
        ("a: !!set {x}", "must be quoted"),
        ("a: \x00", "not YAML"),
        ("--- 1\n--- 2", "line 2"),
        ("a: [1", "line 1"),
        ("a:\n\t- 1", "line 2"),
        ("[" * 41 + "]" * 41, "too deeply"),
        ("[" * 60_000, "too deeply"),
        ("- " * 30_000, "too deeply"),
        ("#" * 300_000, "larger"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidDocument, match=said):
        parse_yaml(text.encode())


def test_other_encodings_are_refused() -> None:
    for content in ("a: ä".encode("latin-1"), "a: 1".encode("utf-16"), "渠道: 1".encode("gb18030")):
        with pytest.raises(InvalidDocument, match="UTF-8"):
            parse_yaml(content)


@given(st.lists(PIECES).map(lambda pieces: "".join(pieces).encode()) | st.binary())
def test_pieces_of_yaml_raise_nothing_else(content: bytes) -> None:
    try:
        parse_yaml(content)
    except InvalidDocument as error:
        error.message.encode()
