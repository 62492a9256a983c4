"""RPC ScorePacs008: decide every credit transfer of one document, together. A transfer that can't be decided fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from meshkit.errors import MeshError

from risk_scoring.domain.decision import Request, Verdict
from risk_scoring.domain.pacs008 import CreditTransfer
from risk_scoring.usecases.score_transaction import ScoreTransaction


class ScorePacs008:
    """``request`` turns one transfer into a request for a decision; raises InvalidArgument."""

    def __init__(self, score: ScoreTransaction) -> None:
        self._score = score

    async def __call__(
        self, transfers: Sequence[CreditTransfer], request: Callable[[CreditTransfer], Request], remaining_s: float
    ) -> list[Verdict | MeshError]:
        """Return a verdict or an error for each transfer, in order."""

        async def one(transfer: CreditTransfer) -> Verdict | MeshError:
            try:
                return await self._score(request(transfer), remaining_s)
            except MeshError as error:
                return error

        return list(await asyncio.gather(*map(one, transfers)))
