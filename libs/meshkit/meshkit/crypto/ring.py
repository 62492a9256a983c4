"""Rings: the keys of one purpose that rotate. The primary writes; every accepted key, the primary among them, still reads.

A ring is a JSON file of its own, so that a process is handed the purposes it has and no other::

    {"purpose": "seal", "primary": "2026-11", "keys": {"2026-11": "<64 hexadecimal digits>", "dev-1": "<...>"}}

Keys are 32-byte sub-keys of one purpose, whose name stands in the file, so that a file in the wrong place is refused. ``primary`` null: a
ring that only reads. Take ``primary`` once for all that belongs together: the next look may find another key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from meshkit.errors import FailedPrecondition, InvalidDocument
from meshkit.reload import Reloaded, read_file
from meshkit.strict_json import parse_json

KEY_BYTES = 32
MAX_KEYS = 64
_MAX_FILE_BYTES = 64 * 1024
_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{64}")
_FIELDS = {"purpose", "primary", "keys"}


@dataclass(frozen=True, slots=True)
class RingKeys:
    """What a ring file says. ``primary`` empty: none."""

    purpose: str
    primary: str
    secrets: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what is no ring. Raises FailedPrecondition (KEY_RING_INVALID), which never repeats a secret."""
        wrong_ids = [key_id for key_id in self.secrets if not _KEY_ID.fullmatch(key_id)]
        if wrong_ids or len(self.secrets) > MAX_KEYS:
            raise key_ring_invalid(self.purpose, f"{MAX_KEYS} keys at most, with ids of 64 letters, digits, dots and dashes at most")
        if any(len(secret) != KEY_BYTES for secret in self.secrets.values()):
            raise key_ring_invalid(self.purpose, f"a key has {KEY_BYTES} bytes")
        if len(set(self.secrets.values())) != len(self.secrets):
            raise key_ring_invalid(self.purpose, "two ids name the same key")
        if self.primary and self.primary not in self.secrets:
            raise key_ring_invalid(self.purpose, "the primary is not among the keys")

    @classmethod
    def parse(cls, content: bytes, purpose: str) -> RingKeys:
        """Return the keys of a file that is for this purpose. Raises FailedPrecondition (KEY_RING_INVALID)."""
        try:
            document = parse_json(content)
        except InvalidDocument as error:
            raise key_ring_invalid(purpose, error.message) from None
        if not isinstance(document, dict) or document.keys() != _FIELDS or not isinstance(document["keys"], dict):
            raise key_ring_invalid(purpose, "a ring has purpose, primary and keys")
        if document["purpose"] != purpose:
            raise key_ring_invalid(purpose, "the file is for another purpose")
        primary, keys = document["primary"], document["keys"]
        if not isinstance(primary, str | None) or primary == "":
            raise key_ring_invalid(purpose, "primary is an id or null")
        if not all(isinstance(secret, str) and _HEXADECIMAL.fullmatch(secret) for secret in keys.values()):
            raise key_ring_invalid(purpose, f"a key is {2 * KEY_BYTES} hexadecimal digits")
        return cls(purpose, primary or "", {key_id: bytes.fromhex(secret) for key_id, secret in keys.items()})

    def content(self) -> bytes:
        """Return the file's bytes."""
        keys = {key_id: secret.hex() for key_id, secret in self.secrets.items()}
        return json.dumps({"purpose": self.purpose, "primary": self.primary or None, "keys": keys}, indent=1).encode() + b"\n"


class RingKey(Protocol):
    """A key as its purpose uses it."""

    @property
    def id(self) -> str:
        """Return the id that is written beside everything made with the key."""
        ...


_Key = TypeVar("_Key", bound=RingKey)
_Held = tuple[_Key | None, dict[str, _Key]]  # the primary; every accepted key by id


class Ring(Generic[_Key]):
    """The keys of one purpose in force. ``make`` turns id and 32 bytes into what the purpose uses, a CommitmentKey for instance.

    A ring of a file (`Service.ring`) takes what its file says while it is in use.
    """

    def __init__(self, keys: RingKeys, make: Callable[[str, bytes], _Key]) -> None:
        self.purpose = keys.purpose
        self._make = make
        self._held = self._made(keys)
        self._read: Callable[[], bytes] | None = None
        self._file: Reloaded[bytes, _Held[_Key]] | None = None

    @classmethod
    def of_file(cls, path: Path, purpose: str, make: Callable[[str, bytes], _Key]) -> Ring[_Key]:
        """Return the ring of a file. Raises FailedPrecondition (KEY_RING_INVALID)."""
        ring = cls(read_ring(path, purpose), make)
        ring._read = partial(read_private, path, purpose)
        ring._file = Reloaded(f"key ring {purpose}", ring._read, ring._loaded, reason="KEY_RING_INVALID")
        return ring

    @property
    def primary(self) -> _Key:
        """Return the key that writes. Raises FailedPrecondition (NO_PRIMARY_KEY) on a ring that only reads."""
        primary = self._held[0]
        if primary is None:
            raise FailedPrecondition(f"the ring {self.purpose} has no primary key", reason="NO_PRIMARY_KEY")
        return primary

    @property
    def accepted(self) -> tuple[_Key, ...]:
        """Return every key that may still be met, the primary first."""
        return tuple(self._held[1].values())

    @property
    def hash(self) -> bytes:
        """Return the SHA-256 of purpose, primary and accepted ids: it says which keys are in force and nothing of their secrets."""
        primary, keys = self._held
        return sha256(json.dumps([self.purpose, primary and primary.id, sorted(keys)]).encode()).digest()

    def get(self, key_id: str) -> _Key | None:
        """Return the accepted key of an id, None when there is none (any more)."""
        return self._held[1].get(key_id)

    async def reload(self) -> None:
        """Put the file's keys in force, in one step. Raises FailedPrecondition (KEY_RING_INVALID); then the last good keys stay."""
        if self._file is not None:
            await self._file.reload()
            self._held = self._file.value

    def refresh(self) -> None:
        """Look at the file now, for what can't be judged twice; whatever is wrong with it, the last good keys stay."""
        if self._read is not None:
            with suppress(FailedPrecondition):
                self._held = self._loaded(self._read())

    def _loaded(self, content: bytes) -> _Held[_Key]:
        keys = RingKeys.parse(content, self.purpose)
        if self._held[0] is not None and not keys.primary:
            raise key_ring_invalid(self.purpose, "whoever writes needs a primary")
        return self._made(keys)

    def _made(self, keys: RingKeys) -> _Held[_Key]:
        ids = sorted(keys.secrets, key=lambda key_id: key_id != keys.primary)
        made = {key_id: self._make(key_id, keys.secrets[key_id]) for key_id in ids}
        return made.get(keys.primary), made


def read_ring(path: Path, purpose: str) -> RingKeys:
    """Return the keys of a file. Raises FailedPrecondition (KEY_RING_INVALID)."""
    return RingKeys.parse(read_private(path, purpose), purpose)


def read_private(path: Path, purpose: str) -> bytes:
    """Return the content of a file that only its owner and group can reach. Raises FailedPrecondition (KEY_RING_INVALID)."""
    try:
        if path.stat().st_mode & 0o007:
            raise key_ring_invalid(purpose, f"{path.name} is open to everybody: chmod 600")
        return read_file(path, _MAX_FILE_BYTES)
    except OSError as error:
        raise key_ring_invalid(purpose, f"{path.name}: {error.strerror}") from error


def key_ring_invalid(purpose: str, why: str) -> FailedPrecondition:
    """Return the error of a ring that can't be used; ``why`` holds no secret."""
    return FailedPrecondition(f"key ring {purpose}: {why}", reason="KEY_RING_INVALID")
