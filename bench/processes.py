"""Memory and processor time of processes and whatever they started, from /proc (Linux)."""

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process tree: resident memory now, processor seconds since it began."""

    rss_mib: float
    cpu_s: float


def usage(pids: Mapping[str, int], proc: Path = Path("/proc")) -> dict[str, Usage]:
    """Usage by name; a process that is gone counts nothing."""
    children: dict[int, list[int]] = defaultdict(list)
    known: dict[int, Usage] = {}
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            pages = int((folder / "statm").read_text().split()[1])
        except OSError:
            continue
        pid = int(folder.name)
        children[int(fields[1])].append(pid)
        known[pid] = Usage(pages * os.sysconf("SC_PAGE_SIZE") / _MIB, (int(fields[11]) + int(fields[12])) * _TICK_S)
    return {name: _sum(pid, children, known) for name, pid in pids.items()}


def _sum(root: int, children: Mapping[int, list[int]], known: Mapping[int, Usage]) -> Usage:
    rss_mib = cpu_s = 0.0
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        own = known.get(pid, Usage(0, 0))
        rss_mib, cpu_s = rss_mib + own.rss_mib, cpu_s + own.cpu_s
    return Usage(rss_mib, cpu_s)


def cores(before: Mapping[str, Usage], after: Mapping[str, Usage], wall_s: float) -> dict[str, float]:
    """Processor cores used on average between two looks."""
    return {name: (after[name].cpu_s - before[name].cpu_s) / wall_s for name in after if name in before}
