"""Documents are read by `libs/documents`, in its sandbox. What a document does wrong is the document's error, and never ours."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from documents import errors
from documents.parsed import Parsed
from documents.sandbox import Sandbox
from meshkit.errors import InvalidArgument, Unavailable

_SHAPING = ("pypdfium2", "python-docx", "openpyxl", "selectolax", "rapidocr", "finmesh-documents")
_PARSER_UNAVAILABLE = "PARSER_UNAVAILABLE"


class SandboxParser:
    """A port `Parser` over a sandbox that is entered and left elsewhere."""

    def __init__(self, sandbox: Sandbox, *, ocr: bool) -> None:
        self._sandbox = sandbox
        self._ocr = ocr

    @property
    def identity(self) -> str:
        """Versions of what reads documents, and whether images are read."""
        return ",".join([*(f"{name}={_version(name)}" for name in _SHAPING), f"ocr={self._ocr}"])

    async def parse(self, content: bytes, name: str, media_type: str) -> Parsed:
        """Raises InvalidArgument with the parser's reason; Unavailable (PARSER_UNAVAILABLE) when no parser could be started."""
        try:
            parsed: Parsed = await self._sandbox.parse(content, name, media_type)
        except errors.DocumentError as error:
            if error.reason == _PARSER_UNAVAILABLE:
                raise Unavailable(error.message, reason=error.reason) from error
            raise InvalidArgument(error.message, reason=error.reason) from error
        return parsed


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "none"
