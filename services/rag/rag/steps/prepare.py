"""From a version's original to its passages: read, cut, graded. Everything that shapes passages stands in `configuration`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from meshkit.errors import InvalidArgument
from meshkit.threads import Look, on_thread

from rag import ports
from rag.domain import chunking, names, records
from rag.domain.access import HIGHEST_INDEXED, Access
from rag.domain.document import NewChunk, Prepared, State, Submission, Version
from rag.domain.grading import Grades

MAX_CHUNKS = 100_000
"""Of one document: about 30,000 pages of text. What is beyond is a collection, to be split by whoever hands it in."""
_LOOK_EVERY = 64
_BEGINNING = 3


class Prepare:
    """Reads documents."""

    def __init__(self, blobs: ports.Blobs, parser: ports.Parser, grades: Grades, most_pieces: int) -> None:
        self._blobs, self._parser, self._grades, self._most = blobs, parser, grades, most_pieces

    @property
    def configuration(self) -> bytes:
        """Digest of what shapes passages: another one means that every document is read again."""
        parts = (self._parser.identity, chunking.VERSION, names.VERSION, str(self._most), self._grades.sha256.hex())
        return sha256("|".join(parts).encode()).digest()

    async def __call__(self, version: Version) -> Prepared:
        """Return a version's passages.

        Raises InvalidArgument or InvalidDocument with the reason for what can't be read, NotFound for an original that is gone,
        Unavailable.
        """
        handed_in = version.submission
        content = await self._blobs.read(handed_in.tenant, handed_in.blob)
        if handed_in.media_type == records.MEDIA_TYPE:
            drafts = await on_thread(lambda look: _drawn(records.drafts(content, self._most), look))
            title = handed_in.title
        else:
            parsed = await self._parser.parse(content, handed_in.file_name, handed_in.media_type)
            drafts = await on_thread(lambda look: _drawn(chunking.drafts(parsed, self._most), look))
            title = handed_in.title or parsed.title or handed_in.file_name
        drafts = [draft for draft in drafts if draft.text.strip()]
        if not drafts:
            raise InvalidArgument("the document holds no text", reason="NO_TEXT")
        if len(drafts) > MAX_CHUNKS:
            raise InvalidArgument(f"the document has more than {MAX_CHUNKS} passages", reason="TOO_MANY_PASSAGES")
        return await on_thread(lambda look: self._graded(version, drafts, title, look))

    def _graded(self, version: Version, drafts: Sequence[chunking.Draft], title: str, look: Look) -> Prepared:
        handed_in = version.submission
        kept: list[NewChunk] = []
        for ordinal, draft in enumerate(drafts):
            if ordinal % _LOOK_EVERY == 0:
                look()
            whole = "\n".join((*draft.heading_path, draft.table_header, draft.text))  # headings are shown with the passage
            grade = self._grades.of(whole, handed_in.declared_grade)
            if grade > HIGHEST_INDEXED:
                continue
            kept.append(
                NewChunk(
                    ordinal=ordinal,
                    text=draft.text,
                    access=handed_in.access.at_grade(grade),
                    heading_path=draft.heading_path,
                    table_header=draft.table_header,
                    page=draft.page,
                    box=draft.box,
                    clause=draft.clause,
                    record_id=draft.record_id,
                )
            )
        withheld = len(drafts) - len(kept)
        state = State.PARTIAL if withheld else State.VISIBLE
        return Prepared(title, kept, state, self.configuration, withheld, names=_names(title, handed_in, kept))


def _names(title: str, handed_in: Submission, chunks: Sequence[NewChunk]) -> list[tuple[str, Access]]:
    """Return what the document is called: by title, product and file to whoever may read any of it, and by what it calls itself.

    That is defined where a document begins (以下简称, hereinafter); what is defined further down names things, not the document.
    """
    called = [each for each in (title, handed_in.product, handed_in.file_name) if each]
    found = [(name, access) for access in dict.fromkeys(chunk.access for chunk in chunks) for name in called]
    return found + [(term, chunk.access) for chunk in chunks[:_BEGINNING] for term in names.defined(chunk.text)]


def _drawn(drafts: Iterator[chunking.Draft], look: Look) -> list[chunking.Draft]:
    """Return passages, and not many more of them than a document may have."""
    found = []
    for number, draft in enumerate(drafts):
        if number % _LOOK_EVERY == 0:
            look()
        if number > MAX_CHUNKS:
            break
        found.append(draft)
    return found
