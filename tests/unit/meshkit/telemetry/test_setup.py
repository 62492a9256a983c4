"""Telemetry is chosen by the standard variables."""

import logging
from collections.abc import Iterator

import pytest
from meshkit.telemetry import spans
from meshkit.telemetry.context import new_root
from meshkit.telemetry.logs import JsonFormatter
from meshkit.telemetry.setup import configure
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Take the handler off again."""
    yield
    top = logging.getLogger()
    for handler in list(top.handlers):
        if isinstance(handler.formatter, JsonFormatter):
            top.removeHandler(handler)


def test_none_is_the_default_and_records_nothing() -> None:
    telemetry = configure("t", environ={})
    assert not spans.record("a", new_root(sampled=True), parent=None, start_ns=1, end_ns=2)
    telemetry.close()


def test_spans_reach_the_exporter_with_the_service_name() -> None:
    exporter = InMemorySpanExporter()
    telemetry = configure("risk-scoring", environ={}, exporter=exporter)
    spans.record("a", new_root(sampled=True), parent=None, start_ns=1, end_ns=2)
    telemetry.close()
    assert [span.resource.attributes["service.name"] for span in exporter.get_finished_spans()] == ["risk-scoring"]


@pytest.mark.parametrize(
    "environ", [{"OTEL_TRACES_EXPORTER": "jaeger"}, {"OTEL_TRACES_SAMPLER_ARG": "2"}, {"OTEL_TRACES_SAMPLER_ARG": "x"}]
)
def test_wrong_settings_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        configure("t", environ=environ)
