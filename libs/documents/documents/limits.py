"""How much a document may be and cost. Limits are data: an institution with other documents sets others."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """All are upper bounds, inclusive."""

    max_bytes: int = 200 * MIB
    """The file. A scanned 500-page filing at 300 dpi has about 150 MiB; beyond it is a collection, to be split by whoever submits it."""
    max_pages: int = 3_000
    """A listed bank's yearly report has 300 to 600 pages, the longest prospectus about 1,500."""
    max_ocr_pages: int = 500
    """Pages without text. Each costs 2 to 8 s of processor: 500 are about half an hour of one core."""
    max_blocks: int = 200_000
    """Headings, paragraphs, tables. Twice what is kept of a document as passages (100,000)."""
    max_characters: int = 30_000_000
    """All text together: 3,000 dense pages have about 10 million characters, and the result must fit the service's memory."""
    max_cells: int = 2_000_000
    """Cells of all tables, empty ones included. A sheet may say that it has 17 billion; one of 100,000 rows and 20 columns passes."""
    max_columns: int = 2_000
    """Of one table. Wider sheets are formats, not tables; empty columns at the right don't count."""
    max_depth: int = 2_000
    """Nesting of markup. Browsers stop at 512; time grows with the square: 20 ms at 2,000, minutes at 1,000,000."""
    zip_max_ratio: int = 200
    """Unpacked to packed bytes of one entry, from 1 MiB on. XML of real sheets packs up to about 60 to 1, a bomb 1,000 to 1."""
    zip_max_bytes: int = 1_024 * MIB
    """Unpacked bytes of a whole container: about what the largest real workbook that max_cells allows has."""
    zip_max_entries: int = 20_000
    """Entries of a container. Word writes about 20, plus one for each image."""
    max_image_pixels: int = 100_000_000
    """Of one page's image. A3 at 600 dpi has 70 million; a bomb says 10^10 in 100 bytes."""
    max_result_bytes: int = 256 * MIB
    """What a parser may send back. 30 million Chinese characters are 90 MB, and places and pages come with them."""
    memory_bytes: int = 1_536 * MIB
    """Address space that a parser may add to what it starts with. 200 MiB of file, the largest page's drawing, and the result twice."""
    ocr_memory_bytes: int = 1_536 * MIB
    """The same for the reader of one image: 700 MiB resident at most were seen, address space is about twice that."""
    cpu_s: int = 120
    """Processor time of one document, recognition of images apart. 3,000 pages take about 30 s."""
    wall_s: float = 300.0
    """Time of one document on a busy machine, recognition of images apart."""
    ocr_page_cpu_s: int = 60
    """Processor time of one image. 2 to 8 s are usual."""
    ocr_page_wall_s: float = 180.0
    """Time of one image on a busy machine."""
    open_files: int = 32
    """Descriptors of a parser: its document, its channel, and room for what libraries open."""
