"""A prefill and a decode engine as they run in production: a Triton of its own each, supervised, on the tiny model."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.liveness import start_ticks
from engine.llm import manifest
from llm import tiny
from localmesh.places import Places
from localmesh.ports import LOOPBACK, free_ports
from localmesh.rows import Row
from localmesh.supervisor import Mesh
from localmesh.tritonserver import tritonserver

from tests.unit.engine.stub.stubs import engine_json

ROLES = ("prefill", "decode")


class Engines:
    """``urls``, ``pid_files`` and ``manifest`` by role; whoever dies is started again."""

    def __init__(self, scratch: Path, changes: Mapping[str, Mapping[str, Any]] | None = None, shims: Path | None = None) -> None:
        self.places = replace(Places.default(), var=scratch)
        self.shims = shims or self.places.shims
        scratch.mkdir(parents=True, exist_ok=True)
        self.model = tiny.make(scratch / "model", tiny.Tiny(weights="fp32", accuracy_level=0, family="llama"))
        self.manifest = manifest.read(self.model)
        numbers = iter(free_ports(6))
        self.ports = {role: {name: next(numbers) for name in ("http", "grpc", "metrics")} for role in ROLES}
        self.urls = {role: f"{LOOPBACK}:{self.ports[role]['grpc']}" for role in ROLES}
        self.pid_files = {role: scratch / role / "triton.pid" for role in ROLES}
        self._changes = changes or {}

    def row(self, role: str) -> Row:
        """One engine's row."""
        folder, model = self.places.var / role, f"llm_{role}"

        def prepare() -> None:
            repository = folder / "repository"
            shutil.rmtree(repository, ignore_errors=True)
            shutil.copytree(self.shims / model, repository / model, ignore=shutil.ignore_patterns("__pycache__"))
            told = engine_json(folder, self.model, role, pid_file=str(self.pid_files[role]), **self._changes.get(role, {}))
            (repository / model / "engine.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")

        folder.mkdir(parents=True, exist_ok=True)
        return tritonserver(self.places, f"triton-{role}", self.ports[role], folder / "repository", prepare)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Mesh]:
        """Run both while the block runs."""
        async with Mesh([self.row(role) for role in ROLES], self.places.var) as mesh:
            yield mesh

    def server(self, role: str) -> int:
        """Pid of an engine's tritonserver."""
        pid, start = self.pid_files[role].read_text().split()
        assert start_ticks(int(pid)) == int(start)
        return int(pid)

    def stub(self, role: str) -> int:
        """Pid of the process in which its engine is."""
        children = Path(f"/proc/{self.server(role)}/task").glob("*/children")
        pids = [int(pid) for path in children for pid in path.read_text().split()]
        (stub,) = [pid for pid in pids if "stub" in Path(f"/proc/{pid}/cmdline").read_text()]
        return stub


async def until(condition: Any, timeout_s: float = 30.0) -> None:
    """Wait until something holds; raise when it does not in time."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


def kill(pid: int, number: int) -> None:
    """Signal one process of ours."""
    os.kill(pid, number)
