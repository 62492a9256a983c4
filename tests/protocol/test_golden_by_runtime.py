"""The ten thousand decisions again, by whatever may score them: not one bit tells which runtime it was, nor how many rows it had at once.

That is what lets a few rows be scored in process and many in Triton (ADR 41).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from meshkit.triton.client import TritonClient
from risk_scoring.adapters.model_files import ModelFiles
from risk_scoring.adapters.onnx_model import OnnxModel
from risk_scoring.adapters.triton_model import TritonModel
from risk_scoring.steps.score import SMALL_ROWS

from tests.protocol import test_golden_decisions as golden
from tests.stack import Stack


class InParts(OnnxModel):
    """Scores a batch some rows at a time."""

    rows = 1

    async def score(self, vectors: Any, timeout_s: float) -> Any:
        parts = [await super(InParts, self).score(vectors[n : n + self.rows], timeout_s) for n in range(0, len(vectors), self.rows)]
        return np.concatenate(parts)


@pytest.mark.parametrize("rows", [1, SMALL_ROWS])
async def test_a_few_rows_at_a_time_in_process(private_redis, monkeypatch, rows: int) -> None:
    monkeypatch.setattr(InParts, "rows", rows)
    monkeypatch.setattr(golden, "OnnxModel", InParts)
    await golden.test_the_bytes_of_ten_thousand_decisions(private_redis)


@pytest.mark.stack
async def test_by_triton(private_redis, stack: Stack, monkeypatch) -> None:
    async with TritonClient(stack.triton) as client:

        def served(files: ModelFiles) -> TritonModel:
            return TritonModel(client, files)

        monkeypatch.setattr(golden, "OnnxModel", served)
        await golden.test_the_bytes_of_ten_thousand_decisions(private_redis)
