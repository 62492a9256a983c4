"""The ledger, opened: one store, and each port that it serves."""

from __future__ import annotations

from dataclasses import dataclass

from meshkit.crypto.seal import Sealer

from rag.adapters.ledger.conversations import LedgerConversations
from rag.adapters.ledger.custody import LedgerCustody
from rag.adapters.ledger.intake import LedgerIntake
from rag.adapters.ledger.library import LedgerLibrary
from rag.adapters.ledger.positions import LedgerPositions
from rag.adapters.ledger.references import LedgerReferences
from rag.adapters.ledger.reports import LedgerReports
from rag.adapters.ledger.sealing import Keys
from rag.adapters.ledger.store import Store, opener_of
from rag.adapters.ledger.tunings import LedgerTunings
from rag.adapters.ledger.workbench import LedgerWorkbench


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ports of one ledger. ``store`` is to be entered as an async context manager."""

    store: Store
    intake: LedgerIntake
    workbench: LedgerWorkbench
    library: LedgerLibrary
    positions: LedgerPositions
    tunings: LedgerTunings
    references: LedgerReferences
    conversations: LedgerConversations
    reports: LedgerReports
    custody: LedgerCustody


def ledger_at(url: str, sealer: Sealer) -> Ledger:
    """Return the ledger of a URL; nothing is opened yet. Raises FailedPrecondition (LEDGER_URL_INVALID)."""
    store, keys = Store(opener_of(url)), Keys(sealer)
    return Ledger(
        store=store,
        intake=LedgerIntake(store, keys),
        workbench=LedgerWorkbench(store, keys),
        library=LedgerLibrary(store, keys),
        positions=LedgerPositions(store),
        tunings=LedgerTunings(store),
        references=LedgerReferences(store, keys),
        conversations=LedgerConversations(store, keys),
        reports=LedgerReports(store, keys),
        custody=LedgerCustody(store, keys),
    )
