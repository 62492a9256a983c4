"""Passages for tests."""

from rag.domain.access import Access
from rag.domain.document import Chunk, NewChunk, State, Submission, Version
from rag.domain.retrieval import Passage


def passage(text: str, title: str = "江城安心医疗保险条款", heading: str = "", number: int = 0, **more: str) -> Passage:
    chunk = NewChunk(number, text, Access(1), (heading,) if heading else (), more.get("table_header", ""), clause=more.get("clause", ""))
    submission = Submission("bank", title, 1, title, "text/plain", "", b"", Access(1), "clerk")
    return Passage(Chunk(number, 1, 1, chunk), Version(1, submission, State.VISIBLE))
