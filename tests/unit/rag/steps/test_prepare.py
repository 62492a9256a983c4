"""What a document is called, as preparation tells the ledger."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

from documents.parsed import Paragraph, Parsed
from rag.domain import records
from rag.domain.access import Access
from rag.domain.document import State, Submission, Version
from rag.domain.grading import Grades
from rag.steps.prepare import MAX_CHUNKS, Prepare

GRADES = Grades({"mobile": 3}, floor=1, sha256=bytes(32))
TEXTS = [
    "平安健康保险股份有限公司（以下简称“平安健康”）与投保人订立本合同。",
    "第二条",
    "第三条",
    "第四条 损失（以下简称“事故损失”）由双方分担。",
]
HANDED_IN = Submission(
    tenant="bank-a",
    document_id="d",
    source_version=1,
    title="e生保（2021版）条款",
    media_type=records.MEDIA_TYPE,
    blob="b",
    content_sha256=sha256(b"").digest(),
    access=Access(1),
    submitted_by="desk",
    product="e生保",
    file_name="esb_2021.jsonl",
)


class Blobs:
    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    async def read(self, tenant: str, blob: str) -> bytes:
        return "".join(json.dumps({"_id": f"r{place}", "text": text}) + "\n" for place, text in enumerate(self.texts)).encode()


class Parser:
    identity = "parser/1"


async def names_of(texts: list[str], handed_in: Submission = HANDED_IN) -> set[tuple[str, int]]:
    prepare = Prepare(Blobs(texts), Parser(), GRADES, 400)  # type: ignore[arg-type]
    made = await prepare(Version(1, handed_in, State.ENROLLED))
    return {(name, access.grade) for name, access in made.names}


async def test_a_document_is_called_by_title_product_file_and_itself() -> None:
    """What it defines at its beginning names it; what is defined further down does not."""
    assert await names_of(TEXTS) == {("e生保（2021版）条款", 1), ("e生保", 1), ("esb_2021.jsonl", 1), ("平安健康", 1)}


async def test_names_demand_what_their_passages_demand() -> None:
    """Whoever may read any passage may know the title; a term is as secret as the passage that defines it."""
    secret = "海川集团有限公司（以下简称“海川集团”），电话 13800138000"
    assert await names_of([secret, "第二条"], replace(HANDED_IN, product="", file_name="")) == {
        ("e生保（2021版）条款", 1),
        ("e生保（2021版）条款", 3),
        ("海川集团", 3),
    }


class Endless:
    """Blocks of a document that is longer than anybody waits; says how many were looked at."""

    def __init__(self) -> None:
        self.begun, self.let_go, self.read = threading.Event(), threading.Event(), 0

    def __iter__(self) -> Iterator[Paragraph]:
        try:
            for self.read in range(20 * MAX_CHUNKS):
                self.begun.set()
                yield Paragraph(f"第{self.read}条 等待期为90日。")
        finally:
            self.let_go.set()


async def test_a_document_that_nobody_waits_for_is_not_cut_any_further() -> None:
    """The end of the process, for instance, waits for its threads."""
    blocks = Endless()

    class Reading(Parser):
        async def parse(self, content: bytes, name: str, media_type: str) -> Parsed:
            return Parsed("", media_type, 0, blocks)  # type: ignore[arg-type]

    prepare = Prepare(Blobs([]), Reading(), GRADES, 4)  # type: ignore[arg-type]
    reading = asyncio.create_task(prepare(Version(1, replace(HANDED_IN, media_type="text/plain"), State.ENROLLED)))
    await asyncio.to_thread(blocks.begun.wait)
    reading.cancel()
    await asyncio.to_thread(blocks.let_go.wait)
    assert blocks.read < MAX_CHUNKS
