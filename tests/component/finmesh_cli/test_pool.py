"""`finmesh models` and `finmesh pool`."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from datetime import datetime
from pathlib import Path

import pytest
from finmesh.inference.v1 import worker_pb2 as worker
from finmesh.inference.v1.backend_state_changed_pb2 import BackendStateChanged
from finmesh.router.v1 import router_service_pb2 as router
from finmesh_cli.commands.pool import board
from finmesh_cli.settings import Language
from meshkit import errors
from rich.cells import cell_len
from rich.console import Console

from .conftest import Cli, FakeGateway


def engines() -> list[router.Backend]:
    """One that decodes, one that reads prompts and is isolated."""
    return [
        router.Backend(
            description=worker.WorkerDescription(
                worker_id="decode-0", role=worker.WORKER_ROLE_DECODE, vendor="cpu", device="onnxruntime", model="smollm2", rows=8,
                kind="triton", zone="z1", highest_grade=3, price_per_hour_minor=250, memory_bytes=24 << 30,
            ),
            load=worker.WorkerLoad(
                rows_used=3, queued=2, cached_blocks=30, cache_capacity_blocks=120, step_ms=41.5, output_tokens_per_s=70.25,
                state=worker.WORKER_STATE_READY, kv_usage=0.125, utilisation=0.5,
            ),
            age_ms=120,
        ),
        router.Backend(
            description=worker.WorkerDescription(worker_id="prefill-0", role=worker.WORKER_ROLE_PREFILL, model="smollm2", rows=4),
            load=worker.WorkerLoad(
                state=worker.WORKER_STATE_ISOLATED, reason="STEPS_STAND_STILL", arena_used_bytes=1, arena_bytes=2, utilisation=-1
            ),
            age_ms=4_500,
        ),
    ]  # fmt: skip


def history() -> list[BackendStateChanged]:
    """One that was ready and is isolated."""
    who = {"worker_id": "prefill-0", "service": "inference-prefill", "instance": "节点一/1", "model": "smollm2", "vendor": "昇腾"}
    first = BackendStateChanged(**who, number=1, after=worker.WORKER_STATE_READY, role=worker.WORKER_ROLE_PREFILL)
    then = BackendStateChanged(
        **who, number=2, before=worker.WORKER_STATE_READY, after=worker.WORKER_STATE_ISOLATED, reason="STEPS_STAND_STILL",
        detail="三秒未前进", role=worker.WORKER_ROLE_PREFILL,
    )  # fmt: skip
    first.changed_at.FromSeconds(SEEN_S - 60)
    then.changed_at.FromSeconds(SEEN_S)
    return [first, then]


SEEN_S = 1_800_000_000
SINCE = datetime.fromtimestamp(SEEN_S).astimezone().strftime("%m-%d %H:%M:%S")


async def test_what_became_of_engines_is_told_the_oldest_first(cli: Cli, gateway: FakeGateway) -> None:
    gateway.backends, gateway.changes = engines(), history()
    first, then = (await cli("pool", "--history")).stdout.splitlines()
    assert "prefill-0 [prefill, 昇腾, smollm2]  - -> ready" in first
    assert "ready -> isolated  STEPS_STAND_STILL (三秒未前进)" in then and then.startswith(SINCE)
    assert gateway.asked[-1] == router.ListBackendsRequest(tenant="bank-a", changes=100)
    assert "就绪 -> 已隔离" in (await cli("pool", "--history", language="zh")).stdout
    lines = (await cli("pool", "--history", "--json", "--most", "1")).stdout.splitlines()
    assert [json.loads(line)["number"] for line in lines] == ["2"]
    gateway.changes = []
    assert "no engine's state has changed" in (await cli("pool", "--history")).stdout


async def test_changes_are_told_as_they_come_and_once(address: str, gateway: FakeGateway, certs: Path) -> None:
    gateway.changes = history()[:1]
    environment = os.environ | {"COLUMNS": "200", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "finmesh_cli", "--gateway", address, "--certs", str(certs), "--language", "en", "pool"]
    options = ["--history", "--watch", "--interval-s", "0.1"]
    process = await asyncio.create_subprocess_exec(
        *command, *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    async with asyncio.timeout(60):
        while len(gateway.asked) < 3:
            await asyncio.sleep(0.02)
        gateway.changes = history()
        before = len(gateway.asked)
        while len(gateway.asked) < before + 3:
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, said = await process.communicate()
    assert process.returncode == 130 and b"Traceback" not in said
    assert len(out.decode().splitlines()) == 2 and "STEPS_STAND_STILL" in out.decode().splitlines()[1]


async def test_engines_with_their_load_and_why_one_is_isolated(cli: Cli, gateway: FakeGateway, certs: Path) -> None:
    gateway.backends, gateway.changes = engines(), history()
    done = await cli("pool")
    assert done.exit_code == 0
    prefill, decode = (" ".join(line.split()) for line in done.stdout.splitlines() if "smollm2" in line)
    assert decode == "decode-0 decode ready - smollm2 cpu onnxruntime 24 GiB triton z1 L3 250 3/8 2 12% 50% 25% - 70.2 0.0 41.5 0.1 s"
    assert prefill == f"prefill-0 prefill isolated {SINCE} smollm2 - - - - - - - 0/4 0 0% - - 50% 0.0 0.0 0.0 4.5 s"
    assert "prefill-0: STEPS_STAND_STILL (三秒未前进)" in done.stdout.splitlines()
    assert gateway.headers[0]["authorization"] == "Bearer " + (certs / "operator.jwt").read_text()
    assert "已隔离" in (await cli("pool", language="zh")).stdout


@pytest.mark.parametrize("language", list(Language))
def test_a_terminal_of_eighty_columns_has_room_for_what_matters(language: Language) -> None:
    out = Console(width=80, force_terminal=True, color_system=None, file=io.StringIO())
    found = engines()
    for backend, name in zip(found, ("triton-decode-2", "triton-prefill-2"), strict=True):
        backend.description.worker_id = name
        backend.description.model = "smollm2-135m-instruct"
    out.print(board(out, found, language))
    said = out.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in said and max(cell_len(line.rstrip()) for line in said.splitlines()) <= 80
    for text in ("triton-decode-2", "12%", "3/8", "25%", "70.2", "41.5", "triton-prefill-2: STEPS_STAND_STILL"):
        assert text in said


async def test_a_pool_without_engines_says_so(cli: Cli) -> None:
    assert "no engine is known" in (await cli("pool")).stdout


async def test_engines_as_json(cli: Cli, gateway: FakeGateway) -> None:
    gateway.backends = engines()
    (line,) = (await cli("pool", "--json")).stdout.splitlines()
    assert [backend["description"]["workerId"] for backend in json.loads(line)["backends"]] == ["decode-0", "prefill-0"]


@pytest.mark.parametrize("command", ["pool", "models"])
async def test_who_may_not_is_told(cli: Cli, gateway: FakeGateway, command: str) -> None:
    gateway.failure = errors.PermissionDenied("the policy does not allow it", reason="POLICY_DENIED")
    done = await cli(command)
    assert done.exit_code == 2 and "POLICY_DENIED" in done.stderr


async def test_models_with_what_can_answer_now(cli: Cli, gateway: FakeGateway) -> None:
    gateway.models = [
        router.Model(name="smollm2", release="ab12" * 16, max_len_tokens=2048, licence="Apache-2.0", available=True),
        router.Model(name="大模型", max_len_tokens=8192),
    ]
    done = await cli("models", "--scenario", "assistant")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "smollm2 yes 2,048 Apache-2.0 ab12ab12ab12ab12" in lines and "大模型 no 8,192" in lines
    assert gateway.asked == [router.ListModelsRequest(tenant="bank-a", scenario="assistant")]
    assert [json.loads(line)["name"] for line in (await cli("models", "--json")).stdout.splitlines()] == ["smollm2", "大模型"]


async def test_watching_goes_on_until_ctrl_c_and_over_what_passes(address: str, gateway: FakeGateway, certs: Path) -> None:
    gateway.backends = engines()
    environment = os.environ | {"COLUMNS": "200", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "finmesh_cli", "--gateway", address, "--certs", str(certs), "--language", "en", "pool"]
    options = ["--watch", "--interval-s", "0.1"]
    process = await asyncio.create_subprocess_exec(
        *command, *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    async with asyncio.timeout(30):
        while len(gateway.asked) < 2:
            await asyncio.sleep(0.02)
        gateway.failure = errors.QuotaExceeded("later", reason="QUOTA_EXCEEDED")
        before = len(gateway.asked)
        while len(gateway.asked) < before + 3:
            await asyncio.sleep(0.02)
        gateway.failure = None
        process.send_signal(signal.SIGINT)
        out, said = await process.communicate()
    assert process.returncode == 130 and b"Traceback" not in said
    assert b"STEPS_STAND_STILL" in out
