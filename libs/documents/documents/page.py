"""One page as an image, and lines of text with their places: what passes between the parser of a document and the reader of images."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

MAX_SIDE = 2_600
"""Pixels of an image's longer side: A4 at 220 dpi. The recogniser scales to 2,000."""
_SIZE = struct.Struct(">HHB")
IMAGE_BYTES = _SIZE.size + MAX_SIDE * MAX_SIDE * 3
LINES_BYTES = 4 << 20
"""Of the lines of one image: a dense page has 10,000 characters."""


@dataclass(frozen=True, slots=True)
class Image:
    """``pixels``: rows from the top, ``channels`` bytes a pixel (1 grey, 3 blue green red)."""

    width: int
    height: int
    channels: int
    pixels: bytes

    def packed(self) -> bytes:
        """As bytes."""
        return _SIZE.pack(self.width, self.height, self.channels) + self.pixels

    @staticmethod
    def unpacked(payload: bytes) -> Image:
        """Raises ValueError when the sizes don't agree."""
        width, height, channels = _SIZE.unpack_from(payload)
        pixels = payload[_SIZE.size :]
        if not 0 < width <= MAX_SIDE or not 0 < height <= MAX_SIDE or channels not in {1, 3} or len(pixels) != width * height * channels:
            raise ValueError("no image")
        return Image(width, height, channels, pixels)


@dataclass(frozen=True, slots=True)
class Line:
    """Text that stands together, in the units of whoever made it, origin at the top left."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float


PageReader = Callable[[Image], list[Line]]
"""Reads the lines of an image, in pixels. Raises DocumentError."""
