"""Facts of generations, for tests of their records."""

from __future__ import annotations

from typing import Any

from meshkit.audit.records import AuditRecords
from meshkit.clock import Clock
from meshkit.testing.keys import commitment_ring
from router.domain.calls import ToolChoice
from router.domain.generation import (
    Choice,
    ChoiceFinished,
    Conversation,
    EndFacts,
    Finish,
    Message,
    Provenance,
    Request,
    Sampling,
    Score,
    StartFacts,
    Usage,
)
from router.translate.generation_records import GenerationCodec

PROMPT, ANSWER = (1, 17, 99, 300), (7, 8, 9)


def generation_id(number: int) -> str:
    return f"0198c1d2-7a3b-7c4d-8e5f-{number:012x}"


def codec(clock: Clock) -> GenerationCodec:
    return GenerationCodec(AuditRecords("router", "0.2.0+3f2c1ab", clock), commitment_ring(), clock)


def start_facts(number: int = 1, **changes: Any) -> StartFacts:
    request = Request(
        tenant="bank-a",
        scenario="assistant",
        model="tiny",
        grade=2,
        input=Conversation((Message("user", "我的卡号是6222021234567890128"),)),
        sampling=Sampling(temperature=0.7, top_p=0.95, top_k=40, choices=changes.pop("choices", 1)),
        stop=("停", "13812345678"),
        json_schema=changes.pop("json_schema", ""),
        tool_choice=changes.pop("tool_choice", ToolChoice.AUTO),
        request_id=changes.pop("request_id", "0198c1d2-7a3b-7c4d-8e5f-60718293a4b5"),
        principal=changes.pop("principal", "张三"),
        purpose="customer-service",
        policy_hash=b"\x91" * 32,
        budget_key=b"\x92" * 16,
    )
    facts: dict[str, Any] = {
        "generation_id": generation_id(number),
        "request": request,
        "model": "tiny",
        "model_digest": b"\x9a" * 32,
        "release": "9f86d081884c7d659f86d081884c7d65",
        "seed": 13_812_345_678_000_000_001,
        "prompt_tokens": PROMPT,
        "max_output_tokens": 64,
        "decode": Choice("decode-1/0", "CHEAPEST", 0, tuple(Score(f"decode-{each}/0", each + 0.5, each, 2.25, 0.1) for each in range(12))),
        "prefill": Choice("prefill-0/0", "LEAST_LOADED", 0),
        "reason": "ALWAYS",
        "tokenizer_digest": b"\x9b" * 32,
    }
    return StartFacts(**(facts | changes))


def end_facts(number: int = 1, **changes: Any) -> EndFacts:
    facts: dict[str, Any] = {
        "generation_id": generation_id(number),
        "tenant": "bank-a",
        "finished": (ChoiceFinished(0, Finish.STOP, len(ANSWER)),),
        "usage": Usage(4, 1, len(ANSWER), 0, "cpu/onnxruntime", 12.5, 1.25, False),
        "provenance": Provenance("prefill-0/0", "decode-1/0", True, "ALWAYS", 1, ("PREFILL_DOWN",), "CHECKSUM", ("DECODE_DIED",)),
        "output_tokens": (ANSWER,),
    }
    return EndFacts(**(facts | changes))
