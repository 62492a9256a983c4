"""Port Tunings, on SQLite and on PostgreSQL."""

from rag.adapters.ledger.open import Ledger
from rag.domain.tuning import DEFAULT_WEIGHT, Language, Tuning


async def test_the_newest_version_of_a_tenant_holds(ledger: Ledger) -> None:
    """Versions count from 1, each tenant has its own, and before the first the default holds."""
    assert await ledger.tunings.current("harbour") == Tuning(0, DEFAULT_WEIGHT, "")
    first = await ledger.tunings.record("harbour", Tuning(0, {Language.HAN: 0.35, Language.OTHER: 0.4}, "e5"), "{}", "operator", 1)
    second = await ledger.tunings.record("harbour", Tuning(0, {Language.HAN: 0.1}, "e5"), "{}", "operator", 2)
    assert (first.version, second.version) == (1, 2)
    assert await ledger.tunings.current("harbour") == second == Tuning(2, {Language.HAN: 0.1}, "e5")
    assert (await ledger.tunings.current("另一家")).version == 0
