"""``python -m documents FILE``: what is read of a document, for people."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from documents.errors import DocumentError
from documents.parsed import Block, Heading, Paragraph, Parsed
from documents.sandbox import Sandbox


def shown(block: Block) -> str:
    """A block as lines of text."""
    page = f"{block.page:>4} " if block.page else "     "
    match block:
        case Heading(level, text):
            return f"{page}{'#' * level} {text}"
        case Paragraph(text, style=style):
            return f"{page}{'' if style == 'body' else f'[{style}] '}{text}"
        case table:
            rows = [*(f"     ‖ {' ‖ '.join(row)}" for row in table.header), *(f"     | {' | '.join(row)}" for row in table.rows)]
            return "\n".join([f"{page}[table] {table.sheet} {table.caption}".rstrip(), *rows])


async def read(path: Path, ocr: bool) -> Parsed:
    """In a sandbox of its own."""
    async with Sandbox(ocr=ocr) as sandbox:
        if not sandbox.isolation.complete:
            print(f"isolation is not complete: {sandbox.isolation}", file=sys.stderr)
        return await sandbox.parse(path, path.name)


def main() -> int:
    """0, or 1 with the reason on stderr."""
    arguments = argparse.ArgumentParser("documents", description=__doc__)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--no-ocr", action="store_true", help="leave pages without text as they are")
    given = arguments.parse_args()
    try:
        parsed = asyncio.run(read(given.file, not given.no_ocr))
    except (DocumentError, OSError) as error:
        print(f"{getattr(error, 'reason', 'UNREADABLE')}: {error}", file=sys.stderr)
        return 1
    print(f"{parsed.title}\n{parsed.media_type}, {parsed.pages} pages, {len(parsed.blocks)} blocks")
    for key, value in parsed.metadata.items():
        print(f"  {key}: {value}")
    for each in parsed.warnings:
        print(f"  ! {each}")
    for block in parsed.blocks:
        print(shown(block))
    return 0


if __name__ == "__main__":
    sys.exit(main())
