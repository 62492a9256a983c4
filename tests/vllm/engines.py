"""A pair of vLLM servers on loopback, and our engines in front: the recorded ones, or vLLM itself where an environment of it is named.

`FINMESH_TEST_VLLM=.venv-vllm` serves the tiny random model with vLLM (`make test-vllm`); otherwise `tests.vllm.server` answers.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
from backends.accelerators import VllmRow, parse
from backends.vllm.decode import VllmDecode
from backends.vllm.prefill import VllmPrefill
from backends.vllm.ticket import TicketKey
from localmesh.ports import free_ports
from meshkit.clock import Clock
from meshkit.crypto.derive import TICKETS, development
from meshkit.crypto.ring import Ring

from tests.vllm.folder import WIDER, write

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ.get("FINMESH_TEST_VLLM", "")
ROW = {
    "kind": "vllm", "vendor": "cpu", "device": "vllm", "model": "tiny", "model_digest": "6d" * 32, "zone": "local", "highest_grade": "L3",
}  # fmt: skip
ROWS, LONGEST, STARTED_S = 8, 512, 480
ENGINE_LEASE_S = 60.0 if ENVIRONMENT else 3.0


def ring() -> Ring[TicketKey]:
    """The development keys."""
    return Ring(development(TICKETS), TicketKey.make)


class Served:
    """One server: ``start`` it (again, on the same ports), ``kill`` it. ``is_real``: it is vLLM.

    ``sent``, ``bodies``: what ours have asked it.
    """

    def __init__(self, name: str, folder: Path, **options: Any) -> None:
        self.name, self.folder, self.options, self.is_real = name, folder, options, bool(ENVIRONMENT)
        self.port, self.side_port, self.kv_port, self.replay_port = free_ports(4)
        self._process: subprocess.Popen[bytes] | None = None
        self.sent: list[str] = []
        self.bodies: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def kv_events(self) -> str:
        return f"tcp://127.0.0.1:{self.kv_port}"

    @property
    def kv_replay(self) -> str:
        return f"tcp://127.0.0.1:{self.replay_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def begin(self) -> None:
        command, environment = self._vllm() if self.is_real else self._recorded()
        environment = {**os.environ, **environment}
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)

    def _recorded(self) -> tuple[list[str], dict[str, str]]:
        options = {"lease-s": ENGINE_LEASE_S, "kv-events": self.kv_events, "kv-replay": self.kv_replay, **self.options}
        named = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        module = [sys.executable, "-m", "tests.vllm.server"]
        return [*module, "--port", str(self.port), "--side-port", str(self.side_port), *named], {"PYTHONWARNINGS": "ignore"}

    def _vllm(self) -> tuple[list[str], dict[str, str]]:
        model = write(self.folder / "model", WIDER)
        transfer = {"kv_connector": "NixlConnector", "kv_role": "kv_both", "kv_buffer_device": "cpu", "kv_load_failure_policy": "fail"}
        transfer["kv_connector_extra_config"] = {"kv_lease_duration": round(ENGINE_LEASE_S)}  # type: ignore[assignment]
        events = {"enable_kv_cache_events": True, "publisher": "zmq", "endpoint": self.kv_events, "replay_endpoint": self.kv_replay}
        command = [
            str(ROOT / ENVIRONMENT / "bin/python"), "-m", "vllm.entrypoints.openai.api_server", "--model", str(model),
            "--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(self.port), "--enforce-eager", "--dtype", "float32",
            "--max-model-len", str(LONGEST), "--max-num-seqs", str(ROWS), "--enable-prompt-tokens-details",
            "--kv-transfer-config", json.dumps(transfer), "--kv-events-config", json.dumps(events),
        ]  # fmt: skip
        return command, {
            "VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "UCX_TLS": "tcp,posix,self",
            "VLLM_NIXL_SIDE_CHANNEL_HOST": "127.0.0.1", "VLLM_NIXL_SIDE_CHANNEL_PORT": str(self.side_port), "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1", "VLLM_SERVER_DEV_MODE": "1", "DO_NOT_TRACK": "1", "TRANSFORMERS_OFFLINE": "1",
        }  # fmt: skip

    def wait(self) -> None:
        """Until it answers. Raises when it ended, or takes too long."""
        until_s = time.monotonic() + STARTED_S
        while time.monotonic() < until_s:
            assert self._process is not None and self._process.poll() is None, (self.folder / f"{self.name}.log").read_text()[-4000:]
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/metrics", timeout=2) as response:
                if response.status == 200:
                    return
            time.sleep(0.05)
        raise TimeoutError(f"{self.name} did not start: {(self.folder / f'{self.name}.log').read_text()[-4000:]}")

    def start(self) -> None:
        self.begin()
        self.wait()

    def signal(self, number: signal.Signals) -> None:
        """To the server and the processes that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self._process.wait()

    def ask(self, path: str, content: Any = None) -> Any:
        """Ask the recorded server for what only it has: what it was asked, for instance."""
        data = None if content is None else json.dumps(content).encode()
        with urllib.request.urlopen(f"{self.url}{path}", data, timeout=5) as response:
            return json.loads(response.read())


class Servers:
    """A prefill and a decode server."""

    def __init__(self, folder: Path, **options: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.prefill, self.decode = Served("prefill", folder, **options), Served("decode", folder, **options)
        for each in (self.prefill, self.decode):
            each.begin()
        for each in (self.prefill, self.decode):
            each.wait()

    def close(self) -> None:
        for each in (self.prefill, self.decode):
            each.kill()


def row(served: Served, name: str, role: str, **options: Any) -> VllmRow:
    """Its row of accelerators.yaml."""
    told = {"kv_events": served.kv_events, "kv_replay": served.kv_replay, "lease_s": ENGINE_LEASE_S * 2 / 3, "fetch_s": 30.0}
    fields = {"name": name, "roles": [role], "url": served.url, "rows": ROWS, "max_len_tokens": LONGEST}
    fields["options"] = {**told, "engine_lease_s": ENGINE_LEASE_S, **options}
    found = parse(json.dumps({"version": "1", "accelerators": [{**ROW, **fields}]}).encode()).rows[0]
    assert isinstance(found, VllmRow)
    return found


def prefill_engine(served: Served, name: str = "vllm-prefill", clock: Clock | None = None, **options: Any) -> VllmPrefill:
    """Ours in front of a server."""
    engine = VllmPrefill(row(served, name, "prefill", **options), ring(), clock)
    _note(served, engine)
    return engine


def decode_engine(
    served: Served, name: str = "vllm-decode", buffer_tokens: int = 64, clock: Clock | None = None, **options: Any
) -> VllmDecode:
    """Ours in front of a server."""
    engine = VllmDecode(row(served, name, "decode", **options), ring(), clock, buffer_tokens=buffer_tokens)
    _note(served, engine)
    return engine


def _note(served: Served, engine: VllmPrefill | VllmDecode) -> None:
    async def note(request: httpx2.Request) -> None:
        served.sent.append(request.url.path)
        if request.content:
            served.bodies.append(json.loads(request.content))

    engine._link._client.event_hooks = {"request": [note], "response": []}


async def idle(*engines: VllmPrefill | VllmDecode) -> None:
    """Wait until nothing is held by ours, and nothing runs at theirs."""
    async with asyncio.timeout(15):
        for engine in engines:
            while await engine.held() or engine.load.rows_used:
                await asyncio.sleep(0.05)
