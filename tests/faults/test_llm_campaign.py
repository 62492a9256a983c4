"""A small campaign against LLM serving: a stub, a Triton, a service of each kind die while transfers are spoilt and callers go away."""

import sys
from pathlib import Path

import pytest
from drills.faults_llm.campaign import Options, run
from drills.faults_llm.plan import ROLES
from rich.console import Console

pytestmark = pytest.mark.stack


@pytest.mark.timeout(700)
async def test_everything_dies_once_and_every_token_agrees_with_the_oracle(tmp_path: Path) -> None:
    options = Options(seed=1, handoffs=200, kills=1, transfers=2, cancels=5, seconds=500.0)
    found = (await run(options, tmp_path, Console(file=sys.stderr))).tally
    assert found.findings == []
    assert found.leaked_blocks == found.corrupted_tokens == found.duplicated_tokens == found.wrong_answers == found.hung_requests == 0
    assert found.triton_deaths == 0
    assert found.handoffs >= 200
    assert set(found.kills) == set(ROLES)
    assert all(found.transfers[kind] >= 2 for kind in found.transfers)
