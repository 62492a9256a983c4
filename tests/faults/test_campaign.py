"""A small campaign: Redis and the stream are killed under load, with transactions that come both ways at once. Nothing may be lost.

Not all of the mesh may have come up before the first call comes: any order of start works. `make faults` runs the long campaigns.
"""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from drills.faults.campaign import Options, run
from drills.faults.plan import Fault, Kind
from localmesh.places import Places
from rich.console import Console

pytestmark = pytest.mark.stack


@pytest.mark.timeout(300)
async def test_redis_and_the_stream_die_under_load_and_every_byte_agrees(tmp_path: Path) -> None:
    faults = [Fault(Kind.KILL, "redis", after_s=1.0), Fault(Kind.KILL, "risk-stream", after_s=1.0)]
    options = Options(faults, seed=1, rate_per_s=100.0, seconds=180.0)
    found = await run(options, replace(Places.default(), var=tmp_path), Console(file=sys.stderr))
    judged = [finding for finding in found.findings if "were degraded" not in finding]  # how many depends on the machine's speed
    assert judged == []
    assert found.injected == 2
    assert found.lost == found.contradictory == found.audit_gaps == 0
    assert found.distinct == found.decided == found.audited > 0
    assert found.duplicates > 0
    assert found.dead_lettered > 0
