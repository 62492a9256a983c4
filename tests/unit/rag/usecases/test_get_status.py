"""How far everything is: what the dense index has not reached is counted, and what cannot be asked is said and not guessed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshkit.errors import Unavailable
from meshkit.testing.keys import payload_sealer
from rag.adapters.ledger.open import ledger_at
from rag.domain.document import State
from rag.usecases.get_status import GetStatus, Status

from tests.ports.rag.handing_in import T, shown, submission


@dataclass
class Lexical:
    """As far as it is told."""

    position: int = 7


@dataclass
class Vectors:
    """As far as it is told, or away."""

    reached: int = 0
    away: bool = False

    async def position(self) -> int:
        if self.away:
            raise Unavailable("away", reason="VECTORS_UNAVAILABLE")
        return self.reached


async def test_passages_that_wait_for_their_vectors(tmp_path: Path) -> None:
    ledger = ledger_at(f"sqlite:///{tmp_path / 'ledger.db'}", payload_sealer())

    async def status(vectors: Any) -> Status:
        lexical: Any = Lexical()
        return await GetStatus(ledger.library, ledger.intake, lexical, vectors)(T)

    async with ledger.store:
        first = await shown(ledger, submission(), ["甲", "乙", "丙"])
        second = await shown(ledger, submission("另一份"), ["丁"])
        found = await status(Vectors(first))
        assert (found.sequence, found.searchable, found.vectors, found.without_vector) == (second, 7, first, 1)
        assert found.versions == {State.VISIBLE: 2} and not found.degradations
        assert [(await status(Vectors(seq))).without_vector for seq in (0, second)] == [4, 0]
        away, none = await status(Vectors(away=True)), await status(None)
    assert (away.without_vector, away.degradations) == (0, ("VECTORS_UNAVAILABLE",))
    assert (none.without_vector, none.degradations) == (0, ("NO_DENSE_LEG",))
