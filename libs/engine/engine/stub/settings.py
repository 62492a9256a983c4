"""What one engine is told: `engine.json` beside the model's config.pbtxt, version 1, strict. The only settings inside Triton.

    {"version": 1, "role": "prefill", "worker_id": "triton-prefill", "model": "/folder", "rows": 4, "max_len_tokens": 2048, "threads": 1,
     "arena_bytes": 0, "prefix_store_bytes": 0, "ticket_keys": "/tickets.json", "pid_file": "/triton.pid", "vendor": "onnxruntime",
     "device": "cpu", "zone": "local", "highest_grade": 3, "price_per_hour_minor": 0, "rated_power_w": 15, "chunk_tokens": 0,
     "kv": {"socket": "/kv.sock", "listen": "127.0.0.1:18013", "address": "127.0.0.1:18013", "certificate": "/c.pem", "key": "/k.pem",
            "authority": "/a.pem", "server_name": "inference-prefill", "peers": ["inference-decode"]}}

`kv.socket` and `kv.listen` are where a prefill engine serves blocks, `kv.address` is what its tickets name; all are empty at a decode
engine. The three files of TLS belong to both ends, `server_name` is who a decode engine expects there. `chunk_tokens` 0: set at
warm-up, so that a step takes at most 250 ms. `rated_power_w` and `chunk_tokens` may be missing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.llm.fields import Fields, MalformedManifestError

FILE = "engine.json"
_LARGEST_BYTES = 64 * 1024
_LARGEST_BUDGET_BYTES = 1 << 50
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

    socket: Path | None
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
        with path.open("rb") as file:
            return _settings(Fields.of_json(file.read(_LARGEST_BYTES)))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except MalformedManifestError as error:
        raise SettingsError(f"{path}: {str(error).removeprefix('manifest: ')}") from None


def _settings(found: Fields) -> Settings:
    found.integer("version", 1, 1)
    settings = Settings(
        role=Role(found.one_of("role", *Role)),
        worker_id=found.text("worker_id"),
        model=path_of(found.text("model")),
        rows=found.integer("rows", 1, 1024),
        max_len_tokens=found.integer("max_len_tokens", 16, 1 << 20),
        threads=found.integer("threads", 1, 1024),
        arena_bytes=found.integer("arena_bytes", 0, _LARGEST_BUDGET_BYTES),
        prefix_store_bytes=found.integer("prefix_store_bytes", 0, _LARGEST_BUDGET_BYTES),
        ticket_keys=path_of(found.text("ticket_keys")),
        pid_file=_path(found, "pid_file"),
        vendor=found.text("vendor"),
        device=found.text("device"),
        zone=found.text("zone"),
        highest_grade=found.integer("highest_grade", 1, _GRADES),
        price_per_hour_minor=found.integer("price_per_hour_minor", 0),
        rated_power_w=found.number("rated_power_w") if "rated_power_w" in found.names else 0.0,
        chunk_tokens=found.integer("chunk_tokens", 0, 1 << 20) if "chunk_tokens" in found.names else 0,
        kv=_kv(found.child("kv")),
    )
    found.done()
    return settings


def _kv(found: Fields) -> KvSettings:
    kv = KvSettings(
        socket=_path(found, "socket"),
        listen=found.text("listen", may_be_empty=True),
        address=found.text("address", may_be_empty=True),
        certificate=_path(found, "certificate"),
        key=_path(found, "key"),
        authority=_path(found, "authority"),
        server_name=found.text("server_name", may_be_empty=True),
        peers=frozenset(found.texts("peers")),
    )
    found.done()
    files = (kv.certificate, kv.key, kv.authority)
    if any(files) and not all(files):
        raise MalformedManifestError("kv", "certificate, key and authority: all three or none")
    if kv.listen and not all(files):
        raise MalformedManifestError("kv.listen", "keys and values are served over TLS or a Unix socket alone")
    return kv


def _path(found: Fields, name: str) -> Path | None:
    text = found.text(name, may_be_empty=True)
    return path_of(text) if text else None


def path_of(text: str) -> Path:
    """Return a path as this Python writes it: Triton's takes names of files for ASCII, and everything else for bytes in disguise."""
    return Path(os.fsdecode(text.encode()))
