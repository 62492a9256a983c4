"""An identifier in the clear makes a record poison, wherever it stands; records of our own never are."""

from collections.abc import Callable

import pytest
from audit.domain.alphabets import ALPHABETS, is_code, is_digest, is_hex, is_measure, is_moment, is_number, is_seed, is_uuid
from audit.domain.message import UnusableError
from audit.translate import ProtobufBatchCodec
from audit.translate import plaintext as plaintext_module
from audit.translate.plaintext import Plaintext
from finmesh.audit.v1.audit_record_pb2 import AuditRecord, Generation, GenerationStarted
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from bench.records import own_records, poisoned

CARD, MOBILE, RESIDENT = "6222021234567890128", "13812345678", "11010519491231002X"
STRINGS = sorted(field.name for field in AuditRecord.DESCRIPTOR.fields if field.type == field.TYPE_STRING)
BYTES = sorted(field.name for field in AuditRecord.DESCRIPTOR.fields if field.type == field.TYPE_BYTES)


def own(number: int = 1) -> AuditRecord:
    """A decision's record as risk-scoring writes it."""
    return AuditRecord.FromString(list(own_records(number + 1, seed=3))[number])


def reason(record: AuditRecord | bytes, codec: ProtobufBatchCodec | None = None) -> str:
    try:
        (codec or ProtobufBatchCodec(None)).keys_of(record if isinstance(record, bytes) else record.SerializeToString())
    except UnusableError as error:
        return error.reason
    return ""


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def unknown(payload: bytes, number: int = 999) -> bytes:
    """A length-delimited field of this number."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def test_records_of_our_own_are_none() -> None:
    reasons, _, examples = poisoned(20_000, seed=11)
    assert not reasons, examples


@pytest.mark.parametrize("name", STRINGS)
@pytest.mark.parametrize("text", [MOBILE, CARD, RESIDENT, f"x-{MOBILE}"])
def test_in_a_text(name: str, text: str) -> None:
    record = own()
    if isinstance(getattr(record, name), str):
        setattr(record, name, text)
    else:
        getattr(record, name).append(text)
    assert reason(record) == ("RECORD_MALFORMED" if name == "tenant" and text == RESIDENT else "PLAINTEXT_IDENTIFIER")


@pytest.mark.parametrize("name", BYTES)
@pytest.mark.parametrize(
    "content", [MOBILE.encode(), b"4111111111111111", (CARD + " " * 13).encode(), "手机一三八一二三四五六七八".encode()]
)
def test_in_bytes(name: str, content: bytes) -> None:
    record = own()
    setattr(record, name, content)
    assert reason(record) == "PLAINTEXT_IDENTIFIER"


NESTED: dict[str, Callable[[AuditRecord], object]] = {
    "denial's workload": lambda r: r.denial.refused.add(reason="POLICY_DENIED", workload=f"caller {MOBILE}", count=1),
    "denial's reason": lambda r: r.denial.refused.add(reason=f"CARD_{CARD}"),
    "denial's count": lambda r: r.denial.refused.add(reason="POLICY_DENIED", count=int(CARD)),
    "list's key": lambda r: setattr(r.change.list_entry, "entry_key", b"4111111111111111"),
    "version's name": lambda r: setattr(r.change.version, "name", "张三 zhang.san@example.com"),
    "model's name": lambda r: setattr(r.generation.started, "model", f"qwen-{MOBILE}"),
    "generation's id": lambda r: setattr(r.generation, "generation_id", MOBILE),
    "prompt in place of its commitment": lambda r: setattr(r.generation.started, "prompt_commitment", f"我的卡号是{CARD}".encode()),
    "worker's name": lambda r: r.generation.started.routing.scores.add(worker=f"decode of {RESIDENT}"),
    "reason of a failure": lambda r: setattr(r.generation.ended, "error", f"E_{MOBILE}"),
    "seed that is none": lambda r: setattr(r.generation.started.sampling, "seed", MOBILE.encode()),
    "accelerator": lambda r: setattr(r.generation.ended.usage, "accelerator", f"gpu {CARD}"),
    "busy time": lambda r: setattr(r.generation.ended.usage, "busy_ms", float(MOBILE)),
    "unknown in a usage": lambda r: r.generation.ended.usage.MergeFromString(unknown(CARD.encode(), 50)),
    "event time": lambda r: setattr(r.event_time, "seconds", int(MOBILE)),
    "lost before": lambda r: setattr(r, "lost_before", int(CARD)),
    "unknown in a time": lambda r: r.event_time.MergeFromString(unknown(MOBILE.encode(), 9)),
    "unknown in a detail": lambda r: r.denial.MergeFromString(unknown(f"卡{CARD}".encode(), 77)),
}


@pytest.mark.parametrize("place", NESTED)
def test_deeper(place: str) -> None:
    record = own()
    NESTED[place](record)
    assert reason(record) == "PLAINTEXT_IDENTIFIER"


def struct(text: str) -> bytes:
    message = Struct()
    message.update({"a": {"b": [1, {"c": text}]}})
    return message.SerializeToString()


@pytest.mark.parametrize(
    "field",
    [
        unknown(f"手机{MOBILE}".encode()),
        unknown(unknown(unknown(CARD.encode(), 1), 2), 300),
        unknown(unknown(("1" * 10 + " " + CARD).encode() + b" " * 20, 6)),  # tag and length are ASCII digits themselves
        unknown(struct(f"身份证{RESIDENT}")),
        varint(999 << 3) + varint(int(CARD)),
        varint(999 << 3 | 1) + int(CARD).to_bytes(8, "little"),
        varint(999 << 3 | 3) + unknown(MOBILE.encode(), 5) + varint(999 << 3 | 4),
        unknown(varint(7 << 3) + varint(int(MOBILE))),
        unknown(b"\xff\xfe" + CARD.encode() + b"\xff"),
    ],
)
def test_in_a_field_that_nobody_knows(field: bytes) -> None:
    record = own()
    assert reason(record.SerializeToString() + field) == "PLAINTEXT_IDENTIFIER"
    codec = ProtobufBatchCodec(None)
    assert reason(record, codec) == ""
    assert reason(record.SerializeToString() + field, codec) == "PLAINTEXT_IDENTIFIER", "also after its like was harmless"


@pytest.mark.parametrize(
    "field",
    [
        unknown(b"\x9f\x86\xd0\x81\x88\x4c\x7d\x65" * 4),
        unknown("风险说明：夜间大额".encode()),
        unknown(struct("ok")),
        varint(999 << 3) + varint(1_795_312_800_000),
        unknown(b""),
    ],
)
def test_a_newer_producer_s_fields_are_let_through(field: bytes) -> None:
    assert reason(own().SerializeToString() + field) == ""


def test_ids_of_a_foreign_style_are_searched_and_not_refused() -> None:
    record = own()
    record.audit_record_id, record.request_id = "a-1", "REQ/2026-11-22/000123"
    assert reason(record) == ""


def test_what_differs_between_records_is_not_walked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, walked = ProtobufBatchCodec(None), list[int]()
    walk = plaintext_module._in_message

    def counted(message: Message) -> bool:
        walked.extend([1] * isinstance(message, AuditRecord))
        return walk(message)

    monkeypatch.setattr(plaintext_module, "_in_message", counted)
    records = [content for content in own_records(3_000, seed=5) if b"POLICY_DENIED" not in content]
    for content in records:
        codec.keys_of(content)
    assert len(walked) < 200 < len(records)


def test_generations_push_nothing_out_of_what_is_remembered() -> None:
    looked = Plaintext()
    for number in range(100):
        record = AuditRecord(generation=Generation(started=GenerationStarted(prompt_tokens=number, prompt_commitment=bytes([200]) * 32)))
        assert not looked.in_record(record, record.SerializeToString())
    assert not looked._remains


def test_what_is_remembered_has_a_bound() -> None:
    looked = Plaintext()
    for number in range(plaintext_module._MAX_KNOWN + 100):
        looked.in_record(AuditRecord(build=f"b-{number}"), AuditRecord(build=f"b-{number}").SerializeToString())
    assert len(looked._remains) <= plaintext_module._MAX_KNOWN


def test_messages_in_messages_are_followed_to_a_depth() -> None:
    content = CARD.encode()
    for _ in range(1_000):
        content = unknown(content, 500)
    assert reason(own().SerializeToString() + content) == "PLAINTEXT_IDENTIFIER"


@pytest.mark.parametrize(
    ("alphabet", "value", "within"),
    [
        (is_uuid, "0197f3a2-1b37-795c-8274-150130d4fef6", True),
        (is_uuid, "0197F3A2-1B37-795C-8274-150130D4FEF6", False),
        (is_uuid, MOBILE, False),
        (is_hex, "9f86d081884c7d65", True),
        (is_hex, "6222021234567890", False),
        (is_code, "OUTCOME_REVIEW", True),
        (is_code, "R_TOP_10", True),
        (is_code, f"R_{MOBILE}", False),
        (is_code, "R_1_3_8_1_2_3_4", False),
        (is_digest, b"\x9f" * 32, True),
        (is_digest, b"\x9f" * 31, False),
        (is_digest, b"4111111111111111", False),
        (is_number, 999_999_999, True),
        (is_number, -1, False),
        (is_number, int(MOBILE), False),
        (is_seed, (13_812_345_678).to_bytes(8, "big"), True),
        (is_seed, MOBILE.encode(), False),
        (is_seed, 13_812_345_678, False),
        (is_measure, 1234.567890123, True),
        (is_measure, float(MOBILE), False),
        (is_measure, float("nan"), False),
        (is_measure, -0.5, False),
        (is_moment, 1_795_312_800, True),
        (is_moment, int(MOBILE), False),
    ],
)
def test_alphabets(alphabet: Callable[[object], bool], value: object, within: bool) -> None:
    assert alphabet(value) is within
    assert alphabet in ALPHABETS.values()
