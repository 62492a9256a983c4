"""Weight matrices in the ways the graph multiplies by them, and how each of them is packed.

Every one of them stands for an (out, in) matrix. MatMulNBits takes weights of 4 or 8 bits in blocks of 32 along `in`, low nibble first, and
reads them as scale x (number - middle), the middle 8 or 128: GGUF's Q4_0 and Q8_0 exactly. Q4_1 is scale x nibble + minimum, the minimum
any float: no integer zero point says that, and float ones have no fast kernel. So the same nibbles stand in MatMulNBits and what is left,
minimum + 8 x scale for a block, is multiplied by the sum of the block's inputs: a small second product, and nothing lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llm.architecture import F32

BLOCK = 32
U8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Dense:
    """32-bit floats, (out, in); a vector has one axis."""

    values: F32

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def dense(self) -> F32:
        """The values themselves."""
        return self.values

    def rows(self, order: npt.NDArray[np.int64]) -> Dense:
        """The same matrix with its rows in another order."""
        return Dense(self.values[order])


@dataclass(frozen=True, slots=True)
class Blocks:
    """`bits` 4 or 8; `packed` (out, blocks, bytes), `scales` (out, blocks); with `minimums` (out, blocks) Q4_1, else symmetric."""

    bits: int
    packed: U8
    scales: F32
    minimums: F32 | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.packed.shape[0], self.packed.shape[1] * BLOCK

    @property
    def middle(self) -> int:
        """The number that stands for zero."""
        return 1 << (self.bits - 1)

    @property
    def offsets(self) -> F32 | None:
        """What the sums of the input's blocks are multiplied by, (blocks, out)."""
        return None if self.minimums is None else np.ascontiguousarray((self.minimums + np.float32(self.middle) * self.scales).T)

    def numbers(self) -> U8:
        """(out, blocks, 32), each 0 to 15 or 255."""
        if self.bits == 8:
            return self.packed
        return np.stack((self.packed & 15, self.packed >> 4), axis=-1).reshape(*self.scales.shape, BLOCK)

    def dense(self) -> F32:
        """The very values: one rounding for the product and one for the sum, as whoever reads GGUF does it."""
        numbers = self.numbers().astype(np.float32)
        if self.minimums is None:
            numbers -= np.float32(self.middle)
        numbers *= self.scales[..., None]
        if self.minimums is not None:
            numbers += self.minimums[..., None]
        return numbers.reshape(self.shape)

    def rows(self, order: npt.NDArray[np.int64]) -> Blocks:
        """The same matrix with its rows in another order."""
        minimums = None if self.minimums is None else self.minimums[order]
        return Blocks(self.bits, self.packed[order], self.scales[order], minimums)


Matrix = Dense | Blocks


def rounded(values: F32, bits: int) -> Blocks:
    """Round an (out, in) matrix to symmetric blocks: the largest magnitude becomes the lowest number, so that every step is used."""
    blocks = values.reshape(values.shape[0], -1, BLOCK)
    middle = 1 << (bits - 1)
    at = np.abs(blocks).argmax(axis=-1, keepdims=True)
    scales = (np.take_along_axis(blocks, at, axis=-1) / np.float32(-middle)).astype(np.float32)
    inverse = np.divide(np.float32(1), scales, out=np.zeros_like(scales), where=scales != 0)
    numbers = np.clip(np.rint(blocks * inverse) + middle, 0, 2 * middle - 1).astype(np.uint8)
    return Blocks(bits, pack(numbers) if bits == 4 else numbers, scales[..., 0])


def pack(nibbles: U8) -> U8:
    """(out, blocks, 32) values of 0 to 15, two in a byte, as MatMulNBits reads them."""
    return np.ascontiguousarray(nibbles[..., 0::2] | (nibbles[..., 1::2] << 4))


def in_nibbles(matrix: Blocks) -> tuple[Blocks, F32]:
    """An 8-bit matrix as one of 4 bits over its input written twice, and offsets for the sums of the input's blocks; nothing is lost.

    number - 128 is 16 x (high - 8) + (low - 8) + 8. ONNX Runtime has a fast kernel for 4 bits and 32-bit activations, and none for 8: the
    product of 49,152 x 576 took 93 ms, and takes 4 this way.
    """
    numbers = matrix.numbers()
    packed = np.concatenate((pack(numbers >> np.uint8(4)), pack(numbers & np.uint8(15))), axis=1)
    scales = np.concatenate((np.float32(16) * matrix.scales, matrix.scales), axis=1)
    return Blocks(4, packed, scales), np.ascontiguousarray((np.float32(8) * matrix.scales).T)


def stacked(parts: Sequence[Matrix]) -> Matrix | None:
    """One matrix whose product is those of `parts` side by side, one call instead of several; None when they are of different kinds."""
    if len(parts) == 1:
        return parts[0]
    dense = [part for part in parts if isinstance(part, Dense)]
    blocks = [part for part in parts if isinstance(part, Blocks)]
    if len(dense) == len(parts):
        return Dense(np.concatenate([part.values for part in dense]))
    minimums = [part.minimums for part in blocks if part.minimums is not None]
    if dense or len({part.bits for part in blocks}) > 1 or len(minimums) not in (0, len(parts)):
        return None
    return Blocks(
        blocks[0].bits,
        np.concatenate([part.packed for part in blocks]),
        np.concatenate([part.scales for part in blocks]),
        np.concatenate(minimums) if minimums else None,
    )
