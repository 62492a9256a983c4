"""A small writer of PDFs: text in Chinese and English, lines, images, an outline. No font is embedded: the characters are named by
Adobe's collection for simplified Chinese, so that every reader finds the text, and draws it with what fonts it has."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

A4 = (595, 842)
_FONT = "STSong-Light"


def width(text: str, size: float) -> float:
    """Points that a text takes: an ideograph a square, an ASCII character half of it."""
    return sum(size / 2 if each < "\x7f" else size for each in text)


@dataclass(slots=True)
class Sheet:
    """One page. Places are in points from the top left."""

    size: tuple[int, int] = A4
    _drawn: list[str] = field(default_factory=list)
    _images: list[tuple[int, int, bytes]] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, size: float = 10.5, *, bold: bool = False) -> None:
        """``y`` is the base line's."""
        code = text.encode("utf-16-be").hex()
        self._drawn.append(f"BT /F{2 if bold else 1} {size} Tf 1 0 0 1 {x:.2f} {self.size[1] - y:.2f} Tm <{code}> Tj ET")

    def line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """A thin line."""
        self._drawn.append(f"0.6 w {x0:.2f} {self.size[1] - y0:.2f} m {x1:.2f} {self.size[1] - y1:.2f} l S")

    def image(self, columns: int, rows: int, grey: bytes, box: tuple[float, float, float, float] | None = None) -> None:
        """``grey``: a byte a pixel, rows from the top. Over the whole page, or over a box (x0, y0, x1, y1)."""
        x0, y0, x1, y1 = box or (0, 0, *self.size)
        self._images.append((columns, rows, grey))
        place = f"{x1 - x0:.2f} 0 0 {y1 - y0:.2f} {x0:.2f} {self.size[1] - y1:.2f}"
        self._drawn.append(f"q {place} cm /I{len(self._images)} Do Q")

    def draw(self, operators: str) -> None:
        """Operators as they are."""
        self._drawn.append(operators)


@dataclass(slots=True)
class Pdf:
    """Sheets, and what the file says of itself. ``outline``: titles with their level (from 0) and sheet (from 0)."""

    title: str = ""
    sheets: list[Sheet] = field(default_factory=list)
    outline: list[tuple[str, int, int]] = field(default_factory=list)
    _objects: list[bytes] = field(default_factory=list)

    def sheet(self, size: tuple[int, int] = A4) -> Sheet:
        """A new last page."""
        self.sheets.append(Sheet(size))
        return self.sheets[-1]

    def _add(self, body: str | bytes) -> int:
        self._objects.append(body.encode() if isinstance(body, str) else body)
        return len(self._objects)

    def _stream(self, data: bytes, entries: str = "") -> int:
        packed = zlib.compress(data, 6)
        return self._add(f"<< /Length {len(packed)} /Filter /FlateDecode {entries} >>\nstream\n".encode() + packed + b"\nendstream")

    def _fonts(self) -> str:
        fonts = []
        for bold in (False, True):
            name = _FONT + (",Bold" if bold else "")
            descriptor = self._add(
                f"<< /Type /FontDescriptor /FontName /{name} /Flags {262148 if bold else 4} /FontBBox [-25 -254 1000 880] /ItalicAngle 0"
                f" /Ascent 880 /Descent -120 /CapHeight 880 /StemV {160 if bold else 80} >>"
            )
            cid = self._add(
                f"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /{name} /FontDescriptor {descriptor} 0 R /DW 1000 /W [1 95 500]"
                " /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> >>"
            )
            fonts.append(
                self._add(f"<< /Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /UniGB-UCS2-H /DescendantFonts [{cid} 0 R] >>")
            )
        return f"<< /F1 {fonts[0]} 0 R /F2 {fonts[1]} 0 R >>"

    def _sheet(self, sheet: Sheet, parent: int, fonts: str) -> int:
        images = [
            self._stream(
                grey, f"/Type /XObject /Subtype /Image /Width {columns} /Height {rows} /ColorSpace /DeviceGray /BitsPerComponent 8"
            )
            for columns, rows, grey in sheet._images
        ]
        named = " ".join(f"/I{at} {number} 0 R" for at, number in enumerate(images, 1))
        contents = self._stream("\n".join(sheet._drawn).encode())
        return self._add(
            f"<< /Type /Page /Parent {parent} 0 R /MediaBox [0 0 {sheet.size[0]} {sheet.size[1]}] /Contents {contents} 0 R"
            f" /Resources << /Font {fonts} /XObject << {named} >> >> >>"
        )

    def _bookmarks(self, pages: list[int]) -> str:
        """Flat: levels below the first are children of the last one above them, one deep."""
        if not self.outline:
            return ""
        root = self._add("")
        numbers = [self._add("") for _ in self.outline]
        parents = [root if level == 0 else max(n for n, o in zip(numbers[:at], self.outline, strict=False) if o[1] < level)
                   for at, (_, level, _) in enumerate(self.outline)]  # fmt: skip
        for at, (title, _, sheet) in enumerate(self.outline):
            siblings = [number for number, parent in zip(numbers, parents, strict=True) if parent == parents[at]]
            own = [number for number, parent in zip(numbers, parents, strict=True) if parent == numbers[at]]
            place = siblings.index(numbers[at])
            links = f" /Prev {siblings[place - 1]} 0 R" if place else ""
            links += f" /Next {siblings[place + 1]} 0 R" if place + 1 < len(siblings) else ""
            links += f" /First {own[0]} 0 R /Last {own[-1]} 0 R /Count {len(own)}" if own else ""
            text = f"<feff{title.encode('utf-16-be').hex()}>"
            self._objects[numbers[at] - 1] = (
                f"<< /Title {text} /Parent {parents[at]} 0 R /Dest [{pages[sheet]} 0 R /Fit]{links} >>".encode()
            )
        top = [number for number, parent in zip(numbers, parents, strict=True) if parent == root]
        self._objects[root - 1] = f"<< /Type /Outlines /First {top[0]} 0 R /Last {top[-1]} 0 R /Count {len(top)} >>".encode()
        return f" /Outlines {root} 0 R"

    def content(self) -> bytes:
        """The file."""
        self._objects.clear()
        tree = self._add("")
        fonts = self._fonts()
        pages = [self._sheet(each, tree, fonts) for each in self.sheets]
        self._objects[tree - 1] = f"<< /Type /Pages /Kids [{' '.join(f'{each} 0 R' for each in pages)}] /Count {len(pages)} >>".encode()
        catalog = self._add(f"<< /Type /Catalog /Pages {tree} 0 R{self._bookmarks(pages)} >>")
        info = self._add(f"<< /Title <feff{self.title.encode('utf-16-be').hex()}> >>")
        return assembled(self._objects, f"/Root {catalog} 0 R /Info {info} 0 R")


def assembled(objects: list[bytes], trailer: str) -> bytes:
    """Objects, numbered from 1, with their table of places."""
    whole = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(whole))
        whole += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(whole)
    whole += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    whole += b"".join(b"%010d 00000 n \n" % each for each in places)
    whole += f"trailer\n<< /Size {len(objects) + 1} {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(whole)
