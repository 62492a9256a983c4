"""Looks into documents whose names, questions and people hold what no record may."""

from __future__ import annotations

from typing import Any

from rag.domain.access import Reader
from rag.domain.caller import Caller
from rag.domain.citing import PassageId
from rag.domain.evidence import Act, ChangeAct, Changed, Looked, Told
from rag.domain.retrieval import Scope

CARD, PHONE, RESIDENT = "6222021234567890128", "13800138000", "11010519491231002X"
DOCUMENT = f"保单 {RESIDENT}"
CALLER = Caller(
    tenant="bank-a",
    principal="张三",
    purpose="claims-handling",
    clearance=3,
    request_id="0198c1d2-7a3b-7c4d-8e5f-60718293a4b5",
    policy_hash=b"\x91" * 32,
)
READER = Reader("bank-a", "张三", "claims-handling", 2, frozenset({"claims", "理赔"}), frozenset({"deal-7"}))
FIRST = Told(PassageId(DOCUMENT, 3, 7), f"卡号 {CARD} 的免赔额为 500 元", 3, cited=True)
SECOND = Told(PassageId("terms", 20_261_129_123_456, 0), "等待期 90 日", 1)
HIDDEN = Told(PassageId("secret", 1, 2), readable=False)


def look(**changes: Any) -> Looked:
    """Return a look that says everything."""
    said: dict[str, Any] = {
        "act": Act.ASK,
        "caller": CALLER,
        "reader": READER,
        "access_ids": frozenset({12, 3, 7}),
        "sequence": 41,
        "at_us": 1_790_000_000_250_000,
        "grade": 2,
        "valid_at_us": 1_700_000_000_000_000,
        "known_at_seq": 40,
        "question": f"{PHONE} 的免赔额是多少？",
        "scope": Scope((DOCUMENT,), ("安心医疗",)),
        "conversation_id": f"call {PHONE}",
        "passages": (FIRST, SECOND, HIDDEN),
        "forbidden": ("secret",),
        "answerer": "extractive",
        "answer": f"卡号 {CARD} 的免赔额为 500 元",
        "warnings": ("REVIEW_DUE", "REVIEW_DUE"),
        "degradations": ("ENCODER_UNAVAILABLE",),
        "configuration": b"\x9c" * 32,
    }
    return Looked(**(said | changes))


def change(act: ChangeAct, **changes: Any) -> Changed:
    """Return a change that says everything."""
    said: dict[str, Any] = {"document_id": DOCUMENT, "source_version": 3, "sequence": 44, "why": f"按 {PHONE} 的要求"}
    return Changed(act=act, caller=CALLER, at_us=1_790_000_000_250_000, **(said | changes))
