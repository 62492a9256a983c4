"""Spans and log lines as a backend would receive them: redacted and complete."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan

from meshkit.telemetry import spans
from meshkit.telemetry.logs import JsonFormatter


@contextmanager
def captured_spans(service: str = "test", ratio: float = 1.0) -> Iterator[list[ReadableSpan]]:
    """Collect every span recorded inside the block."""
    collected: list[ReadableSpan] = []
    spans.install(spans.Recorder(Resource.create({"service.name": service}), collected.append, ratio))
    try:
        yield collected
    finally:
        spans.install(None)


class LogLines:
    """Log lines so far, raw and parsed."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        """Return everything written."""
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return each line parsed."""
        return [json.loads(line) for line in self.text.splitlines()]


@contextmanager
def captured_logs(service: str = "test") -> Iterator[LogLines]:
    """Collect every log line of level INFO and above inside the block."""
    lines = LogLines()
    handler = logging.StreamHandler(lines.stream)
    handler.setFormatter(JsonFormatter(service))
    top = logging.getLogger()
    level = top.level
    top.addHandler(handler)
    top.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        top.removeHandler(handler)
        top.setLevel(level)
