"""PDF by PDFium: text with places, rules, images of pages without usable text. PDFium aborts its process on some files, as expected."""

from __future__ import annotations

import contextlib
import ctypes
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from documents.clean import clean
from documents.draft import Draft
from documents.errors import DocumentError, Malformed, Refused, TooLarge
from documents.formats.pdf_text import PageText, spans
from documents.formats.rules import rules
from documents.layout.compose import Composer, key
from documents.layout.page import Page, Span
from documents.page import MAX_SIDE, Image, PageReader

_ENCRYPTED = (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)
DPI = 200
FEW = 40
"""Characters: a page with fewer and an image over most of it is a scan with a stamp."""


def read(content: Any, draft: Draft, reader: PageReader | None) -> None:
    """Into the draft. Raises Refused PASSWORD_PROTECTED, Malformed, TooLarge."""
    document = _opened(content)
    count = len(document)
    if count > draft.limits.max_pages:
        raise TooLarge(f"{count} pages, {draft.limits.max_pages} at most", "TOO_MANY_PAGES")
    if count == 0:
        raise Malformed("a PDF without pages")
    draft.pages = count
    draft.metadata.update(_metadata(document))
    pages = [_page(document, number, draft, reader) for number in range(1, count + 1)]
    draft.title = _title(pages, draft.metadata.pop("title", ""))
    Composer(draft, _outline(document)).compose(pages)


def _opened(content: Any) -> Any:
    try:
        return pypdfium2.PdfDocument((ctypes.c_ubyte * len(content)).from_buffer(content))
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) in _ENCRYPTED or "assword" in str(error):
            raise Refused("the document needs a password", "PASSWORD_PROTECTED") from None
        raise Malformed("not a whole PDF") from None


def _metadata(document: Any) -> dict[str, str]:
    kept = {}
    with contextlib.suppress(pypdfium2.PdfiumError, UnicodeError, ValueError):
        for name, value in document.get_metadata_dict(skip_empty=True).items():
            kept[str(name).lower()] = str(value)
    return kept


def _outline(document: Any) -> dict[str, int]:
    titles: dict[str, int] = {}
    with contextlib.suppress(pypdfium2.PdfiumError, UnicodeError, ValueError):
        for item in document.get_toc(max_depth=6):
            if title := key(clean(item.get_title())):
                titles.setdefault(title, item.level + 1)
            if len(titles) > 5_000:
                break
    return titles


def _page(document: Any, number: int, draft: Draft, reader: PageReader | None) -> Page:
    """One page; one that can't be loaded is empty, and that is said."""
    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError:
        draft.warn(f"page {number} can't be read")
        return Page(number, 1, 1)
    try:
        width, height = page.get_size()
        found = Page(number, width, height)
        text = spans(page, draft)
        found.spans = text.spans
        found.across, found.down, pictures = rules(page)
        if _wants_reading(text, pictures, width * height, page):
            _recognise(page, found, text, draft, reader)
        return found
    finally:
        page.close()


def _wants_reading(text: PageText, pictures: float, area: float, page: Any) -> bool:
    """Whether its text layer is missing or garbage. ``pictures``: area of images."""
    if text.count == 0:
        return pictures > 0.02 * area or pdfium.FPDFPage_CountObjects(page) > 20
    return text.garbage > 0.3 * text.count or (text.count < FEW and pictures > 0.6 * area)


def _recognise(page: Any, found: Page, text: PageText, draft: Draft, reader: PageReader | None) -> None:
    garbage = text.garbage > 0.3 * text.count if text.count else False
    what = "a text layer that can't be read" if garbage else "no text"
    if garbage:
        found.spans = []
    if reader is None:
        draft.warn(f"page {found.number} has {what}, and recognition is off")
        return
    if len(draft.ocr_pages) >= draft.limits.max_ocr_pages:
        raise TooLarge(f"more than {draft.limits.max_ocr_pages} pages without text", "TOO_MANY_SCANNED_PAGES")
    longest = max(found.width, found.height, 1.0)
    scale = min(DPI / 72, MAX_SIDE / (longest + 1))
    bitmap = page.render(scale=scale)
    image = _image(bitmap)
    try:
        read = reader(image)
    except DocumentError as error:
        if error.reason == "PARSER_UNAVAILABLE" or draft.pages == 1:
            raise
        draft.warn(f"page {found.number} has {what} and could not be recognised: {error.reason}")
        return
    draft.ocr_pages.append(found.number)
    found.spans = [
        Span(
            line.text,
            line.x0 / scale,
            y0=line.y0 / scale,
            x1=line.x1 / scale,
            y1=line.y1 / scale,
            size=max(0.75 * (line.y1 - line.y0) / scale, 1.0),
        )
        for line in read
    ]


def _image(bitmap: Any) -> Image:
    """Rows without padding. PDFium draws BGR."""
    wide = bitmap.width * bitmap.n_channels
    raw = memoryview(bitmap.buffer).cast("B")
    rows = b"".join(raw[row * bitmap.stride : row * bitmap.stride + wide] for row in range(bitmap.height))
    return Image(bitmap.width, bitmap.height, bitmap.n_channels, rows)


def _title(pages: list[Page], metadata: str) -> str:
    """The largest type of the first page, if it is much larger than most; else what the file says, unless a program wrote its own name."""
    first = pages[0].spans
    if first:
        largest = max(each.size for each in first)
        usual = sorted(each.size for page in pages[:20] for each in page.spans)
        text = clean("".join(each.text for each in first if each.size > 0.97 * largest))
        if largest > 1.3 * usual[len(usual) // 2] and 2 <= len(text) <= 100:
            return text
    return "" if metadata.startswith("Microsoft ") or metadata.endswith((".doc", ".docx", ".indd")) else metadata
