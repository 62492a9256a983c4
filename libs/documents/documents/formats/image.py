"""Images of pages: PNG, JPEG, TIFF (each of its pages), BMP. All their text is recognised."""

from __future__ import annotations

import io
import warnings
from typing import Any

from PIL import Image as Pillow
from PIL import ImageOps, ImageSequence

from documents.draft import Draft
from documents.errors import Malformed, TooLarge
from documents.layout.compose import Composer
from documents.layout.page import Page, Span
from documents.page import MAX_SIDE, Image, PageReader

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
POINTS = 842.0
"""Of the longer side: an image is taken for a page of A4, for it rarely knows its size."""


def read(content: memoryview, draft: Draft, reader: PageReader | None) -> None:
    """Into the draft. Raises Malformed, TooLarge, and errors of the reader."""
    warnings.simplefilter("ignore")
    Pillow.MAX_IMAGE_PIXELS = draft.limits.max_image_pixels
    pages: list[Page] = []
    try:
        with Pillow.open(io.BytesIO(content), formats=FORMATS) as image:
            for frame in ImageSequence.Iterator(image):
                pages.append(_page(len(pages) + 1, frame, draft, reader))
                if len(pages) > draft.limits.max_ocr_pages:
                    raise TooLarge(f"more than {draft.limits.max_ocr_pages} images", "TOO_MANY_SCANNED_PAGES")
    except Pillow.DecompressionBombError as error:
        raise TooLarge("an image with too many pixels") from error
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, TypeError, IndexError, OverflowError) as error:
        raise Malformed("not a whole image") from error
    draft.pages = len(pages)
    Composer(draft).compose(pages)


def _page(number: int, frame: Any, draft: Draft, reader: PageReader | None) -> Page:
    if frame.width * frame.height > draft.limits.max_image_pixels:
        raise TooLarge(f"an image of {frame.width} by {frame.height} pixels")
    whole = ImageOps.exif_transpose(frame) or frame
    scale = POINTS / max(whole.size)
    page = Page(number, whole.width * scale, whole.height * scale)
    if reader is None:
        draft.warn(f"page {number} is an image, and recognition is off")
        return page
    flat = _flat(whole)
    factor = min(1.0, MAX_SIDE / max(flat.size))
    if factor < 1:
        flat = flat.resize((max(1, int(flat.width * factor)), max(1, int(flat.height * factor))))
    pixels = flat.tobytes("raw", "BGR")
    lines = reader(Image(flat.width, flat.height, 3, pixels))
    draft.ocr_pages.append(number)
    points = scale / factor
    page.spans = [
        Span(
            each.text,
            each.x0 * points,
            y0=each.y0 * points,
            x1=each.x1 * points,
            y1=each.y1 * points,
            size=max(0.75 * (each.y1 - each.y0) * points, 1.0),
        )
        for each in lines
    ]
    return page


def _flat(image: Any) -> Any:
    """On white, without transparency."""
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        image = image.convert("RGBA")
        return Pillow.alpha_composite(Pillow.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")
