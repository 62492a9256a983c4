"""Waits of a trace by what for."""

from simbank.driver.corebank import Reply

from bench.sync import Measured, waits_ms


def span(name: str, duration_us: int) -> dict[str, object]:
    return {"name": name, "duration": duration_us}


def test_waits_add_up_by_kind() -> None:
    spans = [span("observe", 1_000), span("finalise", 500), span("infer fraud", 2_000), span("publish", 3_000), span("coalesce", 250)]
    spans.append(span("finmesh.risk.v1.RiskScoringService/ScoreTransaction", 9_000))
    assert waits_ms(spans) == {"Redis": 1.5, "Triton": 2.0, "Kafka": 3.0, "coalescing": 0.25}


def test_a_trace_without_spans_waits_for_nothing() -> None:
    assert waits_ms([]) == {}


def test_latencies_belong_to_replies_in_order() -> None:
    measured = Measured()
    measured.calls.replies = {b"a": Reply("1", b""), b"b": Reply("2", b"")}
    measured.calls.latencies_s = [0.001, 0.002]
    assert measured.by_trace_ms() == {b"a": 1.0, b"b": 2.0}
