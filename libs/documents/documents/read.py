"""From bytes to a parsed document, in the process that may die of it."""

from __future__ import annotations

import codecs
import importlib
import pkgutil

import docx as docx_package

from documents import encoding
from documents.detect import MEDIA_TYPES, TEXTS, detect
from documents.draft import Draft
from documents.errors import Malformed, Refused, TooLarge
from documents.formats import delimited, docx, html, image, markdown, pdf, text, xlsx
from documents.limits import Limits
from documents.page import PageReader
from documents.parsed import Parsed


def read(content: memoryview, name: str, media_type: str, limits: Limits, reader: PageReader | None) -> Parsed:
    """``reader`` None: pages without text stay without. Raises DocumentError, and whatever parsers raise."""
    kind = detect(content, name, media_type, limits)
    draft = Draft(limits)
    if kind in TEXTS:
        _read_text(kind, bytes(content), draft)
    elif kind == "pdf":
        pdf.read(content, draft, reader)
    elif kind == "docx":
        docx.read(content, draft)
    elif kind == "xlsx":
        xlsx.read(content, draft)
    else:
        image.read(content, draft, reader)
    return draft.parsed(MEDIA_TYPES[kind], name)


def _read_text(kind: str, content: bytes, draft: Draft) -> None:
    if len(content) > 4 * draft.limits.max_characters:
        raise TooLarge(f"more than {draft.limits.max_characters} characters", "TOO_MUCH_TEXT")
    if kind == "html":
        draft.metadata["encoding"] = html.read(content, draft)
        return
    decoded, draft.metadata["encoding"] = encoding.decode(content)
    if not encoding.is_text(decoded):
        raise Malformed("it is no text") if kind != "text" else Refused("bytes of no known form")
    {"markdown": markdown.read, "csv": delimited.read, "text": text.read}[kind](decoded, draft)


def warm_up() -> None:
    """Import everything that is imported late: afterwards there is no file system."""
    for name in (*encoding.DECODABLE, "cp437", "latin-1", "ascii"):
        codecs.lookup(name)
    for late in ("_strptime", "PIL.PngImagePlugin", "PIL.JpegImagePlugin", "PIL.TiffImagePlugin", "PIL.BmpImagePlugin"):
        importlib.import_module(late)
    for module in pkgutil.walk_packages(docx_package.__path__, "docx."):
        importlib.import_module(module.name)
