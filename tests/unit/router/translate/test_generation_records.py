"""The bytes of a generation's records: what they say, what they never say, and that the log takes them."""

from __future__ import annotations

import hmac
import struct
from dataclasses import replace
from typing import Any

import pytest
from audit.translate import ProtobufBatchCodec
from finmesh.audit.v1.audit_record_pb2 import KV_INTEGRITY_CHECKSUM, AuditRecord
from finmesh.inference.v1.generation_pb2 import FinishReason
from meshkit.audit.batch import MAX_RECORD_BYTES
from meshkit.audit.records import AuditRecords
from meshkit.clock import FakeClock
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import COMMITMENT, DEVELOPMENT_ROOT, derive_key
from meshkit.crypto.ring import Ring, RingKeys
from meshkit.errors import DataCorrupted
from meshkit.telemetry.context import TraceContext, attached
from router.domain.calls import Called, Tool, ToolChoice
from router.domain.evidence import Checkpoint, RecordBytes
from router.domain.generation import Choice, ChoiceFinished, Finish, Score
from router.translate.generation_records import MAX_SCORES, GenerationCodec

from tests.unit.router.generations import ANSWER, PROMPT, codec, end_facts, generation_id, start_facts

CLOCK = FakeClock(1_790_000_000.25)
KEY = derive_key(DEVELOPMENT_ROOT, COMMITMENT)


def parsed(record: RecordBytes) -> AuditRecord:
    made = AuditRecord.FromString(record.content)
    assert made.audit_record_id == record.id
    return made


def commitment(tokens: tuple[int, ...]) -> bytes:
    return hmac.digest(KEY, struct.pack(f"<{len(tokens)}I", *tokens), "sha256")


def test_a_start_says_who_asked_for_what_and_where_it_went() -> None:
    with attached(TraceContext(0xAB, 1, True)):
        record = parsed(codec(CLOCK).started(start_facts(json_schema='{"type": "object"}')))
    assert (record.producer, record.build, record.tenant, record.scenario) == ("router", "router/0.2.0+3f2c1ab", "bank-a", "assistant")
    assert (record.purpose, record.policy_hash, record.grade) == ("customer-service", b"\x91" * 32, 2)
    assert record.request_id == "0198c1d2-7a3b-7c4d-8e5f-60718293a4b5" and record.trace_id == (0xAB).to_bytes(16, "big")
    assert (record.model_sha256, record.commitment_key_id, len(record.principal_key)) == (b"\x9a" * 32, "dev-1", 32)
    assert record.event_time.ToMilliseconds() == 1_790_000_000_250
    assert (record.generation.generation_id, record.generation.budget_key) == (generation_id(1), b"\x92" * 16)
    started = record.generation.started
    assert (started.model, started.release, started.tokenizer_sha256) == ("tiny", "9f86d081884c7d659f86d081884c7d65", b"\x9b" * 32)
    assert (started.prompt_tokens, started.max_output_tokens, started.stops) == (4, 64, 2)
    assert started.prompt_commitment == commitment(PROMPT)
    assert started.grammar_commitment == hmac.digest(KEY, b'{"type": "object"}', "sha256")
    sampling = started.sampling
    assert (round(sampling.temperature, 6), round(sampling.top_p, 6), sampling.top_k, sampling.choices) == (0.7, 0.95, 40, 1)
    assert int.from_bytes(sampling.seed, "big") == 13_812_345_678_000_000_001 and not sampling.seed_given
    routing = started.routing
    assert (routing.decode_worker, routing.decode_reason) == ("decode-1/0", "CHEAPEST")
    assert (routing.prefill_worker, routing.disaggregated, routing.reason) == ("prefill-0/0", True, "ALWAYS")
    assert [score.cost_milli for score in routing.scores] == [500, 1_500, 2_500, 3_500, 4_500, 5_500, 6_500, 7_500][:MAX_SCORES]


def test_an_end_says_what_became_of_it_and_what_it_used() -> None:
    made = codec(CLOCK)
    start, clock = made.started(start_facts()), FakeClock(1_790_000_002.0)
    record = parsed(codec(clock).ended(end_facts(error="STREAM_BROKEN"), start.content))
    begun = parsed(start)
    for field in (
        "tenant",
        "scenario",
        "purpose",
        "principal_key",
        "request_id",
        "policy_hash",
        "model_sha256",
        "commitment_key_id",
        "grade",
    ):
        assert getattr(record, field) == getattr(begun, field), field
    assert record.event_time == begun.event_time and record.decided_time.ToMilliseconds() == 1_790_000_002_000
    assert list(record.degradations) == ["PREFILL_DOWN"]
    ended = record.generation.ended
    assert record.generation.generation_id == generation_id(1) and not record.generation.HasField("started")
    assert record.generation.budget_key == begun.generation.budget_key
    (answer,) = ended.answers
    assert (FinishReason.Name(answer.finish_reason), answer.output_tokens) == ("FINISH_REASON_STOP", 3)
    assert answer.output_commitment == commitment(ANSWER)
    usage = ended.usage
    assert (usage.prompt_tokens, usage.cached_tokens, usage.output_tokens, usage.shadow_tokens) == (4, 1, 3, 0)
    assert (usage.accelerator, usage.busy_ms, usage.energy_j, usage.energy_measured) == ("cpu/onnxruntime", 12.5, 1.25, False)
    assert (ended.kv_integrity, ended.failovers, list(ended.continued), ended.error) == (
        KV_INTEGRITY_CHECKSUM,
        1,
        ["DECODE_DIED"],
        "STREAM_BROKEN",
    )
    assert not ended.interrupted


def test_several_answers_stand_in_order_each_with_its_commitment() -> None:
    finished = (ChoiceFinished(1, Finish.LENGTH, 2), ChoiceFinished(0, Finish.STOP, 3), ChoiceFinished(2, Finish.CANCELLED, 0))
    made = codec(CLOCK)
    record = parsed(
        made.ended(end_facts(finished=finished, output_tokens=((1, 2, 3), (4, 5))), made.started(start_facts(choices=3)).content)
    )
    assert [answer.output_tokens for answer in record.generation.ended.answers] == [3, 2, 0]
    assert [answer.output_commitment for answer in record.generation.ended.answers] == [
        commitment((1, 2, 3)),
        commitment((4, 5)),
        commitment(()),
    ]


def test_an_interrupted_end_has_the_same_bytes_whoever_makes_it_and_when() -> None:
    start = codec(CLOCK).started(start_facts())
    last = Checkpoint(generation_id(1), 96, 1_790_000_001_000_000)
    first = codec(CLOCK).interrupted(last, start.content)
    with attached(TraceContext(7, 8, True)):
        other = GenerationCodec(
            AuditRecords("router", "0.3.0", FakeClock()), Ring(RingKeys(COMMITMENT, "new", {"new": b"n" * 32}), CommitmentKey), FakeClock()
        )
        assert other.interrupted(last, start.content) == first
    record = parsed(first)
    ended = record.generation.ended
    assert ended.interrupted and (ended.usage.prompt_tokens, ended.usage.output_tokens) == (4, 96)
    assert [(FinishReason.Name(each.finish_reason), each.output_tokens) for each in ended.answers] == [("FINISH_REASON_INTERRUPTED", 96)]
    assert record.decided_time.ToMilliseconds() == 1_790_000_001_000 and record.generation.budget_key == b"\x92" * 16
    several = codec(CLOCK).interrupted(last, codec(CLOCK).started(start_facts(choices=2)).content)
    assert [each.output_tokens for each in parsed(several).generation.ended.answers] == [0, 0]


def test_ids_follow_from_generation_and_kind_alone() -> None:
    made, start = codec(CLOCK), codec(CLOCK).started(start_facts())
    later = codec(FakeClock(1_790_000_100.0))
    assert later.started(start_facts(prompt_tokens=(1,))).id == start.id
    end = made.ended(end_facts(), start.content)
    assert end.id == made.interrupted(Checkpoint(generation_id(1), 0, 1), start.content).id != start.id
    assert made.started(start_facts(2)).id != start.id
    assert all(each[14] == "8" and each[19] in "89ab" for each in (start.id, end.id)), "UUIDv8"


TOOLS = (Tool("freeze_card", "冻结 13912345678 的卡", '{"type": "object"}', True), Tool("look-up", "", "{}"))
CALLED = ((Called("look-up", '{"q": "13712345678"}'), Called("freeze_card", "{}"), Called("look-up", "{}")),)


def test_tools_are_committed_to_and_those_that_were_called_are_places_among_them() -> None:
    made = codec(CLOCK)
    start = made.started(start_facts(tools=TOOLS, tool_choice=ToolChoice.REQUIRED))
    started = parsed(start).generation.started
    text = '[["freeze_card","冻结 13912345678 的卡","{\\"type\\": \\"object\\"}",true],["look-up","","{}",false]]'
    assert (started.tools, started.tool_choice, started.tools_commitment) == (2, "REQUIRED", hmac.digest(KEY, text.encode(), "sha256"))
    ended = parsed(made.ended(end_facts(called=CALLED, offered=("freeze_card", "look-up")), start.content)).generation.ended
    text = '[["look-up","{\\"q\\": \\"13712345678\\"}"],["freeze_card","{}"],["look-up","{}"]]'
    assert list(ended.answers[0].called) == [1, 0, 1]
    assert ended.answers[0].calls_commitment == hmac.digest(KEY, text.encode(), "sha256")


def test_without_tools_and_calls_nothing_is_said_of_them() -> None:
    made = codec(CLOCK)
    start = made.started(start_facts())
    started, ended = parsed(start).generation.started, parsed(made.ended(end_facts(called=((),)), start.content)).generation.ended
    assert (started.tools, started.tool_choice, started.tools_commitment) == (0, "", b"")
    assert (list(ended.answers[0].called), ended.answers[0].calls_commitment) == ([], b"")


def test_nothing_that_was_said_stands_in_a_record() -> None:
    made = codec(CLOCK)
    start = made.started(start_facts(json_schema='{"const": "13812345678"}', tools=TOOLS))
    for content in (start.content, made.ended(end_facts(called=CALLED, offered=("freeze_card", "look-up")), start.content).content):
        for said in ("6222021234567890128", "我的卡号", "张三", "停", "13812345678", "13912345678", "13712345678", "look-up"):
            assert said.encode() not in content


def test_another_key_gives_another_commitment_and_an_end_keeps_the_key_of_its_start() -> None:
    def ring(primary: str, **keys: bytes) -> Ring[CommitmentKey]:
        return Ring(RingKeys(COMMITMENT, primary, {name: secret * 32 for name, secret in keys.items()}), CommitmentKey)

    def of(keys: Ring[CommitmentKey]) -> GenerationCodec:
        return GenerationCodec(AuditRecords("router", "1", CLOCK), keys, CLOCK)

    start = of(ring("a", a=b"a")).started(start_facts())
    rotated = parsed(of(ring("b", a=b"a", b=b"b")).ended(end_facts(), start.content))
    retired = parsed(of(ring("b", b=b"b")).ended(end_facts(), start.content))
    assert (rotated.commitment_key_id, retired.commitment_key_id) == ("a", "b")
    assert rotated.principal_key == parsed(start).principal_key and not retired.principal_key
    first, second = (each.generation.ended.answers[0].output_commitment for each in (rotated, retired))
    assert first != second


@pytest.mark.parametrize(
    ("cost", "milli"), [(float("inf"), 999_999_999), (float("nan"), 999_999_999), (-1.0, 0), (1e12, 999_999_999), (0.0004, 0), (0.0006, 1)]
)
def test_a_score_beyond_all_bounds_is_the_bound(cost: float, milli: int) -> None:
    decode = Choice("d", "CHEAPEST", 0, (Score("d", cost, 0, cost, cost),))
    (score,) = parsed(codec(CLOCK).started(start_facts(decode=decode))).generation.started.routing.scores
    assert (score.cost_milli, score.load_milli, score.queue_milli) == (milli,) * 3


def test_without_a_request_s_id_or_a_principal_there_is_a_record_all_the_same() -> None:
    record = parsed(codec(CLOCK).started(start_facts(request_id="", principal="", prefill=None)))
    assert record.request_id == generation_id(1) and not record.principal_key and not record.generation.started.routing.disaggregated


def test_bytes_that_are_no_record_are_a_typed_error() -> None:
    for content in (b"\xff\xff", b"\x0a\x02\xff\xff"):
        with pytest.raises(DataCorrupted):
            codec(CLOCK).interrupted(Checkpoint(generation_id(1), 0, 0), content)


def test_the_audit_log_takes_them_and_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    log, made = ProtobufBatchCodec(None), codec(CLOCK)
    for number in range(300):
        long = replace(start_facts(number).decode, scores=tuple(Score("w" * 64, 1e9, 9, 1e9, 1e9) for _ in range(100)))
        changes: dict[str, Any] = {"prompt_tokens": tuple(range(4_000)), "seed": (number * 7_919_000_000_019) % 2**64, "decode": long}
        start = made.started(start_facts(number, tools=TOOLS * 64, **changes))
        end = made.ended(end_facts(number, called=(CALLED[0] * 100,), offered=("freeze_card", "look-up")), start.content)
        gone = made.interrupted(Checkpoint(generation_id(number), 32, 1_790_000_000_000_000), start.content)
        for record in (start, end, gone):
            assert log.keys_of(record.content).event_id == record.id
            assert len(record.content) < MAX_RECORD_BYTES / 8
