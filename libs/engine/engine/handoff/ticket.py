"""The ticket: what the decoding end must know and may trust about keys and values that wait elsewhere.

`Claims` are the engine's word; publishing adds where the bytes are, what they hash to and for how long. It travels through the router,
which cannot change it: HMAC-SHA256 under a key of the release. Surprising: the signature is checked before anything is parsed, and a ticket
has one encoding (`ticket_codec`), so that what was signed is what is read.
"""

from __future__ import annotations

import hmac
import secrets
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from engine.handoff import ticket_codec
from engine.handoff.chain import block_ids
from engine.handoff.claims import Claims, Location
from engine.handoff.errors import TicketRefused

SCHEMA_VERSION = ticket_codec.SCHEMA_VERSION
LARGEST_BYTES = 128 << 10
_HEAD = struct.Struct("!4sHB")  # magic, schema version, length of the key id
_MAGIC = b"FKVT"
_SIGNATURE_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket(Claims):
    """``checksums``: xxh3 of each block from ``first_block`` on. ``lease_ms`` runs on P's own clock; ``published_unix_ms`` is a hint."""

    schema_version: int
    layout_digest: bytes
    block_tokens: int
    incarnation: str
    checksums: tuple[int, ...]
    last_valid_tokens: int
    locations: tuple[Location, ...]
    access_token: bytes
    lease_ms: int
    published_unix_ms: int

    @property
    def blocks(self) -> int:
        """Blocks of the whole prompt."""
        return len(self.block_ids)

    def valid_tokens(self, block: int) -> int:
        """Tokens of a block."""
        return self.last_valid_tokens if block == self.blocks - 1 else self.block_tokens

    def sign(self, key: TicketKey) -> bytes:
        """Return the bytes that travel. Raises TicketRefused (MALFORMED) for a field out of its bounds."""
        head = _HEAD.pack(_MAGIC, self.schema_version, len(key.key_id)) + key.key_id.encode()
        content = ticket_codec.encode(self)
        if Ticket(**ticket_codec.decode(content)) != self:
            raise TicketRefused("MALFORMED", "what was written reads differently")
        return head + content + key.signature(head + content)

    @staticmethod
    def verify(content: bytes, keys: Mapping[str, bytes]) -> Ticket:
        """Return the ticket. ``keys``: secrets by key id.

        Raises TicketRefused (MALFORMED, VERSION_UNKNOWN, KEY_UNKNOWN, SIGNATURE_INVALID).
        """
        if not _HEAD.size + _SIGNATURE_BYTES < len(content) <= LARGEST_BYTES:
            raise TicketRefused("MALFORMED", f"{len(content)} bytes")
        magic, version, id_length = _HEAD.unpack_from(content)
        if magic != _MAGIC:
            raise TicketRefused("MALFORMED", "this is no ticket")
        if version != SCHEMA_VERSION:
            raise TicketRefused("VERSION_UNKNOWN", f"version {version}, {SCHEMA_VERSION} is known here")
        start, end = _HEAD.size + id_length, len(content) - _SIGNATURE_BYTES
        key_id = content[_HEAD.size : start].decode("ascii", "replace")
        if start >= end or key_id not in keys:
            raise TicketRefused("KEY_UNKNOWN", "signed with a key that is not known here")
        if not hmac.compare_digest(TicketKey(key_id, keys[key_id]).signature(content[:end]), content[end:]):
            raise TicketRefused("SIGNATURE_INVALID")
        return Ticket(**ticket_codec.decode(content[start:end]))

    def check(self, expected: Expected) -> None:
        """Raise TicketRefused with the reason of the first thing that is other than asked: LAYOUT_MISMATCH, TOKENS_MISMATCH, …"""
        for reason, here, there in (
            ("LAYOUT_MISMATCH", self.layout_digest, expected.layout_digest),
            ("MODEL_MISMATCH", self.model_digest, expected.model_digest),
            ("TOKENIZER_MISMATCH", self.tokenizer_digest, expected.tokenizer_digest),
            ("REQUEST_MISMATCH", self.request_id.encode(), expected.request_id.encode()),
            ("TENANT_MISMATCH", self.tenant_digest, expected.tenant_digest),
            ("NAMESPACE_MISMATCH", self.namespace, expected.namespace),
            ("GRADE_MISMATCH", bytes([self.grade]), bytes([expected.grade])),
            ("GRAMMAR_MISMATCH", self.grammar_digest, expected.grammar_digest),
        ):
            if not hmac.compare_digest(here, there):
                raise TicketRefused(reason)
        if self.seed != expected.seed or len(self.first_tokens) != expected.choices:
            raise TicketRefused("SAMPLING_MISMATCH")
        same = self.token_count == len(expected.tokens)
        if not same or self.block_ids != block_ids(self.namespace, expected.tokens, self.block_tokens):
            raise TicketRefused("TOKENS_MISMATCH", "made for another prompt")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a decode request asks for; a ticket must be for this and nothing else. ``tokens``: of the prompt."""

    layout_digest: bytes
    model_digest: bytes
    tokenizer_digest: bytes
    request_id: str
    tenant_digest: bytes
    namespace: bytes
    grade: int
    grammar_digest: bytes
    seed: int
    choices: int
    tokens: Sequence[int]


@dataclass(frozen=True, slots=True)
class TicketKey:
    """A key that signs tickets of one release. ``key_id``: 1 to 128 ASCII characters; ``secret``: 32 bytes at least."""

    key_id: str
    secret: bytes

    def __post_init__(self) -> None:
        if not (0 < len(self.key_id) <= 128 and self.key_id.isascii()) or len(self.secret) < 32:
            raise ValueError("a ticket key has an id of 1 to 128 ASCII characters and a secret of 32 bytes at least")

    @staticmethod
    def of_release(root: bytes, root_id: str, release: str) -> TicketKey:
        """Derive the key of a release: what one release signs, another does not accept."""
        secret = hmac.digest(root, b"finmesh kv ticket\x00" + release.encode(), sha256)
        return TicketKey(f"{root_id}.{sha256(release.encode()).hexdigest()[:12]}", secret)

    def signature(self, content: bytes) -> bytes:
        """HMAC-SHA256, 32 bytes."""
        return hmac.digest(self.secret, content, sha256)


def new_access_token() -> bytes:
    """Return a token for one hand-off: worth nothing once that ended."""
    return secrets.token_bytes(ticket_codec.TOKEN_BYTES)
