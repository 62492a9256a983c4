"""What an engine does again and again beside its work."""

from __future__ import annotations

import threading

import pytest
from engine.stub import parts

from .stubs import WAIT_S


def test_a_sweep_that_fails_is_not_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    times, again = [], threading.Event()

    def sweep() -> None:
        times.append(1)
        if len(times) == 1:
            raise KeyError("a hand-off that is gone")
        again.set()

    stop = parts._every(0.001, sweep)
    try:
        assert again.wait(WAIT_S)
        assert "a hand-off that is gone" in capsys.readouterr().err
    finally:
        stop()
