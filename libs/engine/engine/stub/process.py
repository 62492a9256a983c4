"""Which process has to die when this stub hangs: Triton's, named in a file for whoever watches.

Surprising: pid alone is no name. A file that a dead Triton left behind names whatever process has that pid by then, so the process's
start time (clock ticks since boot, field 22 of /proc/<pid>/stat) stands beside it.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_pid(path: Path, pid: int) -> None:
    """Write ``pid`` and its start time into a file, in one step. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_text(f"{pid} {start_ticks(pid)}\n", encoding="ascii")
    new.replace(path)


def start_ticks(pid: int) -> int:
    """Return when a process started. Raises OSError when there is none."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return int(stat.rpartition(")")[2].split()[19])
