"""Text in images, by rapidocr with the models that its package carries. Runs in a process of its own, forked with the models loaded: what
one image takes of memory (600 MB were seen) goes with its process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import rapidocr

from documents.page import Image, Line

MODELS = Path(rapidocr.__file__).parent / "models"
OPTIONS = {
    "Det.model_path": str(MODELS / "PP-OCRv6_det_small.onnx"),
    "Cls.model_path": str(MODELS / "ch_ppocr_mobile_v2.0_cls_mobile.onnx"),
    "Rec.model_path": str(MODELS / "PP-OCRv6_rec_small.onnx"),
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Global.log_level": "critical",
}
"""Paths, else rapidocr looks on the network for what it misses. Threads don't live through a fork, and a page shall take one core only."""


class Recogniser:
    """Holds the models."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._engine = rapidocr.RapidOCR(params=OPTIONS)
        sample = np.full((64, 320, 1), 255, np.uint8)
        cv2.putText(sample, "123 ABC", (20, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 3)
        self.lines(Image(320, 64, 1, sample.tobytes()))  # each model is loaded when it is first needed

    def lines(self, image: Image) -> list[Line]:
        """Lines in pixels of the image, in the order in which they were found."""
        pixels = np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width, image.channels)  # (height, width, channels)
        found: Any = self._engine(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if image.channels == 1 else np.array(pixels))
        if found.txts is None or found.boxes is None:
            return []
        return [_line(text, corners) for text, corners in zip(found.txts, found.boxes, strict=True)]


def _line(text: str, corners: npt.NDArray[np.float32]) -> Line:
    """``corners``: (4, 2) float32."""
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return Line(text, x0, y0, x1, y1)
