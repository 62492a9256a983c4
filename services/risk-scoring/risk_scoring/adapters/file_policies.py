"""Rules, channel policies and rates from files, reloaded without a restart.

A file that can't be read or does not hold what it should keeps the last good one in force and is reported; a batch sees one snapshot.
Shadow rules are an exception: they decide nothing, so a file of theirs that is broken is logged and leaves the service as healthy as
before, and one that is not there means that nothing is on trial.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import yaml
from meshkit.audit.records import thresholds_sha256
from meshkit.errors import FailedPrecondition, MeshError
from meshkit.service import Service

from risk_scoring.domain.channel_policy import ChannelPolicies
from risk_scoring.domain.lists import ListSnapshot
from risk_scoring.domain.outcome import Thresholds
from risk_scoring.domain.rates import RateTable
from risk_scoring.domain.request_columns import KNOWN_COLUMNS
from risk_scoring.domain.rules import RuleSet
from risk_scoring.domain.snapshot import Snapshot

log = logging.getLogger(__name__)
_POLL_S = 1.0


def load_rules(path: Path) -> RuleSet:
    """Return the compiled rule set of a file. Raises InvalidArgument, OSError."""
    return RuleSet.load(path.read_bytes(), KNOWN_COLUMNS)


def load_rates(path: Path) -> RateTable:
    """Return the rate table of a file. Raises FailedPrecondition."""
    try:
        return RateTable.from_document(yaml.safe_load(path.read_text()))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise FailedPrecondition(f"rate table {path.name}: {error}", reason="RATES_INVALID") from error


class FilePolicies:
    """Keeps the snapshot in force. Rates are fixed for the life of a process: amounts of one transaction must not change between paths."""

    def __init__(
        self,
        rules: Path,
        channels: Path,
        rates: Path,
        model: Thresholds,
        health: Service,
        shadow_rules: Path | None = None,
        card_sha256: bytes = b"",
    ) -> None:
        self._rules_path = rules
        self._shadow_path = shadow_rules
        self._channels_path = channels
        self._model = model
        self._card_sha256 = card_sha256
        self._health = health
        self.rates = load_rates(rates)
        self._seen = self._stamps()
        self._snapshot = Snapshot(load_rules(rules), self._channels(), ListSnapshot(), self.rates, self._shadow(None))

    def current(self) -> Snapshot:
        """Return what is in force now."""
        return self._snapshot

    def lists_changed(self, lists: ListSnapshot) -> None:
        """Put a new list snapshot in force."""
        self._snapshot = replace(self._snapshot, lists=lists)

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
        self._seen, changed = stamps, [new != old for new, old in zip(stamps, self._seen, strict=True)]
        old = self._snapshot
        if changed[-1]:
            old = self._snapshot = replace(old, shadow=self._shadow(old.shadow))
        if not any(changed[:-1]):
            return True
        try:
            self._snapshot = replace(old, rules=load_rules(self._rules_path), channels=self._channels())
        except (MeshError, OSError) as error:
            log.error("policies keep their last good version: %s", error)
            self._health.degraded("policies", "POLICY_FILE_INVALID")
            return False
        self._health.recovered("policies")
        log.info("policies in force: rules %s, channels %s", self._snapshot.rules.version, self._snapshot.channels.version)
        return True

    def _channels(self) -> ChannelPolicies:
        try:
            content = self._channels_path.read_bytes()
            digest = thresholds_sha256(sha256(content).digest(), self._card_sha256)
            return ChannelPolicies.from_document(yaml.safe_load(content), self._model, digest)
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise FailedPrecondition(f"channel table {self._channels_path.name}: {error}", reason="CHANNELS_INVALID") from error

    def _shadow(self, last: RuleSet | None) -> RuleSet | None:
        """Return the rules on trial; the last good ones while their file is broken."""
        if self._shadow_path is None:
            return None
        try:
            shadow = load_rules(self._shadow_path)
        except FileNotFoundError:
            return None
        except (MeshError, OSError) as error:
            log.error("shadow rules keep their last good version: %s", error)
            return last
        log.info("rules on trial: %s", shadow.version)
        return shadow

    def _stamps(self) -> tuple[object, ...]:
        stamps: list[object] = []
        for path in (self._rules_path, self._channels_path, self._shadow_path):
            try:
                stat = path.stat() if path else None
            except OSError:
                stat = None
            stamps.append(stat and (stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return tuple(stamps)
