"""The end of a run for a person, and the same for a program (`--json`)."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from finmesh.risk.v1 import decision_pb2
from finmesh_cli import show, words
from finmesh_cli.settings import Language
from rich import box
from rich.console import Console
from rich.table import Table

from drills.bankday.conversation import Conversation
from drills.bankday.knowledge import Knowledge
from drills.bankday.live import Meter, milliseconds, quantiles_ms
from drills.checks.balance import Balance


@dataclass
class Report:
    """All that a run found out."""

    folder: Path
    run: int
    rate_per_s: float
    seconds: float
    first_decision_s: float
    balance: Balance
    meter: Meter
    both_ways: dict[str, int]
    labels: int
    lifecycle: int
    dead_letters: dict[str, int]
    decision_records: int
    degraded: int
    restarts: dict[str, int]
    explained: list[decision_pb2.TransactionDecided] = field(default_factory=list)
    proof: str = ""
    proof_file: str = ""
    trace_url: str = ""
    trace: list[str] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    kept: bool = False
    conversation: Conversation = field(default_factory=Conversation)
    knowledge: Knowledge | None = None

    @property
    def ok(self) -> bool:
        """Nothing was lost or contradicted, the model answered, and documents were read and kept from whom they are not for."""
        return self.balance.even and not self.conversation.finding and not (self.knowledge and self.knowledge.findings)


def as_json(report: Report) -> dict[str, Any]:
    """Numbers and ids alone; latencies in milliseconds, None where nothing was timed."""
    meter, balance = report.meter, report.balance
    return {
        "ok": report.ok,
        "run": report.run,
        "folder": str(report.folder),
        "rate_per_s": report.rate_per_s,
        "seconds": report.seconds,
        "first_decision_s": round(report.first_decision_s, 3),
        **asdict(balance),
        "decision_records": report.decision_records,
        "stream": {"sent": meter.sent.offered, "acknowledged": meter.sent.acknowledged, "duplicates": meter.sent.duplicates,
                   "late_max_s": round(meter.sent.late_max_s, 3), "latency_ms": _latency(meter.seen.latencies_s)},
        "calls": {"planned": meter.calls.planned, "answered": len(meter.calls.replies), "replayed": meter.calls.replayed,
                  "repeated": dict(meter.calls.failures), "refused": dict(meter.calls.refused),
                  "latency_ms": _latency(meter.calls.latencies_s)},
        "both_ways": report.both_ways,
        "labels": report.labels,
        "lifecycle": report.lifecycle,
        "outcomes": dict(meter.seen.outcomes),
        "degraded": report.degraded,
        "dead_letters": report.dead_letters,
        "restarts": report.restarts,
        "explained": [decision.decision_id for decision in report.explained],
        "proof": report.proof_file,
        "trace_url": report.trace_url,
        "conversation": _conversation(report.conversation),
        "knowledge": asdict(report.knowledge) if report.knowledge is not None else None,
    }  # fmt: skip


def _conversation(held: Conversation) -> dict[str, Any]:
    return {
        "answers": len(held.answers),
        "output_tokens": held.output_tokens,
        "tokens_per_s": round(held.output_tokens / held.seconds, 1) if held.seconds else None,
        "first_token_ms": [round(each, 1) for each in held.first_token_ms],
        "handed_over": held.handed_over,
        "by_http": held.by_http,
        "proof": held.proof,
        "trace_url": held.trace_url,
        "finding": held.finding,
    }


def _latency(latencies_s: list[float]) -> dict[str, float] | None:
    if not latencies_s:
        return None
    p50, p99 = quantiles_ms(latencies_s)
    return {"p50": round(p50, 2), "p99": round(p99, 2)}


def show_report(report: Report, console: Console) -> None:
    """Print everything."""
    _numbers(report, console)
    _explanations(report, console)
    where = report.trace_url if report.kept else f"{report.trace_url}  (the page is there with: make run KEEP=1)"
    held = report.conversation
    for title, lines in (
        ("audit proof", [report.proof]),
        (f"trace {where}", report.trace),
        ("the conversation", _told(held)),
        (f"trace {held.trace_url}", held.trace),
        ("by hand", report.by_hand),
    ):
        if any(lines):
            console.print(f"\n[bold]{title}[/]", highlight=False, soft_wrap=True)
            for line in lines:
                console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print()
    for finding in (
        *report.balance.findings,
        *filter(None, [held.finding]),
        *(report.knowledge.findings if report.knowledge is not None else ()),
    ):
        console.print(finding, style="bold red", highlight=False, markup=False)
    if report.ok:
        console.print("nothing was lost, nothing is contradictory, every decision is audited", style="bold green")
    console.print(f"logs, topics and audit log: {report.folder}", style="dim", highlight=False, soft_wrap=True)


def _told(held: Conversation) -> list[str]:
    if not held.first_token_ms:
        return []
    way = "read by prefill, handed over, written by decode" if held.handed_over else "read and written by one engine"
    firsts = ", ".join(f"{each:.0f} ms" for each in held.first_token_ms)
    return [
        f"{held.output_tokens} tokens, {held.output_tokens / held.seconds:.0f}/s, first token after {firsts}; {way}",
        held.by_http,
        held.proof,
    ]


def _numbers(report: Report, console: Console) -> None:
    balance, meter = report.balance, report.meter
    stream, call = quantiles_ms(meter.seen.latencies_s), quantiles_ms(meter.calls.latencies_s)
    style = "green" if balance.even else "red"
    degraded = report.degraded / max(balance.decided, 1)
    rows = [
        ("distinct transactions in", f"[{style}]{balance.ids_in}[/]"),
        ("distinct decisions", f"[{style}]{balance.decided}[/]  ({report.decision_records} records)"),
        ("audited", f"[{style}]{balance.audited}[/]"),
        ("asked, never answered nor taken", str(balance.never_taken)),
        ("on the stream", f"{meter.sent.acknowledged}, and {meter.sent.duplicates} of them twice"),
        ("by call", f"{len(meter.calls.replies)} of {meter.calls.planned}, {meter.calls.replayed} were decided already"),
        ("both ways", ", ".join(f"{name} {count}" for name, count in report.both_ways.items())),
        ("calls repeated after", _counts(meter.calls.failures)),
        ("labels, lifecycle reports", f"{report.labels}, {report.lifecycle}"),
        ("dead letters", _counts(report.dead_letters)),
        ("outcomes", _counts(meter.seen.outcomes)),
        ("degraded", f"{degraded:.2%}"),
        ("latency p50 / p99, stream", f"{milliseconds(*stream)}, from the intended send time"),
        ("latency p50 / p99, calls", f"{milliseconds(*call)}, repetitions included"),
        ("restarted", _counts(report.restarts)),
        ("first decision", f"{report.first_decision_s:.1f} s after the start"),
    ]
    table = Table(title=f"{report.rate_per_s:g}/s for {report.seconds:g} s", title_justify="left", box=box.SIMPLE, show_header=False)
    for name, value in rows:
        table.add_row(name, value)
    console.print(table, highlight=False)


def _explanations(report: Report, console: Console) -> None:
    """Decisions with their reasons in both languages."""
    for decision in report.explained:
        score = f"{decision.score:.4f}" if decision.HasField("score") else "-"
        outcome = f"{words.outcome(decision.outcome, Language.EN)} {words.outcome(decision.outcome, Language.ZH)}"
        head = f"{outcome}  {score}  {show.money(decision.amount)}  {words.channel(decision.channel, Language.EN)}  {decision.decision_id}"
        console.print(head, style=show.OUTCOME_STYLES.get(decision.outcome, ""), highlight=False, markup=False, soft_wrap=True)
        for reason in decision.reasons:
            text = f"    {words.reason(reason.code, Language.EN)}  {words.reason(reason.code, Language.ZH)}  ({reason.contribution:+.2f})"
            console.print(text, highlight=False, markup=False, soft_wrap=True)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count) or "none"
