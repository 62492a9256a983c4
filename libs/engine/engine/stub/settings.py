"""What one engine is told: `engine.json` beside the model's config.pbtxt, version 1, strict. The only settings inside Triton.

    {"version": 1, "role": "prefill", "worker_id": "triton-prefill", "model": "/folder", "rows": 4, "max_len_tokens": 2048, "threads": 1,
     "arena_bytes": 0, "prefix_store_bytes": 0, "ticket_keys": "/tickets.json", "pid_file": "/triton.pid", "vendor": "onnxruntime",
     "device": "cpu", "zone": "local", "highest_grade": 3, "price_per_hour_minor": 0, "rated_power_w": 0, "chunk_tokens": 0,
     "kv": {"socket": "/kv.sock", "listen": "127.0.0.1:18013", "address": "127.0.0.1:18013", "certificate": "/c.pem", "key": "/k.pem",
            "authority": "/a.pem", "server_name": "inference-prefill", "peers": ["inference-decode"]}}

`kv.socket` and `kv.listen` are where a prefill engine serves blocks, `kv.address` is what its tickets name; all are empty at a decode
engine. The three files of TLS belong to both ends, `server_name` is who a decode engine expects there. `chunk_tokens` 0: set at
warm-up, so that a step takes at most 250 ms. `rated_power_w` and `chunk_tokens` may be missing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

FILE = "engine.json"
_LARGEST_BYTES = 64 * 1024
_GRADES = 5


class Role(StrEnum):
    """What the engine is for."""

    PREFILL = "prefill"
    DECODE = "decode"


class SettingsError(ValueError):
    """engine.json is missing or wrong; the message names the field."""


@dataclass(frozen=True, slots=True)
class KvSettings:
    """The endpoint of keys and values. Files are None without TLS, which only the Unix socket does without."""

    socket: str
    listen: str
    address: str
    certificate: Path | None
    key: Path | None
    authority: Path | None
    server_name: str
    peers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Settings:
    """Version 1. Sizes are budgets: an engine takes them whole at its start. ``threads``: of one step."""

    role: Role
    worker_id: str
    model: Path
    rows: int
    max_len_tokens: int
    threads: int
    arena_bytes: int
    prefix_store_bytes: int
    ticket_keys: Path
    pid_file: Path | None
    vendor: str
    device: str
    zone: str
    highest_grade: int
    price_per_hour_minor: int
    rated_power_w: float
    chunk_tokens: int
    kv: KvSettings


def read(folder: Path) -> Settings:
    """Return the settings of the model in ``folder``. Raises SettingsError."""
    path = folder / FILE
    try:
        content = path.read_bytes()
        document = json.loads(content, object_pairs_hook=_once) if len(content) <= _LARGEST_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: {error}") from None
    try:
        return _settings(_Object(document, ""))
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def _settings(found: _Object) -> Settings:
    if found.whole("version", 1, 1) != 1:
        raise SettingsError("version")
    settings = Settings(
        role=Role(found.one_of("role", *Role)),
        worker_id=found.text("worker_id"),
        model=Path(found.text("model")),
        rows=found.whole("rows", 1, 1024),
        max_len_tokens=found.whole("max_len_tokens", 16, 1 << 20),
        threads=found.whole("threads", 1, 1024),
        arena_bytes=found.whole("arena_bytes", 0, 1 << 50),
        prefix_store_bytes=found.whole("prefix_store_bytes", 0, 1 << 50),
        ticket_keys=Path(found.text("ticket_keys")),
        pid_file=_path(found.text("pid_file", empty=True)),
        vendor=found.text("vendor"),
        device=found.text("device"),
        zone=found.text("zone"),
        highest_grade=found.whole("highest_grade", 1, _GRADES),
        price_per_hour_minor=found.whole("price_per_hour_minor", 0, 1 << 31),
        rated_power_w=found.number("rated_power_w", 0.0),
        chunk_tokens=found.whole("chunk_tokens", 0, 1 << 20, default=0),
        kv=_kv(found.child("kv")),
    )
    found.done()
    return settings


def _kv(found: _Object) -> KvSettings:
    files = [_path(found.text(name, empty=True)) for name in ("certificate", "key", "authority")]
    if any(files) and not all(files):
        raise SettingsError("kv: certificate, key and authority: all three or none")
    kv = KvSettings(
        socket=found.text("socket", empty=True),
        listen=found.text("listen", empty=True),
        address=found.text("address", empty=True),
        certificate=files[0],
        key=files[1],
        authority=files[2],
        server_name=found.text("server_name", empty=True),
        peers=found.names("peers"),
    )
    found.done()
    if kv.listen and not all(files):
        raise SettingsError("kv.listen: keys and values are served over TLS or a Unix socket alone")
    return kv


class _Object:
    """Fields of one object, each taken once."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise SettingsError(f"{path or 'the whole'}: an object is expected")
        self._left: dict[str, Any] = dict(value)
        self._path = path

    def _take(self, name: str) -> Any:
        if name not in self._left:
            raise SettingsError(f"{self._path}{name} is missing")
        return self._left.pop(name)

    def _refuse(self, name: str, expected: str) -> SettingsError:
        return SettingsError(f"{self._path}{name}: {expected} is expected")

    def text(self, name: str, *, empty: bool = False) -> str:
        value = self._take(name)
        if not isinstance(value, str) or len(value) > 4096 or "\0" in value or not (value or empty):
            raise self._refuse(name, "text")
        return value

    def one_of(self, name: str, *values: str) -> str:
        value = self._take(name)
        if value not in values:
            raise self._refuse(name, " or ".join(values))
        return str(value)

    def whole(self, name: str, least: int, most: int, default: int | None = None) -> int:
        value = self._take(name) if default is None else self._left.pop(name, default)
        if type(value) is not int or not least <= value <= most:
            raise self._refuse(name, f"a whole number from {least} to {most}")
        return value

    def number(self, name: str, default: float) -> float:
        value = self._left.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise self._refuse(name, "a number, not negative")
        return float(value)

    def names(self, name: str) -> frozenset[str]:
        value = self._take(name)
        if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
            raise self._refuse(name, "a list of names")
        return frozenset(value)

    def child(self, name: str) -> _Object:
        return _Object(self._take(name), f"{self._path}{name}.")

    def done(self) -> None:
        """Raise SettingsError when a field was not asked for."""
        for name in self._left:
            raise SettingsError(f"{self._path}{name} is not known here")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field stands twice")
    return found


def _path(text: str) -> Path | None:
    return Path(text) if text else None
