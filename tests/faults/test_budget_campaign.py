"""A small campaign against token budgets: each gateway, each router and Redis die once while tokens are counted."""

import sys
from pathlib import Path

import pytest
from drills.faults_budget.campaign import ROLES, Options, run
from rich.console import Console

pytestmark = pytest.mark.stack


@pytest.mark.timeout(300)
async def test_everything_dies_once_and_what_is_booked_is_the_sum_of_the_audit_records(tmp_path: Path) -> None:
    found = await run(Options(seed=1, requests=240, kills=1, seconds=180.0), tmp_path, Console(file=sys.stderr))
    facts = found.as_json()
    assert (found.drift, found.books.held, found.unended, found.records.other_ends) == (0, 0, 0, 0), facts
    assert facts["spent"] == facts["audited"] > 0
    assert found.books.is_whole
    assert set(found.kills) == set(ROLES)
    assert found.requests == 240 and found.held_it, facts  # how many are answered while things are down is the machine's matter
