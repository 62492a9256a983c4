"""What a document is called, as preparation tells the ledger."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

from rag.domain import records
from rag.domain.access import Access
from rag.domain.document import State, Submission, Version
from rag.domain.grading import Grades
from rag.steps.prepare import Prepare

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
