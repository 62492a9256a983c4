"""The mesh of a campaign: two gateways, two routers, Redis and Kafka as they are, and one engine that computes nothing."""

import datetime as dt
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.processes import table
from localmesh.rows import Row

from drills.models import made

COPIED = {"gateway": 2, "router": 2}
MODEL = "smollm2-135m-instruct"  # what the default scenarios serve
PRINCIPALS = (
    ("bank-a", "zhang-san"), ("bank-a", "li-si"), ("bank-b", "zhang-san"), ("bank-b", "wang-wu"), ("bank-c", "zhao-liu"),
)  # fmt: skip
"""Who asks. bank-c has a share so small that it is used up every minute."""
SMALL_SHARE = 400
_KEPT = frozenset({"kafka", "redis", "provision", "gateway", "gateway-2", "router", "router-2", "inference-decode"})
_SCENARIOS = f"""version: "drill"
scenarios:
  assistant:
    models: ["{MODEL}"]
    highest_grade: 3
    default_output_tokens: 64
    max_output_tokens: 1024
    max_choices: 4
    priority: 5
    queue_ttl_s: 10
    disaggregation: "never"
    threshold_tokens: 256
    alone_tokens: 1024
    on_stream_break: "error"
"""
_LIMITS = f"""tenants:
  bank-c: {{output_per_minute: {SMALL_SHARE}, output_per_day: 100000000}}
"""
_TOKENS = "1000000000"
_EVIDENCE = {"FINMESH_EVIDENCE__LEASE_S": "4", "FINMESH_EVIDENCE__HEARTBEAT_S": "1", "FINMESH_EVIDENCE__SWEEP_S": "1"}
PENDING_S = 20


def places_of(folder: Path) -> Places:
    """Where a campaign runs: a folder of its own each time. Raises LookupError when the tiny model can't be made."""
    model = made("llm.tiny", folder / "models", "--name", MODEL)
    run = folder / f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}"
    run.mkdir(parents=True)
    return replace(Places.default(), var=run, llm_model=model)


def table_of(places: Places, ports: Ports) -> list[Row]:
    """Rows of the campaign; any order of start and restart must work."""
    scenarios, limits = places.var / "scenarios.yaml", places.var / "limits.yaml"
    scenarios.write_text(_SCENARIOS, encoding="utf-8")
    limits.write_text(_LIMITS, encoding="utf-8")
    shares = {f"FINMESH_BUDGET__{scope}__{kind}_PER_{period}": _TOKENS for scope in ("TENANT", "SCENARIO", "PRINCIPAL")
              for kind in ("PROMPT", "OUTPUT") for period in ("MINUTE", "DAY")}  # fmt: skip
    budget = shares | {"FINMESH_BUDGET__FILE": str(limits), "FINMESH_BUDGET__HOLD_S": "6", "FINMESH_BUDGET__PENDING_S": str(PENDING_S)}
    own = {"gateway": budget, "router": {"FINMESH_SCENARIOS": str(scenarios)} | _EVIDENCE}
    rows = [row for row in table(places, ports, copies=COPIED) if row.name in _KEPT]
    return [_row(row, own.get(row.name.removesuffix("-2"), {}), places.llm_model) for row in rows]


def _row(row: Row, own: dict[str, str], model: Path) -> Row:
    needs = tuple(each for each in row.needs if each in _KEPT)
    row = replace(row, needs=needs, env={**row.env, **own, "OTEL_TRACES_EXPORTER": "none"})
    if row.name != "inference-decode":
        return row
    manifest = json.loads((model / "manifest.json").read_text())
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return replace(row, command=(sys.executable, "-m", "drills.faults_budget.engine", "--model", MODEL, "--digest", digest))
