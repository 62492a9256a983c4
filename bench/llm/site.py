"""A mesh that serves one model: two engines, four services, what they need, and two scenarios: never handed over, always handed over."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import gateway
from engine.llm import manifest as manifests
from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.processes import table
from localmesh.rows import Row, only
from provisioning.engines import Sizes

from bench.site import Site, opened_with

TENANT = "bank-a"
NEVER, ALWAYS = "bench-never", "bench-always"
_ROWS = (
    "kafka", "redis", "provision", "audit", "gateway", "router", "inference-prefill", "inference-decode", "triton-prefill", "triton-decode",
)  # fmt: skip
_POLICY = """
@id("bench")
permit (principal, action == Action::"Generate", resource)
when { principal.roles.contains("assistant-user") && ["bench-never", "bench-always"].contains(context.scenario) };
"""


@asynccontextmanager
async def opened(var: Path | None, model: Path, sizes: Sizes) -> AsyncIterator[Site]:
    """The mesh is up inside. Raises StartError, MissingToolError."""

    def rows(places: Places, ports: Ports) -> list[Row]:
        return only([_own(row, places) for row in table(places, ports, sizes=sizes)], list(_ROWS))

    async with opened_with(var, rows, replace(Places.default(), llm_model=model)) as site:
        yield site


def _own(row: Row, places: Places) -> Row:
    """Rows with the bench's scenarios and the policy that lets them be asked for; no tracing."""
    if row.name == "gateway":
        return replace(row, env={**row.env, "FINMESH_AUTH__POLICIES": str(_policies(places)), "OTEL_TRACES_EXPORTER": "none"})
    if row.name == "router":
        return replace(row, env={**row.env, "FINMESH_SCENARIOS": str(_scenarios(places)), "OTEL_TRACES_EXPORTER": "none"})
    return replace(row, env={**row.env, "OTEL_TRACES_EXPORTER": "none"}) if "OTEL_TRACES_EXPORTER" in row.env else row


def _policies(places: Places) -> Path:
    folder = places.var / "policies"
    shutil.copytree(Path(str(gateway.__file__)).parent / "policies", folder)
    (folder / "bench.cedar").write_text(_POLICY)
    return folder


def _scenarios(places: Places) -> Path:
    name = manifests.read(places.llm_model).name
    common = {
        "models": [name], "highest_grade": 3, "default_output_tokens": 128, "max_output_tokens": 2_048, "max_choices": 4, "priority": 5,
        "queue_ttl_s": 60, "threshold_tokens": 256, "alone_tokens": 1_024, "on_stream_break": "error",
    }  # fmt: skip
    scenarios = {"assistant": {**common, "disaggregation": "auto"}}
    scenarios |= {scenario: {**common, "disaggregation": scenario.removeprefix("bench-")} for scenario in (NEVER, ALWAYS)}
    file = places.var / "scenarios.yaml"
    file.write_text(json.dumps({"version": "bench", "scenarios": scenarios}))
    return file
