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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from meshkit.errors import FailedPrecondition

KEY_BYTES = 32
MAX_KEYS = 64
_MAX_FILE_BYTES = 64 * 1024
_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
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
            raise _invalid(self.purpose, f"1 to {MAX_KEYS} keys have ids of 64 letters, digits, dots, dashes at most")
        if any(len(secret) != KEY_BYTES for secret in self.secrets.values()):
            raise _invalid(self.purpose, f"a key has {KEY_BYTES} bytes")
        if len(set(self.secrets.values())) != len(self.secrets):
            raise _invalid(self.purpose, "two ids name the same key")
        if self.primary and self.primary not in self.secrets:
            raise _invalid(self.purpose, "the primary is not among the keys")

    @classmethod
    def parse(cls, content: bytes, purpose: str) -> RingKeys:
        """Return the keys of a file that is for this purpose. Raises FailedPrecondition (KEY_RING_INVALID)."""
        try:
            document = json.loads(content[: _MAX_FILE_BYTES + 1].decode(), object_pairs_hook=_object)
            if not isinstance(document, dict) or document.keys() != _FIELDS or not isinstance(document["keys"], dict):
                raise ValueError("a ring has purpose, primary and keys")
            secrets = {key_id: bytes.fromhex(secret) for key_id, secret in document["keys"].items()}
        except (ValueError, TypeError, RecursionError) as error:
            shown = "secrets are hexadecimal" if isinstance(error, TypeError) else str(error)[:80]
            raise _invalid(purpose, shown) from None
        if document["purpose"] != purpose:
            raise _invalid(purpose, "the file is for another purpose")
        if not isinstance(document["primary"], str | None) or document["primary"] == "":
            raise _invalid(purpose, "primary is an id or null")
        return cls(purpose, document["primary"] or "", secrets)

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


class Ring(Generic[_Key]):
    """The keys of one purpose in force. ``make`` turns id and 32 bytes into what the purpose uses, a CommitmentKey for instance."""

    def __init__(self, keys: RingKeys, make: Callable[[str, bytes], _Key]) -> None:
        self.purpose = keys.purpose
        self._make = make
        self._held = self._made(keys)

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

    def get(self, key_id: str) -> _Key | None:
        """Return the accepted key of an id, None when there is none (any more)."""
        return self._held[1].get(key_id)

    def replace(self, keys: RingKeys) -> None:
        """Put other keys of the same purpose in force, in one step. Raises FailedPrecondition (KEY_RING_INVALID)."""
        if keys.purpose != self.purpose:
            raise _invalid(self.purpose, "the keys are for another purpose")
        if self._held[0] is not None and not keys.primary:
            raise _invalid(self.purpose, "whoever writes needs a primary")
        self._held = self._made(keys)

    def _made(self, keys: RingKeys) -> tuple[_Key | None, dict[str, _Key]]:
        ids = sorted(keys.secrets, key=lambda key_id: key_id != keys.primary)
        made = {key_id: self._make(key_id, keys.secrets[key_id]) for key_id in ids}
        return made.get(keys.primary), made


class FileRing(Ring[_Key]):
    """The ring of a file, for ``Service.watch(..., ring.reload)``. Raises FailedPrecondition (KEY_RING_INVALID), OSError at start."""

    def __init__(self, path: Path, purpose: str, make: Callable[[str, bytes], _Key]) -> None:
        super().__init__(read_ring(path, purpose), make)
        self._path = path

    async def reload(self) -> None:
        """Put the file's keys in force. Raises FailedPrecondition, OSError; then the last good keys stay."""
        self.replace(read_ring(self._path, self.purpose))


def read_ring(path: Path, purpose: str) -> RingKeys:
    """Return the keys of a file that nobody but its owner and group can read. Raises FailedPrecondition (KEY_RING_INVALID), OSError."""
    if path.stat().st_mode & 0o007:
        raise _invalid(purpose, f"{path.name} may be read by everybody: chmod 600")
    return RingKeys.parse(path.read_bytes(), purpose)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _invalid(purpose: str, why: str) -> FailedPrecondition:
    return FailedPrecondition(f"key ring {purpose}: {why}", reason="KEY_RING_INVALID")
