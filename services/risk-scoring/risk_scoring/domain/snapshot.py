"""Everything that decides a batch, frozen together (rule D5): a batch never sees half of a reload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from risk_scoring.domain.channel_policy import ChannelPolicies
from risk_scoring.domain.lists import ListSnapshot, ListsNotRead
from risk_scoring.domain.rates import RateTable
from risk_scoring.domain.rules import RuleSet


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rules, channels and lists of one moment; ``shadow``: rules on trial, which decide nothing."""

    rules: RuleSet
    channels: ChannelPolicies
    lists: ListSnapshot
    rates: RateTable
    shadow: RuleSet | None = None

    def complete(self) -> Self:
        """Return itself. Raises ListsNotRead: whatever decides asks here."""
        if not self.lists.read:
            raise ListsNotRead("block lists and trusted payees are being read", retry_after_s=0.5)
        return self
