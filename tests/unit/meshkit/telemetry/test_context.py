"""W3C trace context in and out of gRPC metadata and Kafka headers."""

import pytest
from meshkit.telemetry import context
from meshkit.telemetry.context import TraceContext, attached, current, from_headers, from_metadata, new_root, parse, to_header

HEADER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_header_survives_the_round_trip() -> None:
    parsed = parse(HEADER)
    assert parsed == TraceContext(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7, True)
    assert parsed.header() == HEADER
    assert parsed.trace_id_bytes.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        HEADER.upper(),
        HEADER[:-1],
        HEADER + "-extra",
        HEADER + "\n",
        "ff" + HEADER[2:],
        "00-" + "0" * 32 + HEADER[35:],
        HEADER[:36] + "0" * 16 + "-01",
    ],
)
def test_what_is_no_context_is_none(header: str) -> None:
    assert parse(header) is None


def test_a_later_version_with_more_fields_is_understood() -> None:
    assert parse("01" + HEADER[2:] + "-more") is not None


def test_a_child_stays_in_the_trace_and_keeps_the_sampling() -> None:
    root = new_root(sampled=False)
    child = root.child()
    assert (child.trace_id, child.sampled) == (root.trace_id, False)
    assert child.span_id != root.span_id


def test_kafka_headers_and_metadata() -> None:
    parsed = parse(HEADER)
    assert parsed is not None
    assert from_headers([("ce_id", b"1"), ("traceparent", None), to_header(parsed)]) == parsed
    assert from_headers([("traceparent", b"\xff")]) is None
    assert from_metadata([("a", "b"), (context.HEADER, HEADER)]) == parsed
    assert from_metadata([]) is None


def test_the_current_one_is_restored() -> None:
    assert current() is None
    with attached(new_root(sampled=True)):
        assert current() is not None
    assert current() is None
