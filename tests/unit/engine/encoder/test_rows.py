"""What came for the encoder, checked before it is queued."""

from __future__ import annotations

import numpy as np
import pytest
from engine.encoder.rows import MOST_ROWS, WrongRowsError, rows_of


def test_rows_end_where_their_mask_does() -> None:
    found = rows_of(np.array([[5, 6, 7], [8, 0, 0]]), np.array([[1, 1, 1], [1, 0, 0]]), vocabulary=9, max_tokens=3)
    assert [row.tolist() for row in found] == [[5, 6, 7], [8]]


@pytest.mark.parametrize(
    ("ids", "mask"),
    [
        ([5, 6], [1, 1]), ([[5, 6]], [[1]]), ([[5.0, 6.0]], [[1, 1]]), ([[5, 9]], [[1, 1]]), ([[5, -1]], [[1, 1]]), ([[5, 6]], [[0, 0]]),
        ([[5, 6]], [[0, 1]]), ([[5, 6]], [[2, 0]]), ([[5, 6, 7, 8]], [[1, 1, 1, 1]]), ([[1]] * (MOST_ROWS + 1), [[1]] * (MOST_ROWS + 1)),
        (np.zeros((0, 2), np.int64), np.zeros((0, 2), np.int64)), (np.zeros((2, 0), np.int64), np.zeros((2, 0), np.int64)),
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused(ids: object, mask: object) -> None:
    with pytest.raises(WrongRowsError):
        rows_of(np.array(ids), np.array(mask), vocabulary=9, max_tokens=3)
