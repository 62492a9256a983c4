"""Decisions and lines on a terminal. Plain lines of label and value, so that a pipe gets the same as a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from finmesh.audit.v1.audit_record_pb2 import AuditRecord, ListAction, Versioned
from finmesh.common.v1.money_pb2 import Money
from finmesh.risk.v1 import decision_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.measure import Measurement

from finmesh_cli import generation, retrieval, words
from finmesh_cli.money import exponent
from finmesh_cli.settings import Language

_LABEL_CELLS = 16
_ENDLESS = 10_000
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
OUTCOME_STYLES = {
    decision_pb2.OUTCOME_APPROVE: "green",
    decision_pb2.OUTCOME_CHALLENGE: "yellow",
    decision_pb2.OUTCOME_REVIEW: "magenta",
    decision_pb2.OUTCOME_DECLINE: "red",
}


def console() -> Console:
    """Return a console on today's standard output."""
    return Console(highlight=False, soft_wrap=True)


def width(out: Console, shown: RenderableType) -> int:
    """Return the cells that something takes when there is no end to them."""
    return Measurement.get(out, out.options.update(width=_ENDLESS), shown).maximum


def whole(out: Console, shown: RenderableType) -> None:
    """Print a table; who reads it from a pipe gets it in whole, a terminal what it has room for."""
    if not out.is_terminal:
        out.width = max(out.width, width(out, shown))
    out.print(shown)


def plain(text: str) -> str:
    """Return a text of somebody else's as a terminal may have it: what would steer it, or turn its writing round, is shown as an escape."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def line(out: Console, label: str, value: str, language: Language, style: str = "") -> None:
    """Print one labelled value; the label is translated and padded by what it takes on the screen."""
    said = words.say(label, language)
    out.print(said + " " * max(_LABEL_CELLS - cell_len(said), 1), end="", style="dim", markup=False)
    out.print(value, style=style or None, markup=False)


def money(amount: Money) -> str:
    """Return an amount in major units with its currency."""
    digits = exponent(amount.currency_code)
    return f"{Decimal(amount.amount_minor).scaleb(-digits):,.{digits}f} {amount.currency_code}"


def moment(stamp: Timestamp) -> str:
    """Return a time in UTC, to the millisecond; one that no calendar has, as seconds."""
    try:
        at = datetime.fromtimestamp(stamp.ToNanoseconds() / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{stamp.seconds} s"
    return at.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")


def summary(out: Console, decision: decision_pb2.TransactionDecided, language: Language, *, replayed: bool = False) -> None:
    """Print what a caller needs: outcome, score, reasons, ids."""
    line(out, "outcome", words.outcome(decision.outcome, language), language, OUTCOME_STYLES.get(decision.outcome, ""))
    score = f"{decision.score:.6f}" if decision.HasField("score") else words.say("no model answered", language)
    line(out, "score", score, language)
    reasons = [f"{words.reason(reason.code, language)} [{reason.code} {reason.contribution:+.2f}]" for reason in decision.reasons]
    for number, text in enumerate(reasons or [words.say("none", language)]):
        line(out, "reasons" if number == 0 else "", text, language)
    if decision.degradations:
        line(out, "degraded", ", ".join(words.degradation(value, language) for value in decision.degradations), language, "yellow")
    if replayed:
        line(out, "replayed", words.say("yes, the stored decision was returned", language), language)
    line(out, "decision", decision.decision_id, language)
    line(out, "trace", decision.trace_id.hex(), language)


def evidence(out: Console, decision: decision_pb2.TransactionDecided, language: Language) -> None:
    """Print what an auditor needs besides the summary."""
    line(out, "tenant", decision.tenant, language)
    line(out, "channel", words.channel(decision.channel, language), language)
    line(out, "mode", words.mode(decision.mode, language), language)
    line(out, "recommended", words.outcome(decision.recommended_outcome, language), language)
    line(out, "thresholds", " / ".join(f"{value:g}" for value in decision.thresholds) or words.say("none", language), language)
    line(out, "rules hit", ", ".join(decision.rule_hits) or words.say("none", language), language)
    line(out, "amount", money(decision.amount), language)
    line(out, "event time", moment(decision.event_time), language)
    line(out, "decided", moment(decision.decided_time), language)
    line(out, "purpose", decision.purpose, language)
    versions = decision.versions
    line(
        out,
        "versions",
        f"features {versions.feature_schema_version}, rules {versions.rule_set_version}, "
        f"model {versions.model_version or '-'} {versions.model_digest or '-'}, rates {versions.rate_version}",
        language,
    )
    if decision.HasField("input_position"):
        line(out, "input", f"{decision.input_position.partition}/{decision.input_position.offset}", language)


def _detail(record: AuditRecord) -> Iterator[tuple[str, str]]:
    """What a record says of a generation, a look into documents or a change of them."""
    if record.HasField("generation"):
        yield from generation.lines(record.generation)
    elif record.HasField("retrieval"):
        yield from retrieval.lines(record.retrieval)
    elif record.change.HasField("knowledge"):
        yield from retrieval.change(record.change.knowledge)


def audited(out: Console, record: AuditRecord, language: Language) -> None:
    """Print what an audit record says by itself: which files decided, what was refused, changed or generated."""
    line(out, "build", record.build or "-", language)
    for label, digest in (
        ("model file", record.model_sha256),
        ("rules file", record.rules_sha256),
        ("thresholds of", record.thresholds_sha256),
        ("principal", record.principal_key),
    ):
        if digest:
            line(out, label, digest.hex(), language)
    for refused in record.denial.refused:
        line(
            out,
            "refused",
            " ".join(part for part in (refused.reason, refused.method, refused.workload, f"x{refused.count}") if part),
            language,
        )
    if record.change.HasField("list_entry"):
        entry = record.change.list_entry
        until = f"{ListAction.Name(entry.action)} {moment(entry.expires_at)}"
        line(out, "list entry", f"{entry.list} {entry.entity} {entry.entry_key.hex()} {until}", language)
    elif record.change.HasField("version"):
        version = record.change.version
        what = " ".join(part for part in (Versioned.Name(version.of), version.name, version.after_sha256.hex() or "-") if part)
        line(out, "in force", what, language)
        line(out, "before", version.before_sha256.hex() or "-", language)
    for label, value in _detail(record):
        line(out, label, value, language)
    if record.degradations:
        line(out, "degraded", ", ".join(record.degradations), language, "yellow")
    if record.lost_before:
        line(out, "lost before", str(record.lost_before), language, "red")
