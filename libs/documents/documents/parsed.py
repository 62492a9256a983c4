"""What every format becomes: blocks in reading order, with pages and places where the format has them.

Text is NFC, without control characters, zero-width and bidi characters and Unicode tags; layout spaces between CJK characters and hyphens
at line ends are joined; running headers, footers and page numbers that repeat over pages are gone. Pages count from 1. ``Parsed`` holds
what a document says, never what it runs: scripts, macros and formulas are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Style = Literal["body", "list", "caption", "footnote"]


@dataclass(frozen=True, slots=True)
class Box:
    """A place on a page in points (1/72 inch), origin at the top left, ``x0 <= x1`` and ``y0 <= y1``."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Heading:
    """``level`` is 1 to 9, 1 the outermost."""

    level: int
    text: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph, item of a list, caption or footnote. A list item keeps its mark or number in the text."""

    text: str
    page: int | None = None
    box: Box | None = None
    style: Style = "body"


@dataclass(frozen=True, slots=True)
class Table:
    """A rectangle of cells: a merged cell stands in each place that it covers; ``header`` holds the rows of labels, ``rows`` the rest.

    ``caption`` holds the title above or beside it and a line like 单位：万元, joined by a space. A cell without text is "".
    ``sheet`` is the name of a spreadsheet's sheet.
    """

    caption: str
    header: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[str, ...], ...]
    page: int | None = None
    box: Box | None = None
    sheet: str = ""


Block = Heading | Paragraph | Table


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document that was read.

    ``pages`` is 0 where the format has none. ``metadata`` is what the file says of itself (author, created, ...), which nobody checked.
    ``warnings`` are for people: what was left out and why. ``ocr_pages`` are those whose text was recognised from an image.
    """

    title: str
    media_type: str
    pages: int
    blocks: tuple[Block, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    ocr_pages: tuple[int, ...] = ()
