"""`python -m fraud`: a transactions file (or the simulated bank) in, a model version and its metrics out. The last line is JSON.

Exit code 2 with one line on stderr for a file or dates that cannot serve.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from meshkit.errors import MeshError
from meshkit.strict_yaml import parse_yaml
from risk_scoring.domain.features import GRAPH_AND_LABEL
from risk_scoring.domain.rates import RateTable

from fraud.evidence import gather
from fraud.export import check_parity, to_onnx
from fraud.features import compute_features
from fraud.folds import Fold, run_fold, summary
from fraud.load import Transactions, from_table, load_transactions
from fraud.model_card import RATES, as_markdown, build_card
from fraud.protocol import Protocol
from fraud.redis_server import private_redis
from fraud.release import check_free, next_version, write_version
from fraud.simulate import simulated_table
from fraud.train import UNUSED

_ROOT = Path(__file__).resolve().parents[3]
_SIMULATED_START = date(2026, 3, 2)
_HISTORY_DAYS = 31


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the recipe; returns the exit code."""
    options = _parser().parse_args(arguments)
    started = time.monotonic()
    try:
        result = run(options)
    except (OSError, ValueError, MeshError) as error:
        print(f"train-fraud: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result | {"seconds": round(time.monotonic() - started, 1)}))
    return 0


def run(options: argparse.Namespace) -> dict[str, object]:
    """Load, compute features, train, evaluate, export, release."""
    version = options.version or next_version(options.repository)
    check_free(options.repository, version)
    protocol = Protocol(options.train_start, options.train_days, options.delay_days, options.test_days)
    plans = [protocol.earlier(protocol.test_days * number) for number in range(options.weeks)]
    rates = RateTable.from_document(parse_yaml(options.rates.read_bytes()))
    rows = _rows(options, protocol, rates)
    for plan in plans:
        plan.check(rows)
    rows = rows.before(protocol.end_us)
    wanted = rows.event_time_us >= plans[-1].start_us
    _say(f"{len(rows)} transactions, {int(rows.fraud.sum())} frauds; features through a private Redis")
    with private_redis(options.stack) as url:
        vectors = asyncio.run(compute_features(rows, wanted, url, _progress))
    rows = rows.take(wanted)
    folds = [run_fold(plan, rows, vectors, RATES, calibrated=options.calibrated) for plan in plans]
    fold = folds[0]
    bare = run_fold(protocol, rows, vectors, RATES, unused=(*UNUSED, *GRAPH_AND_LABEL), calibrated=options.calibrated)
    graph = to_onnx(fold.booster)
    parity = check_parity(fold.booster, graph, vectors)
    _say("evidence for the card: calibration, drift, exact Shapley values of a sample")
    evidence = gather(fold, rows, vectors)
    source = options.source or (f"the file {options.transactions.name}" if options.transactions else _simulated(options))
    card = build_card(
        source=source, rate_version=rates.version, folds=folds, without_graph_and_labels=bare.metrics, parity=parity, evidence=evidence
    )
    folder = write_version(options.repository, version, fold.booster, graph, card)
    (options.card or folder / "MODEL_CARD.md").write_text(as_markdown(version, card))
    _say(f"version {version} written to {folder}")
    return _last_line(folds, evidence) | {"onnx_parity": parity, "version": version, "folder": str(folder)}


def _last_line(folds: list[Fold], evidence: dict[str, Any]) -> dict[str, object]:
    """Metrics of the test; drift and reasons in one number each; mean and deviation when there is more than one week."""
    line = folds[0].metrics.as_dict() | {
        "score_stability_index": evidence["drift"]["score"],
        "alert_rates": {x.name: round(x.rate, 6) for x in folds[0].thresholds},
        "same_first_reason": evidence["reasons_beside_exact_shapley"]["alerts"]["same_top_code"],
    }
    return line if len(folds) == 1 else line | {"weeks": summary(folds)}


def _rows(options: argparse.Namespace, protocol: Protocol, rates: RateTable) -> Transactions:
    if options.transactions is not None:
        _say(f"loading {options.transactions}")
        return load_transactions(options.transactions, delay_days=protocol.delay_days, rates=rates)
    _say(f"simulating {_simulated(options)}")
    days = (protocol.train_start - _SIMULATED_START).days + protocol.train_days + protocol.delay_days + protocol.test_days
    table = simulated_table(customers=options.customers, start=_SIMULATED_START, days=days, seed=options.seed)
    return from_table(table, delay_days=protocol.delay_days, rates=rates)


def _simulated(options: argparse.Namespace) -> str:
    return f"the simulated bank (libs/simbank), {options.customers} customers, seed {options.seed}"


def _progress(done: int, total: int) -> None:
    _say(f"features {done / total:4.0%}")


def _say(text: str) -> None:
    print(f"train-fraud: {text}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fraud", description="Train, evaluate and release the fraud model.")
    parser.add_argument("--transactions", type=Path, help="parquet or CSV in the documented schema; none: simulate")
    parser.add_argument(
        "--train-start", type=date.fromisoformat, default=_SIMULATED_START + timedelta(days=_HISTORY_DAYS), help="YYYY-MM-DD, UTC"
    )
    parser.add_argument("--train-days", type=int, default=7)
    parser.add_argument("--delay-days", type=int, default=7)
    parser.add_argument("--test-days", type=int, default=7)
    parser.add_argument("--weeks", type=int, default=1, help="test weeks of the prequential evaluation, counted backwards")
    parser.add_argument("--customers", type=int, default=8_000, help="of the simulated bank")
    parser.add_argument("--seed", type=int, default=1, help="of the simulated bank")
    parser.add_argument("--repository", type=Path, default=_ROOT / "var" / "models", help="model repository to write to")
    parser.add_argument("--version", help="version to write; none: the next")
    parser.add_argument("--card", type=Path, help="where the Markdown card goes; none: beside the version")
    parser.add_argument("--source", help="words for the card that say where the data came from")
    parser.add_argument(
        "--calibrated", action=argparse.BooleanOptionalAction, default=True, help="add the constant of prior.py to the log-odds"
    )
    parser.add_argument("--rates", type=Path, default=_ROOT / "services" / "risk-scoring" / "rules" / "rates.yaml")
    parser.add_argument("--stack", type=Path, default=_ROOT / ".stack", help="folder of downloaded software")
    return parser


if __name__ == "__main__":
    sys.exit(main())
