"""Spans after the fact: who is recorded, with what."""

import pytest
from meshkit.errors import NotFound
from meshkit.telemetry import spans
from meshkit.telemetry.context import current, new_root
from meshkit.testing.capture import captured_spans
from opentelemetry.trace import StatusCode


def test_a_span_below_its_parent_with_times_and_links() -> None:
    root, other = new_root(sampled=True), new_root(sampled=True)
    with captured_spans("risk-scoring") as collected:
        child = root.child()
        assert spans.record("decide", child, parent=root, start_ns=5, end_ns=9, attributes={"a": 1}, links=[other], error="X")
    span = collected[0]
    assert (span.name, span.start_time, span.end_time, span.attributes) == ("decide", 5, 9, {"a": 1, "error.type": "X"})
    assert (span.context.span_id, span.parent.span_id, span.links[0].context.trace_id) == (child.span_id, root.span_id, other.trace_id)
    assert span.status.status_code is StatusCode.ERROR
    assert span.resource.attributes["service.name"] == "risk-scoring"


def test_unsampled_spans_are_recorded_only_by_force() -> None:
    root = new_root(sampled=False)
    with captured_spans() as collected:
        assert not spans.record("a", root, parent=None, start_ns=1, end_ns=2)
        assert spans.record("b", root, parent=None, start_ns=1, end_ns=2, force=True)
    assert [span.name for span in collected] == ["b"]


def test_nothing_happens_while_recording_is_off() -> None:
    assert not spans.record("a", new_root(sampled=True), parent=None, start_ns=1, end_ns=2, force=True)
    assert not spans.root().sampled


def test_the_ratio_decides_for_new_traces() -> None:
    with captured_spans(ratio=0.0):
        assert not any(spans.root().sampled for _ in range(100))
    with captured_spans(ratio=1.0):
        assert all(spans.root().sampled for _ in range(100))


def test_a_block_is_a_span_and_current_inside() -> None:
    with captured_spans() as collected, spans.span("outer"), spans.span("inner", attributes={"k": "v"}) as attributes:
        attributes["n"] = 2
        inside = current()
    inner, outer = collected
    assert inside is not None
    assert inner.context.span_id == inside.span_id
    assert (inner.parent.span_id, outer.parent, inner.attributes) == (outer.context.span_id, None, {"k": "v", "n": 2})


def test_an_error_gives_its_reason_and_not_its_text() -> None:
    with captured_spans() as collected, pytest.raises(NotFound), spans.span("s"):
        raise NotFound("customer 张三", reason="DECISION_UNKNOWN")
    assert collected[0].status.description == "DECISION_UNKNOWN"
    assert "张三" not in collected[0].to_json()
