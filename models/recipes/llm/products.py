"""Weight matrices in the three ways the graph multiplies by them, and how each of them is packed.

Every one of them stands for an (out, in) matrix. MatMulNBits takes 4-bit weights in blocks of 32 along `in`, low nibble first, and reads
them as scale x (nibble - 8). GGUF's Q4_1 is scale x nibble + minimum with a minimum of floats: no integer zero point says that, and float
ones have no fast kernel. So the same nibbles stand in MatMulNBits and what is left, minimum + 8 x scale for a block, is multiplied by the
sum of the block's inputs: a small second product, and nothing lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llm.architecture import F32

BLOCK = 32
U8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Dense:
    """32-bit floats, (out, in)."""

    values: F32

    @property
    def width(self) -> int:
        return int(self.values.shape[0])

    def dense(self) -> F32:
        return self.values


@dataclass(frozen=True, slots=True)
class FourBits:
    """`packed` (out, blocks, 16), `scales` (out, blocks); with `minimums` (out, blocks) it is Q4_1, without symmetric."""

    packed: U8
    scales: F32
    minimums: F32 | None = None

    @property
    def width(self) -> int:
        return int(self.packed.shape[0])

    @property
    def offsets(self) -> F32 | None:
        """What the sums of the input's blocks are multiplied by, (blocks, out)."""
        return None if self.minimums is None else np.ascontiguousarray((self.minimums + np.float32(8) * self.scales).T)

    def nibbles(self) -> U8:
        """(out, in), each 0 to 15."""
        out, blocks, _ = self.packed.shape
        return np.stack((self.packed & 15, self.packed >> 4), axis=-1).reshape(out, blocks * BLOCK)

    def dense(self) -> F32:
        """The very values, for comparison: one rounding for the product, one for the sum, as whoever reads GGUF does it."""
        nibbles = self.nibbles().reshape(*self.packed.shape[:2], BLOCK).astype(np.float32)
        if self.minimums is None:
            values = (nibbles - np.float32(8)) * self.scales[..., None]
        else:
            values = nibbles * self.scales[..., None] + self.minimums[..., None]
        return values.reshape(self.width, -1)


Matrix = Dense | FourBits


def four_bits(values: F32) -> FourBits:
    """Round an (out, in) matrix to symmetric 4 bits: the largest magnitude of a block becomes -8, so that all sixteen steps are used."""
    out, width = values.shape
    blocks = values.reshape(out, width // BLOCK, BLOCK)
    at = np.abs(blocks).argmax(axis=-1, keepdims=True)
    scales = (np.take_along_axis(blocks, at, axis=-1) / np.float32(-8)).astype(np.float32)
    inverse = np.divide(np.float32(1), scales, out=np.zeros_like(scales), where=scales != 0)
    nibbles = np.clip(np.rint(blocks * inverse) + 8, 0, 15).astype(np.uint8)
    return FourBits(pack(nibbles.reshape(out, width)), scales[..., 0])


def pack(nibbles: U8) -> U8:
    """(out, in) values of 0 to 15 as MatMulNBits reads them."""
    out, width = nibbles.shape
    pairs = nibbles.reshape(out, width // BLOCK, BLOCK // 2, 2)
    return np.ascontiguousarray(pairs[..., 0] | (pairs[..., 1] << 4))


def stacked(parts: list[Matrix]) -> Matrix:
    """One matrix whose product is those of `parts` side by side: one call instead of several. They must be of one kind."""
    dense = [part for part in parts if isinstance(part, Dense)]
    four = [part for part in parts if isinstance(part, FourBits)]
    if len(dense) == len(parts):
        return Dense(np.concatenate([part.values for part in dense]))
    minimums = [part.minimums for part in four if part.minimums is not None]
    if len(four) != len(parts) or len(minimums) not in (0, len(parts)):
        raise ValueError("matrices of different kinds cannot stand side by side")
    return FourBits(
        np.concatenate([part.packed for part in four]),
        np.concatenate([part.scales for part in four]),
        np.concatenate(minimums) if minimums else None,
    )
