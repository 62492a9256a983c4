"""Topic iso20022.pacs.008: the credit transfers of one document become transactions, and decide nothing themselves."""

from __future__ import annotations

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.errors import FieldViolation, InvalidArgument

from risk_scoring.domain.horizon import check_not_ahead
from risk_scoring.domain.pacs008 import CreditTransfer
from risk_scoring.domain.transaction import Transaction


class OnIso20022Pacs008:
    """What a document asks to be decided."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, transfers: Sequence[CreditTransfer]) -> tuple[list[Transaction], InvalidArgument | None]:
        """Return the transactions of the good transfers, and one error for all that are wrong: the good ones go on."""
        good: list[Transaction] = []
        wrong: list[tuple[int, InvalidArgument]] = []
        for index, transfer in enumerate(transfers):
            try:
                transaction = transfer.transaction()
                check_not_ahead(transaction.event_time_us, self._clock.now_s())
            except InvalidArgument as error:
                wrong.append((index, error))
            else:
                good.append(transaction)
        return good, _together(wrong) if wrong else None


def _together(wrong: Sequence[tuple[int, InvalidArgument]]) -> InvalidArgument:
    """Return one error for all transfers that are wrong: their dead letters would hold the whole document each."""
    violations = tuple(
        FieldViolation(f"transfer {index} {each.field}", each.description)
        for index, error in wrong
        for each in error.violations or (FieldViolation("", error.message),)
    )
    return InvalidArgument("transfers are invalid", reason=wrong[0][1].reason, violations=violations)
