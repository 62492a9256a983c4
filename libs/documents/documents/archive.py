"""The containers of Office documents: what they are, and that unpacking them is safe, before any parser opens them."""

from __future__ import annotations

import io
import re
import zipfile

from documents.errors import DocumentError, Malformed, Refused, TooLarge
from documents.limits import MIB, Limits

_DTD = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_MAIN = {
    b"wordprocessingml.document.main+xml": "docx",
    b"spreadsheetml.sheet.main+xml": "xlsx",
    b"ms-word.document.macroEnabled.main+xml": "docm",
    b"ms-excel.sheet.macroEnabled.main+xml": "xlsm",
}
_SAFE_NAME = re.compile(r"(?!/)(?!.*(?:^|/)\.\.(?:/|$))[^\\\x00:]{1,500}", re.DOTALL)
_HEAD_BYTES = 64 << 10


def kind(content: memoryview, limits: Limits) -> str:
    """``docx`` or ``xlsx``, once the container has been checked.

    Raises Refused for macros (MACROS) and everything else that is a zip file, TooLarge ZIP_BOMB, Malformed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check(archive, limits)
            return _kind(archive, limits)
    except DocumentError:
        raise
    except (zipfile.BadZipFile, EOFError, ValueError, KeyError, OSError, NotImplementedError, RuntimeError) as error:
        raise Malformed("not a whole zip container") from error


def _check(archive: zipfile.ZipFile, limits: Limits) -> None:
    entries = archive.infolist()
    if len(entries) > limits.zip_max_entries:
        raise TooLarge(f"a container of {len(entries)} entries", "ZIP_BOMB")
    if sum(each.file_size for each in entries) > limits.zip_max_bytes:
        raise TooLarge("a container that unpacks beyond the limit", "ZIP_BOMB")
    if len({each.filename for each in entries}) < len(entries):
        raise Malformed("two entries of a container have one name")
    for each in entries:
        if each.file_size > MIB and each.file_size > limits.zip_max_ratio * max(each.compress_size, 1):
            raise TooLarge("an entry of a container is packed too tightly", "ZIP_BOMB")
        if not _SAFE_NAME.fullmatch(each.filename):
            raise Malformed("an entry of a container names a place outside it")
        if each.flag_bits & 1:
            raise Refused("an entry of the container is encrypted", "PASSWORD_PROTECTED")


def _kind(archive: zipfile.ZipFile, limits: Limits) -> str:
    names = set(archive.namelist())
    if "[Content_Types].xml" not in names:
        raise Refused("an OFD document" if "OFD.xml" in names else "a zip container of another kind")
    with archive.open("[Content_Types].xml") as file:
        types = file.read(MIB)
    found = next((kind for mark, kind in _MAIN.items() if mark in types), "")
    if found.endswith("m") or any(name.lower().endswith("vbaproject.bin") for name in names):
        raise Refused("a document with macros", "MACROS")
    if not found:
        raise Refused("an Office document of another kind")
    for name in names:
        if name.lower().endswith((".xml", ".rels")):
            with archive.open(name) as file:
                if _DTD.search(file.read(_HEAD_BYTES).replace(b"\0", b"")):
                    raise Malformed("a part of the document declares entities")
    return found
