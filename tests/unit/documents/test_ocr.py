"""Pages without usable text are read as images, one at a time, in a process of their own."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from documents.errors import DocumentError
from documents.limits import Limits
from documents.page import Image, Line
from documents.parsed import Paragraph, Table
from documents.read import read
from documents.sandbox import Sandbox
from drills.corpus.pdf import Pdf
from drills.corpus.scan import page
from PIL import Image as Pillow

from .conftest import Parse

SCANNED = [
    (120, 180, 44, "保险合同变更申请书"),
    (120, 280, 30, "等待期由九十天变更为一百八十天，自批准之日起生效。"),
    (120, 380, 30, "项目"),
    (500, 380, 30, "原值"),
    (800, 380, 30, "新值"),
    (120, 430, 30, "年保费"),
    (500, 430, 30, "1,234.50"),
    (800, 430, 30, "1,500.00"),
    (120, 480, 30, "费率"),
    (500, 480, 30, "4.35%"),
    (800, 480, 30, "5.20%"),
]


def test_a_scan_between_pages_of_text(parse: Parse) -> None:
    """One recognition: title, paragraph and table of an image within a PDF, in the order of its pages."""
    pixels = page(SCANNED, 1240, 800)
    pdf = Pdf("申请书")
    pdf.sheet().text(72, 100, "第一页有文字，不需要识别。")
    pdf.sheet((595, 384)).image(1240, 800, pixels.tobytes())
    pdf.sheet().text(72, 100, "最后一页也有文字。")
    parsed = parse(pdf.content(), "scan.pdf")
    assert (parsed.pages, parsed.ocr_pages, parsed.warnings) == (3, (2,), ())
    text = [each.text for each in parsed.blocks if not isinstance(each, Table)]
    assert (text[0], text[-1]) == ("第一页有文字，不需要识别。", "最后一页也有文字。")
    assert "保险合同变更申请书" in text
    assert "等待期由九十天变更为一百八十天，自批准之日起生效。" in text
    (table,) = (each for each in parsed.blocks if isinstance(each, Table))
    assert (table.page, table.header) == (2, (("项目", "原值", "新值"),))
    assert table.rows == (("年保费", "1,234.50", "1,500.00"), ("费率", "4.35%", "5.20%"))


def encoded(form: str, pages: int = 1) -> bytes:
    file = io.BytesIO()
    first, *others = [Pillow.new("RGB", (60, 40), (255, 255, number)) for number in range(pages)]
    first.save(file, form, **({"save_all": True, "append_images": others} if form == "TIFF" else {}))
    return file.getvalue()


def read_by(reader: Callable[[Image], list[Line]] | None, content: bytes, name: str, **limits: int) -> Any:
    return read(memoryview(bytearray(content)), name, "", Limits(**limits), reader)


@pytest.mark.parametrize(("form", "name"), [("PNG", "a.png"), ("JPEG", "a.jpg"), ("TIFF", "a.tif"), ("BMP", "a.bmp"), ("PNG", "a.jpg")])
def test_images_of_each_form(form: str, name: str) -> None:
    """The reader of images is a neighbour here."""
    seen: list[Image] = []

    def reader(image: Image) -> list[Line]:
        seen.append(image)
        return [Line("等待期", 6, 4, 30, 16)]

    parsed = read_by(reader, encoded(form), name)
    assert (parsed.pages, parsed.ocr_pages) == (1, (1,))
    assert [(each.width, each.height, each.channels, len(each.pixels)) for each in seen] == [(60, 40, 3, 7200)]
    (only,) = parsed.blocks
    assert isinstance(only, Paragraph)
    assert only.box is not None
    assert (only.text, round(only.box.x0), round(only.box.y1)) == ("等待期", 84, 225)


def test_each_page_of_a_tiff(parse: Parse) -> None:
    parsed = read_by(lambda image: [Line(f"第{image.pixels[0]}张", 0, 0, 9, 9)], encoded("TIFF", 3), "a.tiff")
    assert [(each.page, each.text) for each in parsed.blocks] == [(1, "第0张"), (2, "第1张"), (3, "第2张")]
    with pytest.raises(DocumentError) as error:
        read_by(lambda _: [], encoded("TIFF", 3), "a.tiff", max_ocr_pages=2)
    assert error.value.reason == "TOO_MANY_SCANNED_PAGES"


def test_too_many_pixels() -> None:
    with pytest.raises(DocumentError) as error:
        read_by(lambda _: [], encoded("PNG"), "a.png", max_image_pixels=2_399)
    assert error.value.reason == "DOCUMENT_TOO_LARGE"


def scanned(pages: int) -> bytes:
    pdf = Pdf()
    for _ in range(pages):
        pdf.sheet((60, 40)).image(60, 40, bytes(2400))
    return pdf.content()


async def test_without_recognition_it_is_said() -> None:
    async with Sandbox(ocr=False) as sandbox:
        parsed = await sandbox.parse(scanned(1), "a.pdf")
        image = await sandbox.parse(encoded("PNG"), "a.png")
    assert (parsed.blocks, parsed.ocr_pages, parsed.warnings) == ((), (), ("page 1 has no text, and recognition is off",))
    assert image.warnings == ("page 1 is an image, and recognition is off",)


def test_a_page_that_kills_its_reader_costs_that_page_alone() -> None:
    calls: list[int] = []

    def reader(_: Image) -> list[Line]:
        calls.append(1)
        if len(calls) == 1:
            raise DocumentError("x", "PARSER_TIMEOUT")
        return [Line("有字", 0, 0, 9, 9)]

    parsed = read_by(reader, scanned(2), "a.pdf")
    assert (parsed.ocr_pages, len(parsed.warnings)) == ((2,), 1)
    with pytest.raises(DocumentError):
        calls.clear()
        read_by(reader, scanned(1), "a.pdf")


def test_a_text_layer_without_meaning_is_not_believed() -> None:
    pdf = Pdf()
    sheet = pdf.sheet()
    for at in range(20):
        sheet.text(72, 100 + 20 * at, "\ue123\ue124\ue125\ue126 保险")
    parsed = read_by(lambda _: [Line("真正的文字", 100, 100, 300, 130)], pdf.content(), "a.pdf")
    assert (parsed.ocr_pages, [each.text for each in parsed.blocks]) == ((1,), ["真正的文字"])
