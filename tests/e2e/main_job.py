"""`python -m drills.bankday` as a process of its own, on free ports and in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil
from localmesh.ports import Ports

POLL_S = 0.05
START_TIMEOUT_S = 180.0  # of a crowded machine; fails earlier when the run ends
END_TIMEOUT_S = 150.0


class MainJob:
    """A started run; `with` ends it whatever happens."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.ports = Ports.free()
        self.summary_file = folder / "summary.json"
        self._folder = folder
        self._said = folder / "said.txt"
        chosen = {f"FINMESH_PORT_{name.upper()}": str(port) for name, port in self.ports.by_name().items()}
        with self._said.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "drills.bankday", "--json", str(self.summary_file), *arguments],
                env={**os.environ, **chosen, "FINMESH_VAR": str(folder), "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self._said.read_text()

    @property
    def mesh(self) -> dict[str, Any]:
        """Its status file, {} before there is one."""
        for path in self._folder.glob("runs/*/mesh.json"):
            content: dict[str, Any] = json.loads(path.read_text())
            return content
        return {}

    def until(self, condition: Callable[[], bool], timeout_s: float = START_TIMEOUT_S) -> None:
        """Returns when the condition holds; fails with what was said when it does not, or the run has ended."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self._process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(POLL_S)

    def replaying(self) -> bool:
        """Decisions are being made."""
        return "replaying" in self.said and "decided 0 " not in self.said.rsplit("elapsed", 1)[-1]

    def kill(self, name: str) -> int:
        """SIGKILL one process of its mesh; returns its pid."""
        pid: int = self.mesh["processes"][name]["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    def is_back(self, name: str, killed: int) -> bool:
        """A successor of that pid is ready."""
        found = self.mesh["processes"][name]
        return found["state"] == "ready" and found["pid"] not in {None, killed}

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Exit status."""
        return self._process.wait(END_TIMEOUT_S)

    def summary(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.summary_file.read_text())
        return content

    def left(self) -> list[str]:
        """Command lines of processes that carry this run's folder in their environment."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("FINMESH_VAR") == str(self._folder) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
        return found
