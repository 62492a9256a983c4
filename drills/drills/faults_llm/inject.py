"""Kills one process of a role and says when it is up again. Python's stubs are children of their Triton, found by name."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localmesh.supervisor import Mesh

from drills.faults_llm.plan import Kill

STUB = "triton_python_backend_stub"
_STUB_ROLES = {"prefill stub": "triton-prefill", "decode stub": "triton-decode"}


@dataclass(frozen=True, slots=True)
class Hit:
    """When a process was killed (monotonic seconds), and which row of the mesh comes up again because of it."""

    at_s: float
    row: str
    pid: int


def row_of(kill: Kill) -> str:
    """The row of the process table that a kill hits."""
    name = _STUB_ROLES.get(kill.role, kill.role)
    return name if kill.copy == 1 else f"{name}-{kill.copy}"


async def hit(mesh: Mesh, kill: Kill) -> Hit:
    """Kill it. Its Triton dies with a stub: by the hand of the service in front of it, since nothing else would notice."""
    row = row_of(kill)
    pid = await mesh.wait(row)
    if kill.role in _STUB_ROLES:
        for stub in [each for each in descendants(pid) if comm(each) == STUB[:15]]:
            os.kill(stub, signal.SIGKILL)
    else:
        mesh.kill(row)
    return Hit(time.monotonic(), row, pid)


async def up(mesh: Mesh, struck: Hit) -> None:
    """Return when the successor of what was hit is ready."""
    await mesh.wait(struck.row, struck.pid)


def comm(pid: int) -> str:
    """Name of a process as Linux keeps it, 15 characters; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def descendants(root: int) -> Iterator[int]:
    """Every process below one."""
    for task in Path(f"/proc/{root}/task").glob("*/children"):
        try:
            children = [int(each) for each in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            yield child
            yield from descendants(child)
