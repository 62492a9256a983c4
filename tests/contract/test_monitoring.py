"""Dashboards and alerts name what services really expose, and alerts fire when they should and only then (promtool)."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml
from backends.health.attendant import Attendant
from backends.port import Phase, Published
from backends.telemetry import EngineGauges
from backends.telemetry import OtelObserver as LegObserver
from backends.triton_engine import TritonEngine
from finmesh.inference.v1.generation_pb2 import FINISH_REASON_LENGTH, ChoiceFinished, UsageFacts
from finmesh.inference.v1.prefill_service_pb2 import PrefillResponse
from finmesh.inference.v1.worker_pb2 import WORKER_STATE_ISOLATED, WorkerDescription, WorkerLoad
from localmesh.fetch import promtool
from localmesh.places import Places
from meshkit.audit.emit import AuditEmitter
from meshkit.clock import FakeClock
from meshkit.config import ServiceConfig
from meshkit.rpc.chain import Call
from meshkit.service import Service
from meshkit.telemetry.rpc import ServerTelemetry
from prometheus_client.parser import text_string_to_metric_families
from risk_scoring.consumers.compaction import Compaction
from risk_scoring.steps.recall import Recall
from router.adapters.otel_observer import OtelObserver as RouterObserver
from router.domain.evidence import EvidenceTiming
from router.steps.sweep import Sweeper

from .repository import ROOT

HERE = ROOT / "deploy/k8s/components/monitoring"
DASHBOARDS = sorted((HERE / "dashboards").glob("*.json"))
METRIC = re.compile(r"\b((?:finmesh|rpc|up)(?:_[a-z0-9_]+)?)\b(?=[\s{\[)]|$)(?:\{([^}]*)\})?")
BY = re.compile(r"\bby \(([^)]*)\)")
BY_PROMETHEUS = {"job", "instance"}
OF_ENGINE = WorkerDescription(worker_id="d-1", model="m", rows=2, max_len_tokens=128, block_tokens=64)
ISOLATED = WorkerLoad(state=WORKER_STATE_ISOLATED, reason="ENGINE_HUNG", utilisation=0.5, kv_usage=0.25, step_ms=7.0)
# What vLLM 0.32 exposes (`vllm:` before each) of what is measured here too; docs/telemetry.md lists ours that it has not.
OF_VLLM = {
    "num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "prefix_cache_queries_total", "prefix_cache_hits_total",
    "prompt_tokens_total", "generation_tokens_total", "request_success_total", "time_to_first_token_seconds", "e2e_request_latency_seconds",
    "request_time_per_output_token_seconds", "request_queue_time_seconds", "request_prefill_time_seconds", "request_prompt_tokens",
    "request_generation_tokens",
}  # fmt: skip


def rules() -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load((HERE / "alerts.yaml").read_text())["spec"]
    return spec


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in rules()["groups"] for rule in group["rules"]}


def expressions() -> Iterator[tuple[str, str]]:
    """(where, expression) of every panel and every alert."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]
    yield from ((name, rule["expr"]) for name, rule in alerts().items())


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """Labels by the name of what a service's endpoint tells when everything that is counted has happened once."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(asyncio.run(_scraped())):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(key for key, value in sample.labels.items() if value)
    return found


async def _scraped() -> str:
    async with Service(ServiceConfig(metrics_listen="127.0.0.1:0", shutdown_grace_s=0.1), "router") as service:
        service.degraded("evidence", "REDIS_DOWN")
        await _happen()
        url = f"http://127.0.0.1:{service.metrics_port}/metrics"
        return await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=10).read().decode())


async def _happen() -> None:
    """Have everything happen once, through what services have for it."""
    for leg in ("prefill", "decode"):
        phases = tuple(Phase(name, 1_000, 2_000) for name in ("queue", "prefill", "pack", "publish"))
        usage = UsageFacts(prompt_tokens=3, output_tokens=2, cached_tokens=1)
        finished = [ChoiceFinished(reason=FINISH_REASON_LENGTH, output_tokens=2)]
        response = PrefillResponse(worker_id="p-1", usage=usage, finished=finished)
        observer = LegObserver(leg)
        observer.began("m").published(Published(response, phases))
        observer.began("m").failed("ENGINE_LOST")
    EngineGauges([MagicMock(description=OF_ENGINE, load=ISOLATED)])
    router = RouterObserver(lambda: 3)
    router.first_token(0.1)
    router.failed("prefill", "prefill-again", "ENGINE_LOST")
    router.substituted("a", "b", "decode", "NO_WORKER")
    router.ended("ALWAYS", "NO_WORKER")
    Sweeper(MagicMock(), MagicMock(), MagicMock(), FakeClock(), EvidenceTiming())
    AuditEmitter(MagicMock(), "router", MagicMock(), "", MagicMock())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backends.triton_engine.end_process", lambda _: 4711)
        TritonEngine("127.0.0.1:1", "m", Path("triton.pid"))._kill("ENGINE_HUNG")
    Attendant(MagicMock(), {}, 1.0, list).probes.add(1, {"verdict": "wrong"})
    Recall(MagicMock(), MagicMock())
    Compaction(MagicMock(), MagicMock(), MagicMock(), FakeClock(), 600.0)
    call = Call("/finmesh.router.v1.RouterService/Generate", MagicMock(invocation_metadata=lambda: ()))
    with ServerTelemetry()(call):
        pass


def test_everything_that_is_named_is_exposed(exposed: dict[str, set[str]]) -> None:
    found = list(expressions())
    assert len(DASHBOARDS) == 2 and len(found) > 40
    for where, expression in found:
        named = METRIC.findall(BY.sub("", expression))
        assert named, where
        for name, selector in named:
            if name == "up":
                continue
            assert name in exposed, f"{where}: nobody exposes {name}"
            used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
            assert used <= exposed[name] | BY_PROMETHEUS, f"{where}: {name} has no labels {used}"
        labels = {each for name, _ in named if name != "up" for each in exposed[name]}
        grouped = {each.strip() for group in BY.findall(expression) for each in group.split(",")}
        assert grouped <= labels | BY_PROMETHEUS, f"{where}: nothing has the labels {grouped - labels}"


def test_legends_and_texts_name_labels_that_are_left(exposed: dict[str, set[str]]) -> None:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                grouped = {each.strip() for group in BY.findall(target["expr"]) for each in group.split(",")}
                ungrouped = {each for name, _ in METRIC.findall(target["expr"]) for each in exposed.get(name, ())} | BY_PROMETHEUS
                assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= (grouped or ungrouped), panel["title"]


def test_names_are_those_of_vllm_or_said_to_be_ours(exposed: dict[str, set[str]]) -> None:
    page = (ROOT / "docs/telemetry.md").read_text()
    ours = page[page.index("Without an equal in vLLM:") : page.index("*Dashboards and alerts.*")]
    names = {
        re.sub(r"_(bucket|sum|count)$", "", each).removeprefix("finmesh_inference_") for each in exposed if "finmesh_inference_" in each
    }
    assert names >= OF_VLLM
    assert not {name for name in names - OF_VLLM if f"`{name.removesuffix('_total')}`" not in ours}


def test_dashboards_are_fresh() -> None:
    done = subprocess.run([sys.executable, "docs/generate", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "monitoring" not in done.stderr, done.stderr


def test_every_alert_says_what_to_look_at_and_is_tested_both_ways() -> None:
    fires: dict[str, set[bool]] = {}
    for test in yaml.safe_load((HERE / "alerts_test.yaml").read_text())["tests"]:
        for each in test["alert_rule_test"]:
            fires.setdefault(each["alertname"], set()).add(bool(each.get("exp_alerts")))
    assert fires == {name: {True, False} for name in alerts()}
    for rule in alerts().values():
        assert rule["labels"].keys() == {"severity"} and rule["annotations"].keys() == {"summary", "description"}


def test_promtool_agrees(tmp_path: Path) -> None:
    program = promtool.fetch(Places.default().stack)
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules(), allow_unicode=True))
    (tmp_path / "alerts_test.yaml").write_text((HERE / "alerts_test.yaml").read_text())
    for arguments in (["check", "rules", "rules.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_queries_of_panels_are_promql(tmp_path: Path) -> None:
    """As recording rules, with Grafana's own variable replaced."""
    made = [{"record": "panel", "expr": expression.replace("$__rate_interval", "5m")} for _, expression in expressions()]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}))
    program = promtool.fetch(Places.default().stack)
    done = subprocess.run(
        [program, "check", "rules", "--lint=none", "rules.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
