"""Documents made to hurt whoever reads them. Each is small; what it does, it does when it is opened."""

from __future__ import annotations

import io
import random
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from drills.corpus.pdf import Pdf, assembled

_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels"'
    ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/{part}" ContentType="application/vnd.{kind}+xml"/></Types>'
)
_RELS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1"'
    ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{type}" Target="{target}"/></Relationships>'
)
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
DOCX, DOCM = "openxmlformats-officedocument.wordprocessingml.document.main", "ms-word.document.macroEnabled.main"
MIB = 1 << 20


def container(entries: dict[str, bytes]) -> bytes:
    """A zip file, the same each time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, body in entries.items():
            archive.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def word(document: str, kind: str = DOCX, more: dict[str, bytes] | None = None) -> bytes:
    """A Word document of one part, and what is put beside it."""
    return container(
        {
            "[Content_Types].xml": _TYPES.format(part="word/document.xml", kind=kind).encode(),
            "_rels/.rels": _RELS.format(type="officeDocument", target="word/document.xml").encode(),
            "word/document.xml": document.encode(),
            **(more or {}),
        }
    )


def body(text: str) -> str:
    """A document part of one paragraph."""
    return f'<w:document xmlns:w="{_WORD}"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>'


def zip_bomb() -> bytes:
    """64 MiB of zeros in 64 KiB, and in it a container of the same."""
    return word(body("x"), more={"word/media/a.bin": bytes(64 * MIB), "word/b.zip": container({"c": bytes(8 * MIB)})})


def zip_bomb_of_text() -> bytes:
    """A document part of 200,100 paragraphs, packed below the ratio at which bombs are known."""
    rows = "".join(f"<w:p><w:r><w:t>{random.Random(at).getrandbits(64):x}</w:t></w:r></w:p>" for at in range(2_001))
    return word(f'<w:document xmlns:w="{_WORD}"><w:body>{rows * 100}</w:body></w:document>')


def laughs() -> bytes:
    """Entities of entities: three lines that are a gigabyte."""
    entities = "".join(f'<!ENTITY a{at} "{f"&a{at - 1};" * 10}">' for at in range(1, 10))
    return word(f'<!DOCTYPE d [<!ENTITY a0 "ha">{entities}]>' + body("&a9;"))


def outside_entity() -> bytes:
    """A part that asks for a file of the machine."""
    return word('<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + body("&e;"))


def outside_entity_in_utf_16() -> bytes:
    """The same where a search of bytes does not find it."""
    text = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + body("&e;")
    return container(
        {
            "[Content_Types].xml": _TYPES.format(part="word/document.xml", kind=DOCX).encode(),
            "_rels/.rels": _RELS.format(type="officeDocument", target="word/document.xml").encode(),
            "word/document.xml": text.encode("utf-16"),
        }
    )


def sparse_sheet() -> bytes:
    """A sheet of 17 billion cells, two of which hold something, and a million merged ones."""
    sheet = (
        f'<worksheet xmlns="{_SHEET}"><dimension ref="A1:XFD1048576"/><sheetData><row r="1">'
        '<c r="A1" t="inlineStr"><is><t>first</t></is></c></row><row r="1048576">'
        '<c r="XFD1048576" t="inlineStr"><is><t>last</t></is></c></row></sheetData>'
        '<mergeCells count="1"><mergeCell ref="A1:XFD1048575"/></mergeCells></worksheet>'
    )
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    return container(
        {
            "[Content_Types].xml": _TYPES.format(
                part="xl/workbook.xml", kind="openxmlformats-officedocument.spreadsheetml.sheet.main"
            ).encode(),
            "_rels/.rels": _RELS.format(type="officeDocument", target="xl/workbook.xml").encode(),
            "xl/workbook.xml": (
                f'<workbook xmlns="{_SHEET}" xmlns:r="{relation}"><sheets><sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>'
            ).encode(),
            "xl/_rels/workbook.xml.rels": _RELS.format(type="worksheet", target="worksheets/sheet1.xml").encode(),
            "xl/worksheets/sheet1.xml": sheet.encode(),
        }
    )


def _one_page(contents: bytes, resources: str = "<< >>", more: tuple[bytes, ...] = (), filters: str = "") -> bytes:
    stream = f"<< /Length {len(contents)} {filters} >>\nstream\n".encode() + contents + b"\nendstream"
    page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources {resources} >>"
    return assembled(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page.encode(), stream, *more], "/Root 1 0 R"
    )


def flate_bomb() -> bytes:
    """A page whose contents unpack to 4 GiB, in two steps."""
    packer = zlib.compressobj(9)
    head = packer.compress(b"q") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(16 * MIB)) + packer.flush(zlib.Z_FULL_FLUSH)  # stands by itself, so that it can be repeated
    inner = head + 256 * block
    return _one_page(zlib.compress(inner, 9), filters="/Filter [/FlateDecode /FlateDecode]")


def recursive_form() -> bytes:
    """A form that draws itself."""
    form = (
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F 5 0 R >> >> /Length 5 >>\nstream\n/F Do\nendstream"
    )
    return _one_page(b"/F Do", "<< /XObject << /F 5 0 R >> >>", (form,))


def many_pages() -> bytes:
    """10,000 pages in a kilobyte each of nothing."""
    pdf = Pdf("pages")
    for _ in range(10_000):
        pdf.sheet((9, 9))
    return pdf.content()


def endless_tree() -> bytes:
    """A tree of pages that is its own branch."""
    return assembled([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 999999999 >>"], "/Root 1 0 R")


def broken_font() -> bytes:
    """A font whose program is noise and whose map of characters maps to itself."""
    noise = random.Random(7).randbytes(2_000)
    program = f"<< /Length {len(noise)} /Length1 {len(noise)} >>\nstream\n".encode() + noise + b"\nendstream"
    font = (
        b"<< /Type /Font /Subtype /TrueType /BaseFont /X /FirstChar 0 /LastChar 255 /Widths 5 0 R /FontDescriptor 6 0 R /ToUnicode 5 0 R >>"
    )
    descriptor = b"<< /Type /FontDescriptor /FontName /X /Flags 4 /FontBBox [0 0 0 0] /FontFile2 7 0 R >>"
    return _one_page(b"BT /F 12 Tf 72 700 Td (Hello) Tj ET", "<< /Font << /F 5 0 R >> >>", (font, descriptor, program))


def locked() -> bytes:
    """A PDF that needs a password, which nobody knows: its keys are noise."""
    keys = random.Random(11)
    secret = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{keys.randbytes(32).hex()}> /U <{keys.randbytes(32).hex()}> /P -4 >>"
    return assembled(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"],
        f"/Root 1 0 R {secret} /ID [<{'0' * 32}> <{'0' * 32}>]",
    )


def html_scripts() -> bytes:
    """What a browser would run or fetch, and one line that it would show."""
    return (
        b"<!doctype html><html><head><script>alert(1)</script><meta http-equiv=refresh content='0;url=http://127.0.0.1/'></head>"
        b"<body onload=x()><p>shown</p><iframe src=file:///etc/passwd></iframe>"
        b"<img src=x onerror=y()><svg><script>2</script></svg></body></html>"
    )


@dataclass(frozen=True, slots=True)
class Poison:
    """``reasons``: with which it may be refused; "" stands for being read."""

    name: str
    content: Callable[[], bytes]
    reasons: frozenset[str]


def _poison(name: str, content: Callable[[], bytes], *reasons: str) -> Poison:
    return Poison(name, content, frozenset(reasons))


CRASHED, TIME, MEMORY = "PARSER_CRASHED", "PARSER_TIMEOUT", "PARSER_OUT_OF_MEMORY"
POISON = (
    _poison("bomb.docx", zip_bomb, "ZIP_BOMB"),
    _poison("long.docx", zip_bomb_of_text, "ZIP_BOMB", "TOO_MUCH_TEXT", "DOCUMENT_TOO_LARGE", MEMORY, TIME),
    _poison("laughs.docx", laughs, "MALFORMED"),
    _poison("entity.docx", outside_entity, "MALFORMED"),
    _poison("entity16.docx", outside_entity_in_utf_16, "MALFORMED"),
    _poison("macro.docx", lambda: word(body("x"), DOCM), "MACROS"),
    _poison("macro2.docx", lambda: word(body("x"), more={"word/vbaProject.bin": b"x"}), "MACROS"),
    _poison("traversal.docx", lambda: word(body("x"), more={"../../etc/cron.d/x": b"x"}), "MALFORMED"),
    _poison("absolute.docx", lambda: word(body("x"), more={"/etc/passwd": b"x"}), "MALFORMED"),
    _poison("backslash.docx", lambda: word(body("x"), more={"..\\..\\x": b"x"}), "MALFORMED"),
    _poison("deep.docx", lambda: word(body("<w:b>" * 100_000)), "MALFORMED", "TOO_DEEP", CRASHED),
    _poison("sparse.xlsx", sparse_sheet, ""),
    _poison("bomb.pdf", flate_bomb, "", CRASHED, MEMORY, TIME, "MALFORMED"),
    _poison("recursive.pdf", recursive_form, "", CRASHED, TIME, "MALFORMED"),
    _poison("pages.pdf", many_pages, "TOO_MANY_PAGES"),
    _poison("tree.pdf", endless_tree, "TOO_MANY_PAGES", "MALFORMED", CRASHED, TIME),
    _poison("locked.pdf", locked, "PASSWORD_PROTECTED"),
    _poison("font.pdf", broken_font, "", CRASHED),
    _poison("scripts.html", html_scripts, ""),
    _poison("nested.html", lambda: b"<div>" * 1_000_000, "TOO_DEEP"),
    _poison("noise.pdf", lambda: b"%PDF-1.7\n" + random.Random(3).randbytes(50_000), "MALFORMED", CRASHED, "PASSWORD_PROTECTED"),
    _poison("noise", lambda: random.Random(5).randbytes(50_000), "UNSUPPORTED_FORMAT"),
    _poison("noise.png", lambda: b"\x89PNG\r\n\x1a\n" + random.Random(9).randbytes(9_000), "MALFORMED"),
    _poison("empty.pdf", lambda: b"", "EMPTY"),
)
"""All of them by file name."""
