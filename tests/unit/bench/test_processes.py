"""Memory and processor time of a process with what it started, from files like those of /proc."""

import os
from pathlib import Path

import pytest

from bench.processes import Usage, cores, usage

TICKS = os.sysconf("SC_CLK_TCK")
PAGES = 256 * 1024 * 1024 // os.sysconf("SC_PAGE_SIZE") // 256  # one MiB


def process(proc: Path, pid: int, parent: int, *, mib: int, seconds: float, name: str = "x") -> None:
    folder = proc / str(pid)
    folder.mkdir()
    ticks = int(seconds * TICKS)
    rest = ["S", str(parent), *["0"] * 9, str(ticks), "0", *["0"] * 10]
    (folder / "stat").write_text(f"{pid} ({name}) {' '.join(rest)}")
    (folder / "statm").write_text(f"999 {mib * PAGES} 1 1 0 1 0")


def test_children_and_grandchildren_count(tmp_path: Path) -> None:
    process(tmp_path, 10, 1, mib=5, seconds=1)
    process(tmp_path, 11, 10, mib=7, seconds=2, name="a (b) c")
    process(tmp_path, 12, 11, mib=1, seconds=4)
    process(tmp_path, 20, 1, mib=100, seconds=100)
    (tmp_path / "self").mkdir()
    assert usage({"mine": 10}, tmp_path)["mine"] == Usage(pytest.approx(13), pytest.approx(7))


def test_a_process_that_is_gone_counts_nothing(tmp_path: Path) -> None:
    assert usage({"gone": 99}, tmp_path)["gone"] == Usage(0, 0)


def test_cores_are_seconds_by_seconds() -> None:
    before, after = {"a": Usage(1, 10), "b": Usage(1, 0)}, {"a": Usage(1, 16), "new": Usage(1, 3)}
    assert cores(before, after, 4.0) == {"a": 1.5}


def test_this_very_process_is_found() -> None:
    own = usage({"me": os.getpid()})["me"]
    assert own.rss_mib > 1
    assert own.cpu_s > 0
