"""The files of a model's folder, and the digest that is the model's identity: what manifests of every kind have."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

FILE, TOKENIZER = "manifest.json", "tokenizer.json"
_PIECE_BYTES = 1 << 20


class WrongFileError(ValueError):
    """A file of the model is missing, or its bytes are not those that the manifest names."""


class DigestedFiles:
    """Base of manifests, which are dataclasses: of language models and of encoders."""

    __slots__ = ()
    files: dict[str, str]

    def _fields(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    def canonical(self) -> bytes:
        """Return the bytes whose SHA-256 is the model's identity: sorted keys, no white space, ASCII."""
        return json.dumps(self._fields(), sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")

    @property
    def digest(self) -> str:
        """SHA-256, hex: the model's identity."""
        return hashlib.sha256(self.canonical()).hexdigest()

    @property
    def folder_name(self) -> str:
        """Name of the model's folder in `var/models`."""
        return self.digest[:16]

    @property
    def tokenizer_digest(self) -> str:
        """SHA-256, hex, of tokenizer.json."""
        return self.files[TOKENIZER]

    def content(self, folder: Path, name: str) -> bytes:
        """Return the bytes of one of the model's files, checked. Raises WrongFileError."""
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise WrongFileError(f"{folder / name} cannot be read: {error.strerror}") from error
        self._compare(folder / name, name, hashlib.sha256(content).hexdigest())
        return content

    def verify(self, folder: Path) -> None:
        """Read every file of the model and compare its digest. Raises WrongFileError."""
        for name in self.files:
            digest = hashlib.sha256()
            try:
                with (folder / name).open("rb") as file:
                    while piece := file.read(_PIECE_BYTES):
                        digest.update(piece)
            except OSError as error:
                raise WrongFileError(f"{folder / name} cannot be read: {error.strerror}") from error
            self._compare(folder / name, name, digest.hexdigest())

    def _compare(self, path: Path, name: str, found: str) -> None:
        if found != self.files.get(name):
            raise WrongFileError(f"{path} has SHA-256 {found}, the manifest names {self.files.get(name)}")


class ModelFiles(DigestedFiles):
    """What manifests of language models have beside their files."""

    __slots__ = ()
    vocabulary: int
    max_position: int
    max_len: int
    end_ids: tuple[int, ...]
    bos_id: int | None
    template: str | None
