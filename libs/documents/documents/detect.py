"""What a document is. Its bytes decide; a name or media type that says something else is an error, for somebody was deceived."""

from __future__ import annotations

import re

from documents import archive
from documents.errors import Malformed, Refused
from documents.limits import Limits

MEDIA_TYPES = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "markdown": "text/markdown",
    "csv": "text/csv",
    "text": "text/plain",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "tiff": "image/tiff",
    "bmp": "image/bmp",
}
TEXTS = ("html", "markdown", "csv", "text")
IMAGES = ("png", "jpeg", "tiff", "bmp")
_ENDINGS = {
    "pdf": "pdf", "docx": "docx", "docm": "docx", "xlsx": "xlsx", "xlsm": "xlsx", "html": "html", "htm": "html", "xhtml": "html",
    "md": "markdown", "markdown": "markdown", "csv": "csv", "tsv": "csv", "txt": "text", "text": "text",
    "png": "png", "jpg": "jpeg", "jpeg": "jpeg", "tif": "tiff", "tiff": "tiff", "bmp": "bmp",
}  # fmt: skip
_REFUSED = frozenset(
    (
        "doc",
        "xls",
        "ppt",
        "pptx",
        "wps",
        "et",
        "dps",
        "ofd",
        "rtf",
        "odt",
        "ods",
        "odp",
        "eml",
        "msg",
        "zip",
        "rar",
        "7z",
        "gz",
        "xml",
        "epub",
    )
)
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"II*\0", "tiff"), (b"MM\0*", "tiff"), (b"BM", "bmp"),
)  # fmt: skip
_BINARY = ((b"{\\rtf", "RTF"), (b"\x1f\x8b", "gzip"), (b"Rar!", "RAR"), (b"7z\xbc\xaf", "7z"), (b"%!PS", "PostScript"), (b"GIF8", "GIF"))
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HTML = re.compile(rb"\s*(?:<\?xml[^>]{0,200}\?>\s*|<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL)


def detect(content: memoryview, name: str, media_type: str, limits: Limits) -> str:
    """A key of MEDIA_TYPES. Raises Refused, TooLarge, Malformed."""
    said = _said(name, media_type)
    found = _by_magic(content, limits)
    if not found:
        return _text(content, name, said)
    if said and said != found and not (said in IMAGES and found in IMAGES):
        raise Refused(f"it is called {said} and is {found}", "FORMAT_MISMATCH")
    return found


def _said(name: str, media_type: str) -> str:
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    by_name = _ENDINGS.get(ending, "refused" if ending in _REFUSED else "")
    bare = media_type.partition(";")[0].strip().lower()
    by_type = next((kind for kind, known in MEDIA_TYPES.items() if known == bare), "")
    if by_name and by_type and by_name != by_type and not (by_name in TEXTS and by_type in TEXTS):
        raise Refused(f"its name says {by_name} and its media type {by_type}", "FORMAT_MISMATCH")
    return by_name or by_type


def _by_magic(content: memoryview, limits: Limits) -> str:
    head = bytes(content[:1024])
    if b"%PDF-" in head:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return archive.kind(content, limits)
    if head.startswith(_OLE):
        raise _compound(content)
    if head.startswith(b"PK"):
        raise Refused("an empty or divided zip container")
    for mark, what in _BINARY:
        if head.startswith(mark):
            raise Refused(f"a file of the form {what}")
    kind = next((kind for mark, kind in _MAGIC if head.startswith(mark)), "")
    if kind == "bmp" and int.from_bytes(head[2:6], "little") not in {len(content), 0}:
        return ""  # text that begins with BM
    return kind


def _compound(content: memoryview) -> Refused:
    """The container of old Office, and of new documents under a password."""
    if "EncryptedPackage".encode("utf-16-le") in bytes(content[: 32 << 20]):
        return Refused("the document needs a password", "PASSWORD_PROTECTED")
    return Refused("an old Office document (.doc, .xls, .ppt, .wps): save it as .docx, .xlsx or PDF")


def _text(content: memoryview, name: str, said: str) -> str:
    head = bytes(content[:4096])
    if said and said not in TEXTS:
        if said == "refused":
            raise Refused(f"files of the kind of {name[-12:]!r} are not read")
        raise Malformed(f"it is called {said} and does not begin like one")
    if _HTML.match(head.removeprefix(b"\xef\xbb\xbf").replace(b"\0", b"")) and said in {"", "text", "html"}:
        return "html"
    return said or "text"
