"""The keys of tickets: a ring file of the mesh, from which the keys of one release are derived.

The file is that of `meshkit.crypto.ring` (purpose "tickets"); it is read again when it changed, so that a key can be accepted everywhere
before anybody signs with it. A file that was spoilt meanwhile leaves the last good keys in force.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.handoff.errors import Refused
from engine.handoff.ticket import TicketKey

PURPOSE = "tickets"
_FIELDS = {"purpose", "primary", "keys"}
_LARGEST_BYTES = 64 << 10
_SECRET_BYTES = 32


class TicketKeys:
    """Keys of ``release``; thread-safe."""

    def __init__(self, path: Path, release: str) -> None:
        """Read the file. Raises Refused (KEYS_INVALID), which never repeats a secret."""
        self._path, self._release = path, release
        self._lock = threading.Lock()
        self._seen = self._version()
        self._primary, self._keys = self._read()

    @property
    def primary(self) -> TicketKey:
        """The key that signs."""
        return self._look()[0]

    @property
    def accepted(self) -> dict[str, bytes]:
        """Secrets by key id, for `Ticket.verify`."""
        return self._look()[1]

    def _look(self) -> tuple[TicketKey, dict[str, bytes]]:
        with self._lock:
            with suppress(Refused):
                if (version := self._version()) != self._seen:
                    self._primary, self._keys = self._read()
                    self._seen = version
            return self._primary, self._keys

    def _version(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise Refused("KEYS_INVALID", f"{self._path}: {error.strerror}") from error
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> tuple[TicketKey, dict[str, bytes]]:
        try:
            with self._path.open("rb") as file:
                content = file.read(_LARGEST_BYTES + 1)
            if len(content) > _LARGEST_BYTES:
                raise ValueError
            ring = json.loads(content, object_pairs_hook=_once)
            if ring.keys() != _FIELDS or ring["purpose"] != PURPOSE:
                raise ValueError
            keys = {key_id: _derived(key_id, secret, self._release) for key_id, secret in ring["keys"].items()}
            primary = keys[ring["primary"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Refused("KEYS_INVALID", f"{self._path} is no ring of keys for tickets with a primary") from None
        return primary, {key.key_id: key.secret for key in keys.values()}


def _derived(key_id: str, secret: str, release: str) -> TicketKey:
    root = bytes.fromhex(secret)
    if len(root) != _SECRET_BYTES:
        raise ValueError
    return TicketKey.of_release(root, key_id, release)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
