"""Engines that go bad while they run: slow, or wrong. What a file in the engine's folder says, from the next step on.

Surprising: no part of libs/engine has a switch for this; the shim puts a runner of its own in the place of the real one, before the engine
is made. A step that is slow sleeps; one that is wrong computes and then gives every token the numbers of its neighbour.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from engine.llm.runner import Runner

F32 = npt.NDArray[np.float32]
SLOW, WRONG = "slow", "wrong"
"""Files in an engine's folder (`localmesh.engines.folder_of`): seconds that each step sleeps; that its numbers are wrong."""
FOLDER = Path("run")
"""That folder, as it is named in Triton's working folder."""


class TroubledRunner(Runner):
    """The real one, in trouble when a file says so."""

    def write(self, rows: Any, tokens: Any, lengths: Any) -> F32:
        """As the real one, late or wrong."""
        return self._troubled(super().write(rows, tokens, lengths))

    def read(self, row: int, tokens: Any, start: int) -> F32:
        """As the real one, late or wrong."""
        return self._troubled(super().read(row, tokens, start))

    @staticmethod
    def _troubled(logits: F32) -> F32:
        with suppress(OSError, ValueError):
            time.sleep(float((FOLDER / SLOW).read_text(encoding="ascii")))
        return np.roll(logits, 1, axis=1) if (FOLDER / WRONG).exists() else logits


def install() -> None:
    """Have the engines that are made from now on in this process go bad."""
    from engine.llm import loop

    loop.Runner = TroubledRunner  # type: ignore[attr-defined]
