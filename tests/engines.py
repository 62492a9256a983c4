"""A prefill and a decode engine as they run in production: rows of the process table, supervised, on a tiny model."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.liveness import start_ticks
from engine.llm import manifest
from llm import tiny
from localmesh.engines import PID_FILE, folder_of
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.processes import table
from localmesh.rows import Row
from provisioning.engines import Sizes

ROLES = ("prefill", "decode")
NAME = "smollm2-135m-instruct"
"""What the scenarios call their model; the tiny one goes by it."""
SMALL = Sizes(rows=4, prefill_rows=4, max_len_tokens=512, chunk_tokens=64, threads=1, arena_bytes=8 << 20, prefix_store_bytes=4 << 20)
"""The tiny model has 1 KB a token."""


def tiny_model(folder: Path) -> Path:
    """Folder of a language model of random weights."""
    return tiny.make(folder, tiny.Tiny(weights="fp32", accuracy_level=0, family="llama", name=NAME, tools=True))


class Engines:
    """``urls``, ``pid_files`` and ``manifest`` by role; whoever dies is started again."""

    def __init__(self, places: Places, ports: Ports) -> None:
        self.places = replace(places, llm_model=tiny_model(places.var / "models"))
        self.manifest = manifest.read(self.places.llm_model)
        names = {role: f"triton-{role}" for role in ROLES}
        self.rows: list[Row] = [row for row in table(self.places, ports, sizes=SMALL) if row.name in names.values()]
        self.urls = {role: f"{LOOPBACK}:{ports.engine(name)['grpc']}" for role, name in names.items()}
        self.pid_files = {role: folder_of(places, name) / PID_FILE for role, name in names.items()}

    @property
    def socket(self) -> Path:
        """Where the prefill engine hands memory over to others of this machine."""
        told = json.loads((self.pid_files["prefill"].parent / "repository" / "llm_prefill" / "engine.json").read_bytes())
        return Path(told["kv"]["socket"])

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


async def until(condition: Any, timeout_s: float = 60.0) -> None:
    """Wait until something holds; raise when it does not in time."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)
