"""Text as a scanner would see it: grey pixels. The characters come from the font that OpenCV carries, which has Chinese."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt


def page(lines: Sequence[tuple[int, int, int, str]], columns: int = 1240, rows: int = 1754, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Grey pixels, (rows, columns) uint8. A line is (x, y of the base line, height in pixels, text); the paper is a little dirty."""
    paper = np.full((rows, columns, 3), 244, np.uint8)
    font = cv2.FontFace("uni")
    for x, y, size, text in lines:
        cv2.putText(paper, text, (x, y), (30, 30, 30), font, size, 400)
    noise = np.random.default_rng(seed).normal(0, 5, (rows, columns))
    grey = cv2.cvtColor(paper, cv2.COLOR_BGR2GRAY) + noise
    return np.clip(grey, 0, 255).astype(np.uint8)
