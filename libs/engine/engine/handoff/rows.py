"""One row of an engine's KV memory, as arrays of bytes.

Surprising: a hand-off never looks at a number, so that float32 and float16 are one code; a stripe is the keys or the values of one layer,
(kv_heads, max_len, bytes of a token in a head), and a view: what is written lands in the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.handoff.errors import Refused
from engine.handoff.layout import Layout

Bytes = npt.NDArray[np.uint8]


class RowView:
    """``keys`` and ``values``: for each layer an array (kv_heads, max_len, head_dim), tokens of a head side by side."""

    def __init__(self, keys: Sequence[npt.NDArray[Any]], values: Sequence[npt.NDArray[Any]]) -> None:
        """Take views. Raises Refused (LAYOUT_MISMATCH) when the arrays are not alike or their tokens do not lie side by side."""
        arrays = [array for pair in zip(keys, values, strict=True) for array in pair]
        first = arrays[0]
        for array in arrays:
            if array.ndim != 3 or array.shape != first.shape or array.dtype != first.dtype or not _dense(array):
                raise Refused("LAYOUT_MISMATCH", "arrays of a row differ, or a head's tokens do not lie side by side")
        self.dtype = str(first.dtype)
        self.layers = len(arrays) // 2
        self.kv_heads, self.max_len, self.head_dim = first.shape
        self.stripes: list[Bytes] = [array.view(np.uint8) for array in arrays]
        """Keys of layer 0, values of layer 0, keys of layer 1, …"""

    def fits(self, layout: Layout, tokens: int, *, writable: bool = False) -> None:
        """Raise Refused (LAYOUT_MISMATCH) unless so many tokens of this layout have room here."""
        same = (self.dtype, self.layers, self.kv_heads, self.head_dim) == (layout.dtype, layout.layers, layout.kv_heads, layout.head_dim)
        if not same or not 0 < tokens <= self.max_len:
            raise Refused("LAYOUT_MISMATCH", f"a row of {self.max_len} {self.dtype} tokens cannot hold {tokens} of {layout.dtype}")
        if writable and not all(stripe.flags.writeable for stripe in self.stripes):
            raise Refused("LAYOUT_MISMATCH", "the row is read-only")

    def clear(self, start: int, end: int) -> None:
        """Zero the tokens from ``start`` to before ``end``."""
        for stripe in self.stripes:
            stripe[:, start:end] = 0


def _dense(array: npt.NDArray[Any]) -> bool:
    item = array.dtype.itemsize
    return array.strides[1:] == (array.shape[2] * item, item)
