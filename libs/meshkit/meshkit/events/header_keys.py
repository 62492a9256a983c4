"""Header keys that are not UTF-8.

Kafka takes any bytes as a header's key; aiokafka decodes them strictly while it reads, and one such record would stand before everything
behind it for ever. Here what it fails on is read again by its own slower parser, with the wrong bytes escaped. Records without such a key
go the usual way. aiokafka has no public word for this: its fetcher's classes are replaced, once a process.
"""

from __future__ import annotations

from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy


def install() -> None:
    """Let every consumer of this process read such records."""
    fetcher.MemoryRecords, fetcher.PartitionRecords = _KeptRecords, _PartitionRecords


class _KeptRecords(MemoryRecords):  # type: ignore[misc]
    """What was fetched, with its bytes."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.raw = raw


class _PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Goes on with the slower parser where the usual one failed."""

    _records: Any

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except (UnicodeDecodeError, CorruptRecordException):
            if isinstance(self._records, _LenientRecords):
                raise
            self._records = _LenientRecords(self._records.raw, self.next_fetch_offset)
            self._records_iterator = self._unpack_records()
            return super().__next__()


class _LenientRecords:
    """The batches of fetched bytes, without those that lie wholly before an offset: they were delivered."""

    def __init__(self, raw: bytes, first_offset: int) -> None:
        slices = _MemoryRecordsPy(raw)
        self._batches = []
        while slices._next_slice is not None:
            batch = _LenientBatch(slices._next_slice)
            slices._cache_next()
            if batch.next_offset > first_offset:
                self._batches.append(batch)

    def has_next(self) -> bool:
        return bool(self._batches)

    def next_batch(self) -> _LenientBatch:
        return self._batches.pop(0)


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    _buffer: Any

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _LenientBytes(self._buffer)


class _LenientBytes(bytearray):
    """Bytes whose slices decode to text whatever they are."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _LenientBytes(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)
