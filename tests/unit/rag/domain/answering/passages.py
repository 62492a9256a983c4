"""Passages for tests."""

from rag.domain.access import Access
from rag.domain.document import Chunk, NewChunk, State, Submission, Version
from rag.domain.retrieval import Passage


def passage(text: str, title: str = "江城安心医疗保险条款", heading: str = "", number: int = 0, **more: str) -> Passage:
    header, clause = more.get("table_header", ""), more.get("clause", "")
    chunk = NewChunk(number, text, Access(1), tuple(heading.split(" > ")) if heading else (), table_header=header, clause=clause)
    submission = Submission(
        tenant="bank",
        document_id=more.get("document", title),
        source_version=1,
        title=title,
        media_type="text/plain",
        blob="",
        content_sha256=b"",
        access=Access(1),
        submitted_by="clerk",
    )
    return Passage(Chunk(number, 1, 1, chunk), Version(1, submission, State.VISIBLE))
