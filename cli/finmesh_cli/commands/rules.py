"""`finmesh rules`: what a changed decision table would have decided, before it decides anything."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from finmesh_cli import files, rule_report, settings, show
from finmesh_cli.failures import UsageError
from finmesh_cli.gateway import connect

_UNITS_S = {"m": 60, "h": 3_600, "d": 86_400}
_SPAN = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_MAX_BYTES = 256 * 1024
_MIN_TIMEOUT_S = 60.0  # the gateway's own bound: reading a history takes longer than deciding
app = typer.Typer(no_args_is_help=True, help="Decision tables.")


@app.callback()
def rules() -> None:
    """Decision tables."""


@app.command("test")
def backtest_rules(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="the changed decision model (JDM)", exists=True, dir_okay=False, readable=True)],
    since: Annotated[str, typer.Option(help="24h, 7d, 30m, or a date or time (ISO 8601, UTC unless it says otherwise)")] = "24h",
    max_decisions: Annotated[int, typer.Option(min=0, max=200_000, help="decisions at most; 0: as many as may be")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="the report as JSON")] = False,
) -> None:
    """Run a decision table over recorded decisions beside the rules in force. Changes nothing."""
    chosen = settings.of(context)
    content = files.read(file, _MAX_BYTES)
    if not content:
        raise UsageError(f"{file}: a decision table has 1 to {_MAX_BYTES} bytes")
    request = risk.BacktestRulesRequest(
        tenant=chosen.tenant(), rule_set=content, since=Timestamp(seconds=moment(since, time.time())), max_decisions=max_decisions
    )

    async def run() -> risk.BacktestRulesResponse:
        async with connect(chosen) as gateway:
            return await gateway.backtest_rules(request, max(chosen.timeout_s, _MIN_TIMEOUT_S))

    report = asyncio.run(run())
    if as_json:
        text = json_format.MessageToJson(report, ensure_ascii=False, always_print_fields_with_no_presence=True)
        show.console().print(text, markup=False)
    else:
        rule_report.show_report(show.console(), report, chosen.language)


def moment(text: str, now_s: float) -> int:
    """Return epoch seconds of ``24h`` before now or of an ISO 8601 date or time. Raises UsageError."""
    try:
        if span := _SPAN.fullmatch(text):
            seconds = int(now_s) - int(span[1]) * _UNITS_S[span[2]]
        else:
            at = datetime.fromisoformat(text)
            seconds = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise UsageError(f"--since {text[:40]}: neither a span such as 24h or 7d nor a date") from None
    if not 0 < seconds <= now_s:
        raise UsageError(f"--since {text[:40]}: must lie in the past, after 1970")
    return seconds
