"""var/mesh.json: what runs, for `status`, `down` and whoever looks for a port. var/mesh.lock: held while a launcher lives.

The lock, not a pid in a file, says whether a mesh runs: the kernel lets go of it however the launcher ends.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meshkit.strict_json import parse_json

from localmesh.supervisor import UP, Mesh, State


class AlreadyRunningError(Exception):
    """Another launcher holds this `var` folder."""


@contextmanager
def held(var: Path) -> Iterator[None]:
    """Holds the folder for one launcher; AlreadyRunningError when another has it."""
    var.mkdir(parents=True, exist_ok=True)
    with (var / "mesh.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(f"a mesh already runs in {var}: make down, or set FINMESH_VAR and FINMESH_PORT_*") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def launcher(var: Path) -> int | None:
    """Pid of the launcher that holds the folder now."""
    try:
        with (var / "mesh.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return int((var / "mesh.lock").read_text())


def overall(mesh: Mesh) -> str:
    """failed, ready, stopped, or starting while something is on its way."""
    states = {slot.state for slot in mesh.slots.values()}
    if State.FAILED in states:
        return "failed"
    if states <= UP:
        return "ready"
    return "stopped" if states == {State.STOPPED} else "starting"


def write(path: Path, mesh: Mesh) -> None:
    """Replaces the status file in one step."""
    content = {
        "launcher": os.getpid(),
        "state": overall(mesh),
        "processes": {
            name: {
                "state": slot.state.value,
                "pid": slot.child.pid if slot.child else None,
                "ports": dict(slot.row.ports),
                "restarts": slot.restarts,
                "took_s": round(slot.took_s, 2),
                "reason": slot.reason,
                "log": str(slot.log),
            }
            for name, slot in mesh.slots.items()
        },
    }
    scratch = path.with_name(f".{path.name}.new")
    scratch.write_text(json.dumps(content, indent=1))
    scratch.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Content of the status file, {} when there is none."""
    try:
        content: dict[str, Any] = parse_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    return content
