"""A small campaign against knowledge: its parts are killed and its indexes deleted while documents come and are asked for."""

import sys
from pathlib import Path

import pytest
from drills.faults_rag.campaign import Options, load, run
from drills.faults_rag.plan import Kind
from encoder import tiny
from rich.console import Console

pytestmark = pytest.mark.stack

KINDS = (Kind.INGEST, Kind.RPC_EMPTIED, Kind.ENCODER, Kind.MILVUS_EMPTIED, Kind.KAFKA)


@pytest.mark.timeout(900)  # bounds a hang; how long it takes is the machine's matter
async def test_nothing_is_lost_leaked_or_stuck_and_indexes_made_anew_rank_equally(tmp_path: Path) -> None:
    encoder = tiny.make(tmp_path / "models")
    options = Options(1, rounds=1, documents=30, seconds=840.0, kinds=KINDS, with_samples=False, poison=6, encoder=encoder)
    found = await run(options, tmp_path, Console(file=sys.stderr))
    assert found.findings == []
    assert (found.lost, found.leaked, found.stuck, found.unequal, found.contradicted, found.unaudited) == (0, 0, 0, 0, 0, 0)
    assert found.documents >= 36 and found.answered and found.kills == dict.fromkeys(KINDS, 1)
    assert {"VISIBLE", "PARTIAL", "WITHDRAWN", "QUARANTINED GRADE_DECLARED"} <= found.ends.keys()
    assert found.held and load(tmp_path).rounds == 1, "what was done is not known to whoever goes on"
