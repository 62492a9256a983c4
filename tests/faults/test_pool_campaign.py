"""A small campaign against the pool: an engine dies, one hangs, one goes slow, one answers wrong, under load."""

import sys
from pathlib import Path

import pytest
from drills.faults_pool.campaign import Options, load, run
from drills.faults_pool.plan import Kind
from rich.console import Console

pytestmark = pytest.mark.stack


@pytest.mark.timeout(500)
async def test_each_trouble_once_and_nobody_is_answered_wrong_afterwards(tmp_path: Path) -> None:
    found = await run(Options(seed=1, requests=100, each=1, seconds=300.0), tmp_path, Console(file=sys.stderr))
    assert found.findings == []
    assert (found.wrong_after_isolation, found.lost_before_first_byte, found.unmarked) == (0, 0, 0)
    assert found.requests >= 100 and found.answered
    assert {kind: found.injected(kind) for kind in Kind} == dict.fromkeys(Kind, 1)
    tally, begun = load(tmp_path)
    assert begun == len(Kind) and tally.requests == found.requests, "what was done is not known to whoever goes on"
