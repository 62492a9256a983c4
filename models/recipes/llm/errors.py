"""Why a file does not become a model. Each names the file and the field, and is raised before anything large is read."""

from __future__ import annotations

from pathlib import Path


class ModelError(ValueError):
    """`path`: the file; `field`: the place in it (a key, a tensor, an offset), empty for the whole."""

    def __init__(self, path: Path, field: str, message: str) -> None:
        super().__init__(f"{path.name}: {field}: {message}" if field else f"{path.name}: {message}")
        self.path, self.field = path, field


class MalformedModelError(ModelError):
    """The file is broken, truncated or contradicts itself."""


class UnsupportedModelError(ModelError):
    """The file is sound, and what it holds cannot be converted here; the message names it."""
