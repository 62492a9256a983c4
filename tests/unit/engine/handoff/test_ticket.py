"""Tickets: what is signed is what is read, and everything else is refused with a reason."""

import dataclasses
import json
import random

import pytest
from engine.handoff.claims import FirstToken, Location
from engine.handoff.errors import TicketRefused
from engine.handoff.ticket import LARGEST_BYTES, Expected, Ticket, TicketKey, ticket_codec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.engine.handoff.makers import KEY, KEYS, LAYOUT, NOW_S, claims, new_id, tokens


def ticket(**changes: object) -> Ticket:
    said = claims(200)
    facts = {each.name: getattr(said, each.name) for each in dataclasses.fields(said)} | {
        "schema_version": 1,
        "layout_digest": LAYOUT.digest,
        "block_tokens": 64,
        "incarnation": "p-0/7f",
        "checksums": (0, 1, 2**64 - 1, 77),
        "last_valid_tokens": 8,
        "locations": (Location("memfd", "/运行/kv.sock", b"n" * 32), Location("tls", "[::1]:4433")),
        "access_token": b"a" * 32,
        "lease_ms": 30_000,
        "published_unix_ms": int(NOW_S * 1000),
    }
    return Ticket(**(facts | changes))


def resigned(content: bytes, key: TicketKey = KEY) -> bytes:
    """A ticket of other content whose signature is right."""
    head = ticket().sign(key)[: 7 + len(key.key_id)]
    return head + content + key.signature(head + content)


def body(signed: bytes, key: TicketKey = KEY) -> bytes:
    return signed[7 + len(key.key_id) : -32]


def refused(content: bytes) -> str:
    with pytest.raises(TicketRefused) as caught:
        Ticket.verify(content, KEYS)
    return caught.value.reason


def test_a_ticket_comes_back_as_it_was() -> None:
    for each in (ticket(), ticket(first_block=3, checksums=(5,)), ticket(grammar_digest=b"g" * 32, first_tokens=(FirstToken(1, 0.0),) * 4)):
        assert Ticket.verify(each.sign(KEY), KEYS) == each


def test_a_few_kilobytes_for_a_thousand_tokens() -> None:
    said = claims(1000)
    large = ticket(token_count=1000, block_ids=said.block_ids, checksums=tuple(range(16)), last_valid_tokens=40)
    assert len(large.sign(KEY)) < 4096


@pytest.mark.parametrize(
    "changes",
    [
        {"handoff_id": "0198c7a0-0000-4000-8000-000000000000"},
        {"handoff_id": new_id().upper()},
        {"epoch": 0},
        {"epoch": True},
        {"epoch": 1 << 32},
        {"request_id": ""},
        {"request_id": "r\n"},
        {"request_id": "r" * 129},
        {"model_digest": b"m" * 31},
        {"token_count": 0},
        {"token_count": 256},
        {"token_count": 257},
        {"block_ids": ()},
        {"first_block": 4},
        {"first_block": 1},
        {"checksums": (1, 2, 3, 1 << 64)},
        {"last_valid_tokens": 64},
        {"first_tokens": ()},
        {"first_tokens": (FirstToken(1, float("nan")),)},
        {"first_tokens": (FirstToken(1, float("-inf")),)},
        {"first_tokens": (FirstToken(1, 0.0, ((1, 0.0),) * 21),)},
        {"locations": ()},
        {"locations": (Location("ftp", "x"),)},
        {"locations": (Location("memfd", "/kv"),)},
        {"locations": (Location("tls", "h:1", b"n" * 32),)},
        {"grade": 6},
        {"seed": -1},
        {"seed": 1.0},
        {"lease_ms": 0},
        {"access_token": b""},
        {"schema_version": 2},
        {"incarnation": object()},
    ],
    ids=repr,
)
def test_a_field_out_of_bounds_is_neither_signed_nor_read(changes: dict[str, object]) -> None:
    with pytest.raises(TicketRefused) as caught:
        ticket(**changes).sign(KEY)
    assert caught.value.reason == "MALFORMED"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"epoch":1', b'"epoch":1.0'),
        (b'"epoch":1', b'"epoch": 1'),
        (b'"epoch":1', b'"epoch":"1"'),
        (b'"epoch":1', b'"epoch":1,"epoch":1'),
        (b'"epoch":1', b'"epoch":1,"extra":1'),
        (b'"epoch":1,', b""),
        (b'"epoch":1', b'"epoch":' + b"9" * 5000),
        (b"-0.25", b"-2.5e-1"),
        (b"-0.25", b"NaN"),
        (b'"access_token":"61', b'"access_token":"6A'),
        (b"\\u8bf7", b"\\u8BF7"),
        (b"\\u8bf7", "请".encode()),
    ],
)
def test_a_signed_ticket_of_other_form_is_malformed(old: bytes, new: bytes) -> None:
    content = body(ticket().sign(KEY))
    assert old in content
    assert refused(resigned(content.replace(old, new))) == "MALFORMED"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"[" * 50_000, b"\xff" * 100, b"1"])
def test_what_is_no_ticket_inside_is_malformed(content: bytes) -> None:
    assert refused(resigned(content)) in {"MALFORMED", "KEY_UNKNOWN"}


def test_every_flipped_bit_is_noticed() -> None:
    signed = ticket().sign(KEY)
    for place in range(len(signed) * 8):
        damaged = bytearray(signed)
        damaged[place // 8] ^= 1 << place % 8
        assert refused(bytes(damaged)) in {"MALFORMED", "VERSION_UNKNOWN", "KEY_UNKNOWN", "SIGNATURE_INVALID"}


def test_every_cut_is_noticed() -> None:
    signed = ticket().sign(KEY)
    for length in range(len(signed)):
        refused(signed[:length])
    refused(signed + b"\0")


def test_reasons_tell_what_is_wrong() -> None:
    signed = ticket().sign(KEY)
    assert refused(b"X" + signed[1:]) == "MALFORMED"
    assert refused(signed[:5] + b"\x02" + signed[6:]) == "VERSION_UNKNOWN"
    assert refused(ticket().sign(TicketKey.of_release(b"root" * 8, "dev-1", "smollm2@8"))) == "KEY_UNKNOWN"
    assert refused(signed[:-1] + bytes([signed[-1] ^ 1])) == "SIGNATURE_INVALID"
    assert refused(signed[:200] + b"0" * LARGEST_BYTES) == "MALFORMED"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=600))
def test_noise_is_refused(noise: bytes) -> None:
    refused(noise)
    refused(resigned(noise))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(name=st.sampled_from(sorted(ticket_codec._READERS)), value=json_values)
def test_any_value_in_any_field_is_refused_or_is_what_is_read(name: str, value: object) -> None:
    plain = json.loads(body(ticket().sign(KEY))) | {name: value}
    content = json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()
    try:
        read = Ticket.verify(resigned(content), KEYS)
    except TicketRefused as error:
        assert error.reason == "MALFORMED"
    else:
        assert body(read.sign(KEY)) == content


def test_a_key_has_an_id_and_enough_of_a_secret() -> None:
    for key_id, secret in (("", b"s" * 32), ("名", b"s" * 32), ("k" * 129, b"s" * 32), ("k", b"s" * 31)):
        with pytest.raises(ValueError, match="ticket key"):
            TicketKey(key_id, secret)


def expected(**changes: object) -> Expected:
    facts = {
        "layout_digest": LAYOUT.digest,
        "model_digest": b"m" * 32,
        "tokenizer_digest": b"t" * 32,
        "request_id": "请求-1",
        "tenant_digest": b"n" * 32,
        "namespace": claims().namespace,
        "grade": 3,
        "grammar_digest": b"",
        "seed": 2**63 + 5,
        "choices": 1,
        "tokens": tokens(200),
    }
    return Expected(**(facts | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"layout_digest": b"x" * 16}, "LAYOUT_MISMATCH"),
        ({"model_digest": b"x" * 32}, "MODEL_MISMATCH"),
        ({"tokenizer_digest": b"x" * 32}, "TOKENIZER_MISMATCH"),
        ({"request_id": "请求-2"}, "REQUEST_MISMATCH"),
        ({"tenant_digest": b"x" * 32}, "TENANT_MISMATCH"),
        ({"namespace": b"x" * 32}, "NAMESPACE_MISMATCH"),
        ({"grade": 4}, "GRADE_MISMATCH"),
        ({"grammar_digest": b"x" * 32}, "GRAMMAR_MISMATCH"),
        ({"seed": 1}, "SAMPLING_MISMATCH"),
        ({"choices": 2}, "SAMPLING_MISMATCH"),
        ({"tokens": tokens(200, seed=1)}, "TOKENS_MISMATCH"),
        ({"tokens": tokens(199)}, "TOKENS_MISMATCH"),
        ({"tokens": [*tokens(200), 5]}, "TOKENS_MISMATCH"),
    ],
)
def test_a_ticket_is_for_one_request(changes: dict[str, object], reason: str) -> None:
    ticket().check(expected())
    with pytest.raises(TicketRefused) as caught:
        ticket().check(expected(**changes))
    assert caught.value.reason == reason


def test_random_damage_inside_a_right_signature() -> None:
    """Whoever holds the key and is broken cannot break the reader."""
    content, dice = body(ticket().sign(KEY)), random.Random(7)
    for _ in range(2000):
        damaged = bytearray(content)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            read = Ticket.verify(resigned(bytes(damaged)), KEYS)
        except TicketRefused as error:
            assert error.reason == "MALFORMED"
        else:
            assert body(read.sign(KEY)) == bytes(damaged)
