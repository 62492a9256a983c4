"""Why a document was not read. Each error has a stable UPPER_SNAKE ``reason``: reasons are API, add, never rename.

Messages name what was wrong with the file as such, never its text. A service maps the tree to its own errors: ``Refused`` and
``Malformed`` are the document's doing and stay so, ``ParserFailed`` too unless its reason is ``PARSER_UNAVAILABLE``.
"""

from __future__ import annotations


class DocumentError(Exception):
    """Base: the document was not read."""

    default_reason = "MALFORMED"

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason

    def __reduce__(self) -> tuple[type[DocumentError], tuple[str, str]]:
        return type(self), (self.message, self.reason)


class Refused(DocumentError):
    """A form that isn't read: UNSUPPORTED_FORMAT, PASSWORD_PROTECTED, MACROS, EMPTY, FORMAT_MISMATCH (name and bytes contradict)."""

    default_reason = "UNSUPPORTED_FORMAT"


class TooLarge(DocumentError):
    """Beyond a limit: DOCUMENT_TOO_LARGE, TOO_MANY_PAGES, TOO_MANY_SCANNED_PAGES, TOO_MUCH_TEXT, ZIP_BOMB, TOO_DEEP."""

    default_reason = "DOCUMENT_TOO_LARGE"


class Malformed(DocumentError):
    """Not what its format says: MALFORMED."""


class ParserFailed(DocumentError):
    """The parser ended without an answer: PARSER_CRASHED, PARSER_OUT_OF_MEMORY, PARSER_TIMEOUT; PARSER_UNAVAILABLE is not the document's
    fault (no parser could be started) and worth another try."""

    default_reason = "PARSER_CRASHED"


REASONS: dict[str, type[DocumentError]] = {
    "UNSUPPORTED_FORMAT": Refused,
    "PASSWORD_PROTECTED": Refused,
    "MACROS": Refused,
    "FORMAT_MISMATCH": Refused,
    "EMPTY": Refused,
    "DOCUMENT_TOO_LARGE": TooLarge,
    "TOO_MANY_PAGES": TooLarge,
    "TOO_MANY_SCANNED_PAGES": TooLarge,
    "TOO_MUCH_TEXT": TooLarge,
    "ZIP_BOMB": TooLarge,
    "TOO_DEEP": TooLarge,
    "MALFORMED": Malformed,
    "PARSER_CRASHED": ParserFailed,
    "PARSER_OUT_OF_MEMORY": ParserFailed,
    "PARSER_TIMEOUT": ParserFailed,
    "PARSER_UNAVAILABLE": ParserFailed,
}
"""Every reason there is, and its class."""


def of(reason: str, message: str) -> DocumentError:
    """The error of a reason. KeyError for one that isn't known."""
    return REASONS[reason](message, reason)
