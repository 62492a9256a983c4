"""Sealed files: a key of its own at the head, sealed by the ring "seal"; then the content in sealed parts of at most 1 MiB.

Each part is bound to the file's name, its number and how many there are, so that none can be left out, moved, or taken from elsewhere. A
file appears whole or not at all (fsync, then rename). Destroying overwrites the key before the file goes: what a disk still holds of
the parts can't be opened.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from meshkit.crypto.ring import KEY_BYTES
from meshkit.crypto.seal import Sealer, SealKey
from meshkit.errors import DataCorrupted, Unavailable

PART_BYTES = 1024 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LENGTH_BYTES = 4
_LONGEST = 2 * PART_BYTES


@contextmanager
def disk() -> Iterator[None]:
    """Raises Unavailable: DISK_FULL, or BLOBS_UNAVAILABLE for whatever else a disk says."""
    try:
        yield
    except OSError as error:
        reason = "DISK_FULL" if error.errno in _FULL else "BLOBS_UNAVAILABLE"
        raise Unavailable("originals cannot be kept or read", reason=reason) from error


def write_sealed(path: Path, sealer: Sealer, name: str, parts: Iterable[bytes], size_bytes: int, digest: bytes) -> None:
    """Write a file whole, durably. Raises Unavailable, DataCorrupted (BLOB_DAMAGED) when the parts are not what the digest says."""
    count = -(-size_bytes // PART_BYTES)
    secret = os.urandom(KEY_BYTES)
    key, hashed = SealKey("file", secret), sha256()

    def frames() -> Iterator[bytes]:
        yield sealer.seal(secret, f"rag-blob|{name}")
        yield key.seal(json.dumps({"size_bytes": size_bytes, "sha256": digest.hex()}).encode(), f"{name}#head")
        for number, part in enumerate(parts):
            hashed.update(part)
            yield key.seal(part, f"{name}#{number}/{count}")
        if hashed.digest() != digest:
            raise DataCorrupted("an original is not what it was handed in as", reason="BLOB_DAMAGED")

    write_whole(path, (len(frame).to_bytes(_LENGTH_BYTES, "big") + frame for frame in frames()))


def write_whole(path: Path, content: Iterable[bytes]) -> None:
    """Write a file so that it is there whole, on the disk, or not at all. Raises Unavailable."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with disk():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                for piece in content:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def read_sealed(path: Path, sealer: Sealer, name: str) -> bytes | None:
    """Return the content; None without a file. Raises Unavailable, DataCorrupted (BLOB_DAMAGED, SEAL_BROKEN)."""
    with disk():
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        with file:
            key = SealKey("file", sealer.open(_frame(file), f"rag-blob|{name}"))
            head = json.loads(_opened(key, _frame(file), f"{name}#head"))
            count = -(-head["size_bytes"] // PART_BYTES)
            content = b"".join(_opened(key, _frame(file), f"{name}#{number}/{count}") for number in range(count))
            if file.read(1) or sha256(content).hexdigest() != head["sha256"]:
                raise _damaged()
            return content


def destroy_sealed(path: Path) -> None:
    """Overwrite a file's key, then remove it; nothing without a file. Raises Unavailable."""
    with disk():
        try:
            file = path.open("r+b")
        except FileNotFoundError:
            return
        with file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
            file.write(os.urandom(min(length, _LONGEST)))
            file.flush()
            os.fsync(file.fileno())
        path.unlink(missing_ok=True)
        _sync_folder(path.parent)


def _frame(file: BinaryIO) -> bytes:
    length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
    frame = file.read(length) if length <= _LONGEST else b""
    if not frame or len(frame) != length:
        raise _damaged()
    return frame


def _opened(key: SealKey, frame: bytes, place: str) -> bytes:
    content = key.open(frame, place)
    if content is None:
        raise _damaged()
    return content


def _damaged() -> DataCorrupted:
    return DataCorrupted("an original is damaged", reason="BLOB_DAMAGED")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
