"""When an engine counts as hung, and whose process is ended then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from backends.liveness import Liveness, end_process, start_ticks
from engine.stub.process import write_pid


def probed(liveness: Liveness, turns: list[int | None], step_ms: float = 10.0, start_s: float = 0.0) -> list[bool]:
    """Ask once a second; None: no answer came."""
    found = []
    for second, each in enumerate(turns):
        now_s = start_s + second
        if each is not None:
            liveness.heard(each, step_ms, now_s)
        found.append(liveness.is_hung(now_s))
    return found


def test_a_count_that_goes_on_is_life() -> None:
    assert not any(probed(Liveness(0.0), list(range(100))))


def test_a_count_that_stands_still_is_not() -> None:
    assert probed(Liveness(0.0), [1, 2, 2, 2, 2, 2]) == [False, False, False, False, False, True]


def test_silence_is_not() -> None:
    assert probed(Liveness(0.0), [1, None, None, None, None]) == [False, False, False, False, True]


def test_slow_steps_are_waited_for() -> None:
    hung = probed(Liveness(0.0), [1] * 14, step_ms=1000.0)
    assert hung.index(True) == 11


def test_time_that_we_did_not_run_is_not_held_against_the_engine() -> None:
    liveness = Liveness(0.0)
    probed(liveness, [1, 2])
    assert not liveness.is_hung(60.0)
    liveness.heard(3, 10.0, 61.0)
    assert not liveness.is_hung(61.0)
    assert probed(liveness, [3, None, None, None, None], start_s=62.0)[-1]


def sleeping() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def test_the_process_that_was_named_is_ended(tmp_path: Path) -> None:
    process = sleeping()
    write_pid(tmp_path / "深" / "triton.pid", process.pid)
    assert end_process(tmp_path / "深" / "triton.pid") == process.pid
    assert process.wait(10) == -9
    assert end_process(tmp_path / "深" / "triton.pid") is None


def test_another_process_of_the_same_pid_is_not(tmp_path: Path) -> None:
    process = sleeping()
    try:
        for content in (f"{process.pid} {start_ticks(process.pid) - 1}\n", f"{process.pid}\n", "", "x y\n", f"{1 << 30} 5\n"):
            (tmp_path / "triton.pid").write_text(content)
            assert end_process(tmp_path / "triton.pid") is None
        assert end_process(tmp_path / "none.pid") is None
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_start_times_are_told_apart() -> None:
    assert start_ticks(os.getpid()) > 0
    assert start_ticks(1 << 30) == -1
