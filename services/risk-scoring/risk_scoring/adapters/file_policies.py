"""Rules, channel policies and rates from files, reloaded without a restart.

A file that can't be read or does not hold what it should keeps the last good one in force and is reported; a batch sees one snapshot.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import yaml
from meshkit.errors import FailedPrecondition, MeshError
from meshkit.service import Service

from risk_scoring.domain.channel_policy import ChannelPolicies
from risk_scoring.domain.features import NAMES
from risk_scoring.domain.lists import ListSnapshot
from risk_scoring.domain.outcome import Thresholds
from risk_scoring.domain.rates import RateTable
from risk_scoring.domain.request_columns import REQUEST_COLUMNS
from risk_scoring.domain.rules import RuleSet
from risk_scoring.domain.snapshot import Snapshot

log = logging.getLogger(__name__)
_POLL_S = 1.0
_COLUMNS = frozenset(NAMES) | frozenset(REQUEST_COLUMNS)


def load_rules(path: Path) -> RuleSet:
    """Return the compiled rule set of a file. Raises InvalidArgument, OSError."""
    return RuleSet.load(path.read_bytes(), _COLUMNS)


def load_rates(path: Path) -> RateTable:
    """Return the rate table of a file. Raises FailedPrecondition."""
    try:
        return RateTable.from_document(yaml.safe_load(path.read_text()))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise FailedPrecondition(f"rate table {path.name}: {error}", reason="RATES_INVALID") from error


class FilePolicies:
    """Keeps the snapshot in force. Rates are fixed for the life of a process: amounts of one transaction must not change between paths."""

    def __init__(self, rules: Path, channels: Path, rates: Path, model: Thresholds, health: Service) -> None:
        self._rules_path = rules
        self._channels_path = channels
        self._model = model
        self._health = health
        self.rates = load_rates(rates)
        self._seen = self._stamps()
        self._snapshot = Snapshot(load_rules(rules), self._channels(), ListSnapshot(), self.rates)

    def current(self) -> Snapshot:
        """Return what is in force now."""
        return self._snapshot

    def lists_changed(self, lists: ListSnapshot) -> None:
        """Put a new list snapshot in force."""
        old = self._snapshot
        self._snapshot = Snapshot(old.rules, old.channels, lists, old.rates)

    async def watch(self) -> None:
        """Look for changed files for ever."""
        while True:
            await asyncio.sleep(_POLL_S)
            self.reload_if_changed()

    def reload_if_changed(self) -> bool:
        """Reload when a file changed; returns whether a new snapshot is in force."""
        stamps = self._stamps()
        if stamps == self._seen:
            return False
        self._seen = stamps
        old = self._snapshot
        try:
            self._snapshot = Snapshot(load_rules(self._rules_path), self._channels(), old.lists, old.rates)
        except (MeshError, OSError) as error:
            log.error("policies keep their last good version: %s", error)
            self._health.degraded("policies", "POLICY_FILE_INVALID")
            return False
        self._health.recovered("policies")
        log.info("policies in force: rules %s, channels %s", self._snapshot.rules.version, self._snapshot.channels.version)
        return True

    def _channels(self) -> ChannelPolicies:
        try:
            return ChannelPolicies.from_document(yaml.safe_load(self._channels_path.read_text()), self._model)
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise FailedPrecondition(f"channel table {self._channels_path.name}: {error}", reason="CHANNELS_INVALID") from error

    def _stamps(self) -> tuple[object, ...]:
        stamps: list[object] = []
        for path in (self._rules_path, self._channels_path):
            try:
                stat = path.stat()
                stamps.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
            except OSError:
                stamps.append(None)
        return tuple(stamps)
