"""Keys and values: one array a layer for all rows, on the host or on the device, and a row of it as the host sees it.

Its place: the graph reads and writes the rows through pointers (`engine.llm.runner`); blocks of the prefix store and hand-offs are copied
in and out of a row that was opened here.

Surprising: all of it is written once at the start, so that no step waits for the kernel to find pages; a row is never cleared, what lies
beyond its length is never read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from engine.handoff.rows import RowView
from engine.llm.manifest import Layout

Array = npt.NDArray[np.generic]


class Memory(Protocol):
    """KV memory of all rows. ``device``: as ONNX Runtime names it."""

    device: str
    device_id: int

    def pointers(self, first: int) -> list[tuple[int, int]]:
        """Return the addresses of row ``first`` in each layer's keys and values; the rows after it follow."""
        ...

    def open(self, row: int, *, writes: bool) -> AbstractContextManager[RowView]:
        """Give a row as arrays (kv_heads, max_len, head_dim); what was written stands in the row when it is closed."""
        ...

    def fork(self, source: int, target: int, length: int) -> None:
        """Copy at least the first ``length`` tokens of one row to another."""
        ...


class HostMemory:
    """``keys[layer]``, ``values[layer]``: (rows, kv_heads, max_len, head_dim). A row is opened without a copy."""

    device, device_id = "cpu", 0

    def __init__(self, layout: Layout, rows: int, max_len: int) -> None:
        shape, dtype = (rows, layout.kv_heads, max_len, layout.head_dim), np.dtype(layout.dtype)
        self.keys = [_touched(shape, dtype) for _ in range(layout.layers)]
        self.values = [_touched(shape, dtype) for _ in range(layout.layers)]

    def pointers(self, first: int) -> list[tuple[int, int]]:
        """Return addresses of host memory."""
        return [(keys[first:].ctypes.data, values[first:].ctypes.data) for keys, values in zip(self.keys, self.values, strict=True)]

    @contextmanager
    def open(self, row: int, *, writes: bool) -> Iterator[RowView]:
        """Give views of the row."""
        yield RowView([layer[row] for layer in self.keys], [layer[row] for layer in self.values])

    def fork(self, source: int, target: int, length: int) -> None:
        """Copy ``length`` tokens."""
        for layer in (*self.keys, *self.values):
            layer[target, :, :length] = layer[source, :, :length]


class DeviceMemory:
    """The same as one OrtValue a layer on an accelerator. A row is opened as a copy on the host, and written back as a whole."""

    def __init__(self, layout: Layout, rows: int, max_len: int, *, device: str, device_id: int, session: ort.InferenceSession) -> None:
        self.device, self.device_id = device, device_id
        self._shape, self._dtype = (layout.kv_heads, max_len, layout.head_dim), np.dtype(layout.dtype)
        self._row_bytes = int(np.prod(self._shape)) * self._dtype.itemsize
        self._session = session

        def allocated() -> list[ort.OrtValue]:
            return [
                ort.OrtValue.ortvalue_from_shape_and_type([rows, *self._shape], self._dtype.type, device, device_id)
                for _ in range(layout.layers)
            ]

        self._layers = list(zip(allocated(), allocated(), strict=True))

    def pointers(self, first: int) -> list[tuple[int, int]]:
        """Return addresses of device memory."""
        skip = first * self._row_bytes
        return [(keys.data_ptr() + skip, values.data_ptr() + skip) for keys, values in self._layers]

    @contextmanager
    def open(self, row: int, *, writes: bool) -> Iterator[RowView]:
        """Copy the row to the host, and back when it was opened to write."""
        arrays = [np.empty(self._shape, dtype=self._dtype) for _ in range(2 * len(self._layers))]
        host, device = [ort.OrtValue.ortvalue_from_numpy(array) for array in arrays], self._row(row)
        ort.copy_tensors(device, host)
        yield RowView(arrays[0::2], arrays[1::2])
        if writes:
            ort.copy_tensors(host, device)

    def fork(self, source: int, target: int, length: int) -> None:
        """Copy the whole row on the device."""
        ort.copy_tensors(self._row(source), self._row(target))

    def _row(self, row: int) -> list[ort.OrtValue]:
        """Return keys and values of a row, layer after layer, as tensors over the memory itself: what a binding names, it can hand out."""
        binding = self._session.io_binding()
        names = [name for layer in range(len(self._layers)) for name in (f"present.{layer}.key", f"present.{layer}.value")]
        addresses = [address for pair in self.pointers(row) for address in pair]
        for name, address in zip(names, addresses, strict=True):
            binding.bind_output(name, self.device, self.device_id, self._dtype.type, (1, *self._shape), address)
        rows: list[ort.OrtValue] = binding.get_outputs()
        return rows


def _touched(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    array: Array = np.empty(shape, dtype=dtype)
    array.fill(0)
    return array
