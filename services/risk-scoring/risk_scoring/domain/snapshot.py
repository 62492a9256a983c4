"""Everything that decides a batch, frozen together (rule D5): a batch never sees half of a reload."""

from __future__ import annotations

from dataclasses import dataclass

from risk_scoring.domain.channel_policy import ChannelPolicies
from risk_scoring.domain.lists import ListSnapshot
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
