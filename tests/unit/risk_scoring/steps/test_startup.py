"""Not ready until the store is restored; a store that forgets by its settings needs a person."""

import asyncio

import pytest
from meshkit.errors import FailedPrecondition, Unavailable
from risk_scoring.steps.startup import until_restored

from tests.protocol.desks import Health


class Parts:
    """Link and restorer that fail as told."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.ensured = 0

    async def check_durability(self) -> None:
        """First check."""
        if self.failures and (failure := self.failures.pop(0)) is not None:
            raise failure

    async def ensure(self) -> None:
        """Restore."""
        self.ensured += 1


async def test_it_waits_for_the_store() -> None:
    health, parts = Health(), Parts(Unavailable("x", reason="FEATURE_STORE_DOWN"), None)
    task = asyncio.create_task(until_restored(parts, parts, health))
    await asyncio.sleep(0)
    assert "feature-store" in health.missing
    await task
    assert health.missing == {} and parts.ensured == 1


async def test_a_store_without_durability_ends_the_process() -> None:
    parts, health = Parts(FailedPrecondition("x", reason="STORE_NOT_DURABLE")), Health()
    with pytest.raises(FailedPrecondition):
        await until_restored(parts, parts, health)
    assert parts.ensured == 0 and "feature-store" in health.missing
