"""`python -m fraud.prove`: do graph and label features pay, does the learner invent nothing, would a calibration step help?

On simulated banks of several seeds, each with one week to tune on and later weeks to test on. Both sides (all features; without graph and
label features) choose from the same grid by average precision on the tuning week, then meet on every test week. The proof holds when
the mean paired difference of average precision less two standard deviations is above zero, and when models trained on shuffled targets
rank like chance. Results are kept by seed and week: a run that was interrupted goes on. The last line is JSON; exit code 1 when the
proof does not hold, 2 with one line on stderr for arguments or kept results that cannot serve.
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

import numpy as np
from meshkit.strict_yaml import parse_yaml
from risk_scoring.domain.rates import RateTable

from fraud.compare import SIDES, Bank, compare_week, tune
from fraud.features import compute_features
from fraud.load import from_table
from fraud.protocol import Protocol
from fraud.redis_server import private_redis
from fraud.simulate import simulated_table
from fraud.verdict import as_markdown, judge

_ROOT = Path(__file__).resolve().parents[3]
START = date(2026, 3, 2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, judge all; returns the exit code."""
    options = _parser().parse_args(arguments)
    settings = {
        "customers": options.customers,
        "history_days": options.history_days,
        "week_days": options.week_days,
        "weeks": options.weeks,
    }
    folder = options.results / "-".join(str(value) for value in settings.values())
    try:
        for seed in options.seeds:
            run_seed(seed, settings, folder / f"{seed}.json", options.stack)
        results = [_kept(folder / f"{seed}.json") for seed in options.seeds]
    except OSError as error:
        print(f"prove-fraud: {error}", file=sys.stderr)
        return 2
    verdict = judge(results)
    text = as_markdown(settings, results, verdict)
    print(text)
    if options.write is not None:
        options.write.write_text(text)
    print(json.dumps(verdict))
    return 0 if verdict["holds"] else 1


def run_seed(seed: int, settings: dict[str, int], path: Path, stack: Path) -> None:
    """Fill the file of one seed week by week; returns at once when it is whole."""
    done: dict[str, Any] = _kept(path) if path.is_file() else {"seed": seed, "chosen": {}, "weeks": []}
    if len(done["weeks"]) == settings["weeks"]:
        _say(f"seed {seed}: kept from before")
        return
    started = time.monotonic()
    tuning = _tuning(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    vectors = path.with_suffix(".npy")
    bank = simulated_bank(seed, settings, stack, vectors)
    _say(f"seed {seed}: {len(bank.rows)} transactions, features after {time.monotonic() - started:.0f} s")
    if not done["chosen"]:
        done["chosen"] = {side: tune(bank, tuning, unused) for side, unused in SIDES.items()}
        _keep(path, done)
        _say(f"seed {seed}: tuned after {time.monotonic() - started:.0f} s: {done['chosen']}")
    for number in range(len(done["weeks"]), settings["weeks"]):
        week = compare_week(bank, tuning.earlier(-settings["week_days"] * (number + 1)), done["chosen"], seed)
        done["weeks"].append(week)
        _keep(path, done)
        gain = week["all"]["average_precision"] - week["bare"]["average_precision"]
        _say(f"seed {seed}: week {number + 1} of {settings['weeks']} after {time.monotonic() - started:.0f} s, gain {gain:.4f}")
    vectors.unlink(missing_ok=True)


def simulated_bank(seed: int, settings: dict[str, int], stack: Path, kept: Path) -> Bank:
    """Rows and vectors of the tuning week and all test weeks of one simulated bank; vectors take longest and are kept in a file."""
    tuning, week = _tuning(settings), settings["week_days"]
    days = settings["history_days"] + week * (3 + settings["weeks"])
    rates = RateTable.from_document(parse_yaml((_ROOT / "services" / "risk-scoring" / "rules" / "rates.yaml").read_bytes()))
    rows = from_table(simulated_table(customers=settings["customers"], start=START, days=days, seed=seed), delay_days=week, rates=rates)
    wanted = np.asarray(rows.event_time_us >= tuning.start_us)
    if not kept.is_file():
        with private_redis(stack) as url:
            vectors = asyncio.run(compute_features(rows, wanted, url))
        with kept.with_suffix(".part").open("wb") as file:
            np.save(file, vectors)
        kept.with_suffix(".part").replace(kept)
    return Bank(rows.take(wanted), np.load(kept))


def _tuning(settings: dict[str, int]) -> Protocol:
    week = settings["week_days"]
    return Protocol(START + timedelta(days=settings["history_days"]), week, week, week)


def _kept(path: Path) -> dict[str, Any]:
    """What `_keep` wrote. Raises OSError when it is something else."""
    try:
        found = json.loads(path.read_text())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not {"chosen", "weeks"} <= found.keys():
        raise OSError(f"{path} holds no results: remove it")
    return found


def _seeds(text: str) -> list[int]:
    return [int(seed) for seed in text.split(",")]


def _keep(path: Path, done: dict[str, Any]) -> None:
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(done))
    scratch.replace(path)


def _say(text: str) -> None:
    print(f"prove-fraud: {text}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fraud.prove", description="Prove what graph and label features are worth.")
    parser.add_argument("--seeds", type=_seeds, default="101,102,103,104,105", help="of the simulated banks")
    parser.add_argument("--weeks", type=int, default=4, help="test weeks of each seed, after the one that tunes")
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--history-days", type=int, default=31, help="before the first training day")
    parser.add_argument("--week-days", type=int, default=7, help="days of training, of delay and of test")
    parser.add_argument("--results", type=Path, default=_ROOT / "var" / "prove-fraud", help="where finished weeks are kept")
    parser.add_argument("--write", type=Path, help="Markdown file for the report")
    parser.add_argument("--stack", type=Path, default=_ROOT / ".stack", help="folder of downloaded software")
    return parser


if __name__ == "__main__":
    sys.exit(main())
