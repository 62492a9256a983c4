"""safetensors: a header of JSON, then the bytes of each tensor. The file is not trusted: see gguf_file.py."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from llm.architecture import F32
from llm.errors import MalformedModelError, UnsupportedModelError

MOST_HEADER_BYTES = 32 << 20
_WIDTHS = {"F32": 4, "F16": 2, "BF16": 2}


class SafetensorsFile:
    """`shapes` by name. Values are read when asked for."""

    def __init__(self, path: Path) -> None:
        """Raises MalformedModelError, UnsupportedModelError, OSError."""
        self.path = path
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, MOST_HEADER_BYTES):
                raise MalformedModelError(path, "header", f"{length} bytes of header in a file of {size}")
            header = _parsed(path, file.read(length))
        header.pop("__metadata__", None)
        self._begin = 8 + length
        self._entries = {name: self._entry(name, entry, size) for name, entry in header.items()}
        self.shapes = {name: shape for name, (_, shape, _) in self._entries.items()}

    def read(self, name: str) -> F32:
        """Return the values as 32-bit floats."""
        kind, shape, begin = self._entries[name]
        raw = np.fromfile(self.path, {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}[kind], math.prod(shape), offset=begin)
        if kind == "BF16":
            return (raw.astype(np.uint32) << 16).view(np.float32).reshape(shape)
        return raw.astype(np.float32, copy=False).reshape(shape)

    def _entry(self, name: str, entry: object, size: int) -> tuple[str, tuple[int, ...], int]:
        where = f"tensor {name[:200]}"
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise MalformedModelError(self.path, where, "not dtype, shape and data_offsets")
        kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not _whole(shape) or len(shape) > 8 or not _whole(offsets) or len(offsets) != 2:
            raise MalformedModelError(self.path, where, "shape and data_offsets are not whole numbers")
        if kind not in _WIDTHS:
            raise UnsupportedModelError(self.path, where, f"type {str(kind)[:40]}: F32, F16 and BF16 are converted")
        begin, end = (self._begin + each for each in offsets)
        if begin > end or end > size or end - begin != math.prod(shape) * _WIDTHS[kind]:
            message = f"{kind} of shape {shape} at {offsets} in a file of {size}: truncated?"
            raise MalformedModelError(self.path, where, message)
        return kind, tuple(shape), begin


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise MalformedModelError(path, "header", "a name stands twice")
        return found

    try:
        header = json.loads(content.decode("utf-8"), object_pairs_hook=once)
    except MalformedModelError:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedModelError(path, "header", f"no JSON: {error}") from error
    if not isinstance(header, dict):
        raise MalformedModelError(path, "header", "no JSON object")
    return header


def _whole(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, int) and not isinstance(each, bool) and 0 <= each < 1 << 48 for each in value)
