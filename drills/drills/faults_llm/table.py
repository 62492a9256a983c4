"""The mesh of a campaign: two of everything that serves models, the tiny model, engines that spoil some transfers; no anti-fraud."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.processes import table
from localmesh.rows import Row
from provisioning.engines import MIB, Sizes

from drills.faults_llm import shims
from drills.faults_llm.plan import COPIES
from drills.models import made

COPIED: Mapping[str, int] = dict.fromkeys(("gateway", "router", "inference-prefill", "inference-decode"), COPIES)
_LEFT_OUT = frozenset({"zipkin", "triton", "risk-stream", "risk-rpc"})
_SIZES = Sizes(rows=16, prefill_rows=8, max_len_tokens=512, threads=1, arena_bytes=16 * MIB, prefix_store_bytes=8 * MIB)


def table_of(places: Places, ports: Ports, copies: Mapping[str, int] = COPIED) -> list[Row]:
    """Rows of the campaign. Services are started without waiting for what they need: any order of start and restart must work."""
    rows = [row for row in table(places, ports, copies=copies, sizes=_SIZES) if row.name not in _LEFT_OUT]
    kept = {row.name for row in rows}
    return [
        replace(row, needs=tuple(each for each in row.needs if each in kept), env={**row.env, "OTEL_TRACES_EXPORTER": "none"})
        for row in rows
    ]


def tiny_model(root: Path) -> Path:
    """The tiny model's folder below `root`, under the name that the default scenarios serve. Raises LookupError when it can't be made."""
    return made("llm.tiny", root, "--name", "smollm2-135m-instruct")


def places_of(folder: Path, model: Path, *, spoils: bool = True) -> Places:
    """Where this campaign runs: logs and stores of its own each time it is started. ``spoils``: whether engines spoil hand-offs."""
    run = folder / f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}"
    run.mkdir(parents=True)
    usual = Places.default()
    return replace(usual, var=run, llm_model=model, shims=shims.assemble(usual.shims, run / "shims", spoils=spoils))
