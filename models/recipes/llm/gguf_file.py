"""GGUF, versions 2 and 3, little-endian: metadata and where each tensor lies. Nothing here knows what a model is.

Surprising: the file is not trusted. Every count is held against the bytes that are left before anything is made of it, numbers of an array
stay views of the mapped file, and what the metadata may take in all is bounded, so that a small hostile file costs a small error.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

import numpy as np
import numpy.typing as npt

from llm.errors import MalformedModelError, UnsupportedModelError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
MOST_METADATA_BYTES, MOST_STRINGS, MOST_TENSORS, MOST_FIELDS = 256 << 20, 2_000_000, 100_000, 10_000
MOST_NAME_BYTES, MOST_TEXT_BYTES, MOST_AXES = 1024, 16 << 20, 4
_STRING, _ARRAY, _BOOL = 8, 9, 7
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", _BOOL: "?", 10: "Q", 11: "q", 12: "d"}
_KINDS = {0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 8: ("Q8_0", 32, 34)}
"""Those that are converted: name, numbers in a block, bytes of a block."""
_OTHERS = {
    6: "Q5_0", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS",
    18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
    29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    """`shape` as numpy has it, slowest axis first; `content` (rows, bytes of a row), a view of the file."""

    kind: str
    shape: tuple[int, ...]
    content: npt.NDArray[np.uint8]


class GgufFile:
    """`metadata` by key (arrays of numbers as numpy arrays, of strings as lists), `tensors` by name."""

    def __init__(self, path: Path) -> None:
        """Raises MalformedModelError, UnsupportedModelError, OSError."""
        self.path = path
        with path.open("rb") as file:
            if file.seek(0, 2) < 24:
                raise MalformedModelError(path, "header", "shorter than a header")
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._at, self._place, self._strings = 0, "header", 0
        fields, tensors = self._header()
        self.metadata = dict(self._metadata(fields))
        self.tensors = self._tensors(tensors)

    def _header(self) -> tuple[int, int]:
        if self._raw(4) != MAGIC:
            self._refuse("does not begin with GGUF")
        version = self._number("I")
        if version not in VERSIONS:
            big = version and not version & 0xFFFF
            raise UnsupportedModelError(self.path, "version", "big-endian" if big else f"{version} is not known here: {VERSIONS} are")
        tensors, fields = self._number("Q"), self._number("Q")
        if tensors > MOST_TENSORS or fields > MOST_FIELDS:
            self._refuse(f"{tensors} tensors and {fields} fields: more than {MOST_TENSORS} and {MOST_FIELDS}")
        return fields, tensors

    def _metadata(self, count: int) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for index in range(count):
            self._place = f"metadata field {index}"
            key = self._name()
            if key in seen:
                self._refuse(f"{key} stands twice")
            seen.add(key)
            self._place = key
            yield key, self._value(self._number("I"))
            if self._at > MOST_METADATA_BYTES:
                self._refuse(f"metadata of more than {MOST_METADATA_BYTES} bytes")

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._text(self._number("Q"))
        if kind == _ARRAY:
            return self._array(self._number("I"), self._number("Q"))
        if kind not in _SCALARS:
            self._refuse(f"a value of type {kind}, which is not known")
        return self._number(_SCALARS[kind])

    def _array(self, kind: int, count: int) -> Any:
        if kind == _STRING:
            self._strings += count
            if count > self._left // 8 or self._strings > MOST_STRINGS:
                self._refuse(f"{count} strings: more than the file holds, or than {MOST_STRINGS} in all")
            return [self._text(self._number("Q")) for _ in range(count)]
        if kind not in _SCALARS:
            self._refuse(f"an array of type {kind}, which is not known here")
        dtype = np.dtype("<" + _SCALARS[kind]) if kind != _BOOL else np.dtype(np.bool_)
        return np.frombuffer(self._view(count * dtype.itemsize), dtype)

    def _tensors(self, count: int) -> dict[str, Tensor]:
        found: dict[str, tuple[str, tuple[int, ...], int, int]] = {}
        for index in range(count):
            self._place = f"tensor {index}"
            name = self._name()
            if name in found:
                self._refuse(f"{name} stands twice")
            self._place = f"tensor {name}"
            found[name] = self._described()
        alignment = self.metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or isinstance(alignment, bool) or not 1 <= alignment <= 1 << 20 or alignment & (alignment - 1):
            raise MalformedModelError(self.path, "general.alignment", f"{alignment!r} is no power of two")
        begin = -(-self._at // alignment) * alignment
        return {name: self._placed(name, begin, alignment, *each) for name, each in found.items()}

    def _described(self) -> tuple[str, tuple[int, ...], int, int]:
        """(kind, shape, bytes of a row, offset)."""
        axes = self._number("I")
        if not 1 <= axes <= MOST_AXES:
            self._refuse(f"{axes} axes")
        shape = tuple(self._number("Q") for _ in range(axes))[::-1]
        code, offset = self._number("I"), self._number("Q")
        if code not in _KINDS:
            raise UnsupportedModelError(
                self.path, self._place, f"type {_OTHERS.get(code, code)}: F32, F16, Q8_0, Q4_0 and Q4_1 are converted"
            )
        kind, block, size = _KINDS[code]
        if min(shape) < 1 or shape[-1] % block:
            self._refuse(f"shape {shape} does not fit blocks of {block}")
        return kind, shape, shape[-1] // block * size, offset

    def _placed(self, name: str, begin: int, alignment: int, kind: str, shape: tuple[int, ...], row: int, offset: int) -> Tensor:
        rows = math.prod(shape[:-1])
        first, last = begin + offset, begin + offset + rows * row
        if offset % alignment or last > len(self._bytes):
            raise MalformedModelError(self.path, f"tensor {name}", f"bytes {first} to {last} of a file of {len(self._bytes)}: truncated?")
        content = np.frombuffer(self._bytes, np.uint8, rows * row, first).reshape(rows, row)
        return Tensor(kind, shape, content)

    @property
    def _left(self) -> int:
        return len(self._bytes) - self._at

    def _view(self, count: int) -> memoryview:
        if count > self._left:
            self._refuse(f"{count} bytes wanted, {self._left} left: truncated?")
        self._at += count
        return memoryview(self._bytes)[self._at - count : self._at]

    def _raw(self, count: int) -> bytes:
        return bytes(self._view(count))

    def _number(self, kind: str) -> Any:
        (value,) = struct.unpack("<" + kind, self._raw(struct.calcsize("<" + kind)))
        return value

    def _name(self) -> str:
        if (size := self._number("Q")) > MOST_NAME_BYTES:
            self._refuse(f"a name of {size} bytes")
        return self._text(size)

    def _text(self, size: int) -> str:
        if size > MOST_TEXT_BYTES:
            self._refuse(f"a text of {size} bytes: more than {MOST_TEXT_BYTES}")
        try:
            return self._raw(size).decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedModelError(self.path, self._place, f"no UTF-8: {error.reason}") from error

    def _refuse(self, message: str) -> Never:
        raise MalformedModelError(self.path, self._place, message)
