"""A ticket's one encoding: JSON with every field, keys sorted, no white space, ASCII, bytes as lower-case hex.

Decoding is strict: bounds and types of each field, nothing unknown, nothing left out, and the bytes must be those that encoding the
result gives again, so that no two encodings of a ticket exist (duplicate names, 1e0, escapes).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from engine.handoff.chain import ID_BYTES, NAMESPACE_BYTES
from engine.handoff.claims import FirstToken, Location
from engine.handoff.errors import Refused, TicketRefused
from engine.handoff.layout import DIGEST_BYTES
from engine.handoff.memory import born_ms

SCHEMA_VERSION = 1
TOKEN_BYTES = 32

_U32, _U64 = (1 << 32) - 1, (1 << 64) - 1
_LARGEST_TOKENS = 1 << 20
_NONCE_BYTES = 32
Reader = Callable[[Any], Any]


def encode(ticket: Any) -> bytes:
    """Return the canonical bytes of an object with every field. Raises TicketRefused (MALFORMED) for what JSON cannot say."""
    return _written({name: getattr(ticket, name) for name in _READERS})


def decode(content: bytes) -> dict[str, Any]:
    """Return the fields of canonical bytes. Raises TicketRefused (MALFORMED), which names the field."""
    try:
        found = json.loads(content.decode("ascii"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise TicketRefused("MALFORMED", "no JSON in ASCII") from None
    if type(found) is not dict or found.keys() != _READERS.keys():
        raise TicketRefused("MALFORMED", "a field is missing or unknown")
    values = {}
    for name, read in _READERS.items():
        try:
            values[name] = read(found[name])
        except (ValueError, Refused):
            raise TicketRefused("MALFORMED", f"field {name}") from None
    _agree(values)
    if _written(values) != content:
        raise TicketRefused("MALFORMED", "not in canonical form")
    return values


def _agree(values: dict[str, Any]) -> None:
    """What each field alone cannot say."""
    tokens, size, first = values["token_count"], values["block_tokens"], values["first_block"]
    blocks = -(-tokens // size)
    for name, right in (
        ("block_ids", len(values["block_ids"]) == blocks),
        ("first_block", first < blocks),
        ("checksums", len(values["checksums"]) == blocks - first),
        ("last_valid_tokens", values["last_valid_tokens"] == tokens - (blocks - 1) * size),
    ):
        if not right:
            raise TicketRefused("MALFORMED", f"field {name} disagrees with the others")


def _written(values: dict[str, Any]) -> bytes:
    try:
        plain = {name: _plain(value) for name, value in values.items()}
        plain["checksums"] = [f"{each:016x}" for each in values["checksums"]]
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError):
        raise TicketRefused("MALFORMED", "a field has another type than it must") from None


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, FirstToken):
        return [value.token, float(value.logprob), _plain(value.top)]
    if isinstance(value, Location):
        return [value.kind, value.address, value.nonce.hex()]
    return value


def _refuse(name: str) -> None:
    raise ValueError(name)


def _integer(least: int, most: int) -> Reader:
    def read(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError
        return value

    return read


def _number(value: Any) -> float:
    if type(value) is not float or not math.isfinite(value):
        raise ValueError
    return value


def _text(most: int) -> Reader:
    def read(value: Any) -> str:
        if type(value) is not str or not 0 < len(value) <= most or not value.isprintable():
            raise ValueError
        return value

    return read


def _bytes(*lengths: int) -> Reader:
    def read(value: Any) -> bytes:
        if type(value) is not str or len(value) not in {2 * length for length in lengths}:
            raise ValueError
        return bytes.fromhex(value)

    return read


def _many(read: Reader, least: int, most: int) -> Reader:
    def read_all(value: Any) -> tuple[Any, ...]:
        if type(value) is not list or not least <= len(value) <= most:
            raise ValueError
        return tuple(read(each) for each in value)

    return read_all


def _tuple(*readers: Reader) -> Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if type(value) is not list or len(value) != len(readers):
            raise ValueError
        return tuple(reader(each) for reader, each in zip(readers, value, strict=True))

    return read


def _handoff_id(value: Any) -> str:
    born_ms(value)
    return str(value)


def _first_token(value: Any) -> FirstToken:
    top = _many(_tuple(_integer(0, _U32), _number), 0, 20)
    return FirstToken(*_tuple(_integer(0, _U32), _number, top)(value))


def _location(value: Any) -> Location:
    location = Location(*_tuple(_text(5), _text(256), _bytes(0, _NONCE_BYTES))(value))
    if location.kind not in ("memfd", "tls") or bool(location.nonce) != (location.kind == "memfd"):
        raise ValueError
    return location


def _checksum(value: Any) -> int:
    return int.from_bytes(_bytes(8)(value))


_READERS: dict[str, Reader] = {
    "handoff_id": _handoff_id,
    "epoch": _integer(1, _U32),
    "request_id": _text(128),
    "model_digest": _bytes(32),
    "tokenizer_digest": _bytes(32),
    "token_count": _integer(1, _LARGEST_TOKENS),
    "block_ids": _many(_bytes(ID_BYTES), 1, _LARGEST_TOKENS),
    "first_tokens": _many(_first_token, 1, 4),
    "seed": _integer(0, _U64),
    "next_index": _integer(0, _U32),
    "grammar_digest": _bytes(0, 32),
    "first_block": _integer(0, _LARGEST_TOKENS),
    "namespace": _bytes(NAMESPACE_BYTES),
    "grade": _integer(1, 5),
    "tenant_digest": _bytes(32),
    "schema_version": _integer(SCHEMA_VERSION, SCHEMA_VERSION),
    "layout_digest": _bytes(DIGEST_BYTES),
    "block_tokens": _integer(1, 65536),
    "incarnation": _text(64),
    "checksums": _many(_checksum, 1, _LARGEST_TOKENS),
    "last_valid_tokens": _integer(1, 65536),
    "locations": _many(_location, 1, 8),
    "access_token": _bytes(TOKEN_BYTES),
    "lease_ms": _integer(1, 600_000),
    "published_unix_ms": _integer(0, _U64),
}
