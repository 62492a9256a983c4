"""Labels and lifecycle reports to domain."""

from __future__ import annotations

from finmesh.risk.v1.transaction_pb2 import LabelReported, TransactionLifecycleReported

from risk_scoring import translate
from risk_scoring.domain.corrections import INVALID_LABEL, INVALID_REPORT, Label, Report
from risk_scoring.domain.horizon import time_us


def label(payload: bytes | None) -> Label:
    """Return what a message says. Raises InvalidArgument."""
    message = translate.parse(LabelReported, payload)
    known_us = time_us(message.known_at, "known_at", INVALID_LABEL)
    return Label(translate.transaction(message.transaction), message.label_id, message.type, message.retracted, known_us)


def report(payload: bytes | None) -> Report:
    """Return what a message says. Raises InvalidArgument."""
    message = translate.parse(TransactionLifecycleReported, payload)
    reported_us = time_us(message.event_time, "event_time", INVALID_REPORT)
    partial = (message.amount.amount_minor, message.amount.currency_code) if message.HasField("amount") else None
    return Report(translate.transaction(message.transaction), message.report_id, message.type, partial, reported_us)
