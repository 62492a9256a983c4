"""The folder of one process's lexical indexes: a folder for each tenant and access id, and one manifest that makes a state whole.

A state is: new files written and synced, then the manifest replaced at once, with the ledger's sequence in it, then files that nobody
names removed. Killed anywhere in between, the state before stands. Every file has a checksum. What is missing or damaged is noticed when
the folder is opened: then it is emptied and the index is made anew from the ledger. Folders are named by digests: a name tells nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from meshkit.errors import FailedPrecondition
from meshkit.strict_json import parse_json
from numpy.typing import NDArray

from rag.adapters.numpy_lexical.segment import Postings, Rows, Segment

Shards = dict[tuple[str, int], tuple[Segment, ...]]

_FORMAT = 2
_MANIFEST, _LOCK, _SHARDS = "manifest.json", "lock", "shards"

log = logging.getLogger(__name__)


class Store:
    """One folder, of this process alone. ``identity``: what shaped the terms; an index of another one is made anew."""

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder, self._identity = folder, identity
        self._lock: int | None = None

    def open(self) -> tuple[Shards, int]:
        """Return what is there and up to which sequence; nothing and 0 after damage. Raises FailedPrecondition (INDEX_FOLDER_IN_USE)."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            message = "another process has this folder of lexical indexes; each needs its own"
            raise FailedPrecondition(message, reason="INDEX_FOLDER_IN_USE") from error
        try:
            return self._load()
        except Exception as error:  # whatever is wrong with it, the ledger knows it all
            log.warning("lexical indexes are made anew from the ledger", extra={"reason": type(error).__name__})
        shutil.rmtree(self._folder / _SHARDS, ignore_errors=True)
        (self._folder / _MANIFEST).unlink(missing_ok=True)
        return {}, 0

    def close(self) -> None:
        """Let go of the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def save(self, shards: Shards, position: int) -> None:
        """Make this the state of the folder. Files that went missing are written again."""
        root = self._folder / _SHARDS
        named: dict[Path, list[NDArray[Any]]] = {}
        for (tenant, access_id), segments in shards.items():
            folder = root / _digest(tenant, access_id)
            for segment in segments:
                named[folder / f"{segment.rows.name}.rows"] = list(segment.rows.columns())
                named[folder / f"{segment.postings.name}.postings"] = segment.postings.arrays()
        there = {file for folder in _entries(root) for file in _entries(folder)}
        for file in named.keys() - there:
            _write(file, named[file])
        for folder in {file.parent for file in named.keys() - there}:
            _sync(folder)
        self._replace_manifest(shards, position)
        for file in there - named.keys():
            file.unlink(missing_ok=True)
        for folder in {file.parent for file in there} - {file.parent for file in named}:
            shutil.rmtree(folder, ignore_errors=True)

    def _replace_manifest(self, shards: Shards, position: int) -> None:
        body = json.dumps(
            {
                "format": _FORMAT,
                "identity": self._identity,
                "position": position,
                "shards": [
                    [tenant, access_id, [[segment.rows.name, segment.postings.name] for segment in segments]]
                    for (tenant, access_id), segments in shards.items()
                ],
            }
        )
        new = self._folder / f"{_MANIFEST}.new"
        with new.open("w", encoding="ascii") as file:
            file.write(f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}")
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._folder / _MANIFEST)
        _sync(self._folder)

    def _load(self) -> tuple[Shards, int]:
        file = self._folder / _MANIFEST
        if not file.exists() and not (self._folder / _SHARDS).exists():
            return {}, 0
        digest, _, body = file.read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise ValueError("the manifest is damaged")
        manifest = parse_json(body)
        if (manifest["format"], manifest["identity"]) != (_FORMAT, self._identity):
            raise ValueError("made by another analysis")
        shards: Shards = {}
        for tenant, access_id, names in manifest["shards"]:
            folder = self._folder / _SHARDS / _digest(tenant, access_id)
            shards[tenant, access_id] = tuple(_segment(folder, rows, postings) for rows, postings in names)
        return shards, int(manifest["position"])


def _segment(folder: Path, rows: str, postings: str) -> Segment:
    return Segment(Rows(*_read(folder / f"{rows}.rows"), name=rows), Postings(*_read(folder / f"{postings}.postings"), name=postings))


def _digest(tenant: str, access_id: int) -> str:
    return hashlib.sha256(f"{access_id}\0{tenant}".encode()).hexdigest()[:32]


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _write(file: Path, arrays: list[NDArray[Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file.open("wb") as opened:
        np.savez(opened, *arrays)
        opened.flush()
        os.fsync(opened.fileno())


def _read(file: Path) -> list[NDArray[Any]]:
    """Raises for anything that is not whole: an archive's members have checksums, which are looked at on reading."""
    with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
        return [archive[f"arr_{n}"] for n in range(len(archive.files))]


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
