"""Keys that sign tickets: a ring file of the mesh's shape, whose keys are derived once more for the release that this engine serves.

Surprising: what one release signed another does not accept, so that keys and values never cross from one pair of models to another,
although both rings hold the same root. The file is looked at again when it changed; one that is broken then leaves the last good keys.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.handoff.ticket import TicketKey

PURPOSE = "tickets"
_LARGEST_BYTES = 64 * 1024
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{64}")
_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,47}")


class KeysError(ValueError):
    """The ring is missing or wrong; the message repeats no secret."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    stamp: tuple[int, int, int]
    primary: TicketKey
    accepted: Mapping[str, bytes]


class TicketKeys:
    """Thread-safe. ``release``: what both ends of a hand-off have in common, of which each key is made."""

    def __init__(self, path: Path, release: str) -> None:
        """Read the ring. Raises KeysError."""
        self._path, self._release = path, release
        self._lock = threading.Lock()
        self._loaded = self._load()

    @property
    def primary(self) -> TicketKey:
        """Return the key that signs."""
        return self._newest().primary

    @property
    def accepted(self) -> Mapping[str, bytes]:
        """Return the secrets of all keys that may have signed, by id."""
        return self._newest().accepted

    def _newest(self) -> _Loaded:
        with self._lock:
            try:
                if self._stamp() != self._loaded.stamp:
                    self._loaded = self._load()
            except (KeysError, OSError):
                return self._loaded
            return self._loaded

    def _stamp(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _load(self) -> _Loaded:
        try:
            stamp = self._stamp()
            content = self._path.read_bytes()
            ring = json.loads(content) if len(content) <= _LARGEST_BYTES else None
        except (OSError, ValueError, RecursionError):
            raise KeysError(f"{self._path} cannot be read as a ring of keys") from None
        if not isinstance(ring, dict) or ring.keys() != {"purpose", "primary", "keys"} or ring["purpose"] != PURPOSE:
            raise KeysError(f"{self._path} is no ring of the purpose {PURPOSE}")
        keys, primary = ring["keys"], ring["primary"]
        if not isinstance(keys, dict) or not all(
            _KEY_ID.fullmatch(key_id) and isinstance(secret, str) and _HEXADECIMAL.fullmatch(secret) for key_id, secret in keys.items()
        ):
            raise KeysError(f"{self._path}: a key is 64 hexadecimal digits under an id of letters, digits, dots and dashes")
        if not isinstance(primary, str) or primary not in keys:
            raise KeysError(f"{self._path}: the primary is not among the keys")
        derived = {key_id: TicketKey.of_release(bytes.fromhex(secret), key_id, self._release) for key_id, secret in keys.items()}
        return _Loaded(stamp, derived[primary], {key.key_id: key.secret for key in derived.values()})
