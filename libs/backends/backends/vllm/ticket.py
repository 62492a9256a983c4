"""Our ticket around what vLLM hands on: the object that its prefill side answers and its decode side takes as it is.

Surprising:

- vLLM binds nothing to that object and never asks whether it was used. With another prompt, or a second time, it answers 200 and wrong text
  (docs/adr/0027). All that makes a hand-off safe stands here: prompt, tenant, model, lease, and the one decode worker that may spend it.
- The worker is bound in its incarnation, because what was spent is remembered by its process alone: a process that starts anew is another
  incarnation, so nothing that an earlier one took is taken again.
- The signature is checked before anything is parsed.
"""

from __future__ import annotations

import hmac
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b, sha256
from typing import Any

from meshkit.errors import FailedPrecondition, InvalidDocument, Unavailable
from meshkit.strict_json import parse_json

LARGEST_BYTES = 256 << 10
SKEW_MS = 5_000
"""How far the clocks of two hosts may be apart; a lease that the engine keeps is longer than ours by at least as much."""
_HEAD = struct.Struct("!4sBB")  # magic, version, length of the key id
_MAGIC, _VERSION, _SIGNATURE_BYTES = b"FVLT", 1, 32
_BYTES = {"model_digest", "layout_digest", "tenant_digest", "namespace", "prompt_digest"}


@dataclass(frozen=True, slots=True)
class TicketKey:
    """A key of the ring "tickets", as vLLM's tickets use it: what it signs is no ticket of our own engine, and the other way round."""

    id: str
    secret: bytes

    @classmethod
    def make(cls, key_id: str, root: bytes) -> TicketKey:
        """Derive it from the ring's key."""
        return cls(key_id, hmac.digest(root, b"finmesh vllm ticket", sha256))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """``transfer``: vLLM's object. ``published_unix_ms`` is P's clock; ``lease_ms`` runs from there."""

    handoff_id: str
    epoch: int
    request_id: str
    model_digest: bytes
    layout_digest: bytes
    tenant_digest: bytes
    namespace: bytes
    grade: int
    prompt_digest: bytes
    prompt_tokens: int
    decode_worker: str
    decode_incarnation: str
    published_unix_ms: int
    lease_ms: int
    transfer: Mapping[str, Any]

    def sign(self, key: TicketKey) -> bytes:
        """Return the bytes that travel. Raises Unavailable (PROTOCOL) when the engine's object is too large to hand on."""
        plain = {name: value.hex() if name in _BYTES else value for name, value in asdict(self).items()}
        content = json.dumps(plain, separators=(",", ":"), sort_keys=True).encode()
        head = _HEAD.pack(_MAGIC, _VERSION, len(key.id)) + key.id.encode()
        if len(head) + len(content) + _SIGNATURE_BYTES > LARGEST_BYTES:
            raise Unavailable("what the engine hands on is too large", reason="PROTOCOL")
        return head + content + hmac.digest(key.secret, head + content, sha256)

    @staticmethod
    def verify(content: bytes, key_of: Callable[[str], TicketKey | None]) -> Ticket:
        """Return the ticket. Raises FailedPrecondition (TICKET_REFUSED); what exactly is in its metadata."""
        if not _HEAD.size + _SIGNATURE_BYTES < len(content) <= LARGEST_BYTES:
            raise refused("MALFORMED")
        magic, version, id_length = _HEAD.unpack_from(content)
        if (magic, version) != (_MAGIC, _VERSION):
            raise refused("MALFORMED")
        start, end = _HEAD.size + id_length, len(content) - _SIGNATURE_BYTES
        key = key_of(content[_HEAD.size : start].decode("ascii", "replace")) if start < end else None
        if key is None:
            raise refused("KEY_UNKNOWN")
        if not hmac.compare_digest(hmac.digest(key.secret, content[:end], sha256), content[end:]):
            raise refused("SIGNATURE_INVALID")
        try:
            plain = parse_json(content[start:end])
            told: Any = {each.name: bytes.fromhex(plain[each.name]) if each.name in _BYTES else plain[each.name] for each in fields(Ticket)}
            return Ticket(**told)
        except (InvalidDocument, KeyError, TypeError, ValueError):
            raise refused("MALFORMED") from None

    def check(self, expected: Expected, now_unix_ms: int) -> int:
        """Return how many milliseconds are left of its lease.

        Raises FailedPrecondition (TICKET_REFUSED) for the first thing that is other than asked, Unavailable (LEASE_EXPIRED).
        """
        for field in fields(Expected):
            if getattr(self, field.name) != getattr(expected, field.name):
                raise refused(f"{field.name.upper()}_MISMATCH")
        if self.published_unix_ms > now_unix_ms + SKEW_MS:
            raise refused("CLOCK")
        left_ms = self.published_unix_ms + self.lease_ms - now_unix_ms
        if left_ms <= 0:
            raise lease_expired()
        return left_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a decode request asks for, and who is asked: a ticket must be for this and nothing else."""

    decode_worker: str
    decode_incarnation: str
    model_digest: bytes
    layout_digest: bytes
    request_id: str
    tenant_digest: bytes
    namespace: bytes
    grade: int
    prompt_tokens: int
    prompt_digest: bytes


def prompt_digest(tokens: Sequence[int]) -> bytes:
    """Return the BLAKE2b-256 of token ids."""
    return blake2b(struct.pack(f"<{len(tokens)}I", *tokens), digest_size=32).digest()


def refused(why: str) -> FailedPrecondition:
    """Return the error of a ticket that is not taken; ``why``: UPPER_SNAKE."""
    return FailedPrecondition("the ticket is not for this", reason="TICKET_REFUSED", metadata={"because": why})


def lease_expired() -> Unavailable:
    """Return the error of keys and values that may be gone."""
    return Unavailable("the lease of the keys and values is over", reason="LEASE_EXPIRED")
