"""What came for the encoder, checked: texts as rows of ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

MOST_ROWS = 1_024


class WrongRowsError(ValueError):
    """Not texts that this encoder could read; the message says why."""


def rows_of(ids: npt.NDArray[Any], mask: npt.NDArray[Any], vocabulary: int, max_tokens: int) -> list[npt.NDArray[np.int64]]:
    """Return each text's ids. Raises WrongRowsError."""
    if ids.ndim != 2 or ids.shape != mask.shape or ids.dtype != np.int64 or mask.dtype != np.int64:
        raise WrongRowsError("ids and mask must be (n, s) int64 of one shape")
    if not 1 <= len(ids) <= MOST_ROWS:
        raise WrongRowsError(f"{len(ids)} texts: 1 to {MOST_ROWS} in a request")
    lengths = mask.sum(axis=1)
    if not np.array_equal(mask, np.arange(ids.shape[1]) < lengths[:, None]):
        raise WrongRowsError("a mask is ones, then zeros")
    if lengths.min() < 1 or lengths.max() > max_tokens:
        raise WrongRowsError(f"a text has 1 to {max_tokens} pieces")
    if ids.min() < 0 or ids.max() >= vocabulary:
        raise WrongRowsError(f"ids are 0 to {vocabulary - 1}")
    return [np.ascontiguousarray(row[:length]) for row, length in zip(ids, lengths, strict=True)]
