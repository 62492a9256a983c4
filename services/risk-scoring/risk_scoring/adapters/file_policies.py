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

from meshkit.audit.records import thresholds_sha256
from meshkit.events.health import Health
from meshkit.reload import Reloaded, read_file
from meshkit.strict_yaml import parse_yaml
from meshkit.threads import Look, on_thread

from risk_scoring.domain.channel_policy import CHANNELS_INVALID, ChannelPolicies
from risk_scoring.domain.decision_table import INVALID_RULE_SET
from risk_scoring.domain.lists import NOT_READ, ListSnapshot
from risk_scoring.domain.outcome import Thresholds
from risk_scoring.domain.probe import load_for_service
from risk_scoring.domain.rates import RATES_INVALID, RateTable
from risk_scoring.domain.rules import RULES_FAILED, RuleSet
from risk_scoring.domain.snapshot import Snapshot

log = logging.getLogger(__name__)
_POLL_S = 1.0


def load_rates(path: Path) -> RateTable:
    """Return the rate table of a file. Raises FailedPrecondition that names the file."""
    return Reloaded(
        f"rate table {path}", lambda: read_file(path), lambda content: RateTable.from_document(parse_yaml(content)), reason=RATES_INVALID
    ).value


class FilePolicies:
    """Keeps the snapshot in force. Rates are fixed for the life of a process: amounts of one transaction must not change between paths.

    Raises FailedPrecondition when a file is broken at start.
    """

    def __init__(
        self,
        rules: Path,
        channels: Path,
        rates: Path,
        model: Thresholds,
        health: Health,
        shadow_rules: Path | None = None,
        card_sha256: bytes = b"",
    ) -> None:
        def table(content: bytes) -> ChannelPolicies:
            return ChannelPolicies.from_document(parse_yaml(content), model, thresholds_sha256(sha256(content).digest(), card_sha256))

        self._look: Look = lambda: None
        self._failed: RuleSet | None = None
        self._before: RuleSet | None = None
        self._rules_path = rules
        self._shadow_path = shadow_rules
        self._health = health
        self.rates = load_rates(rates)
        self._rules = Reloaded(f"rules {rules}", lambda: read_file(self._rules_path), self._rule_set, reason=INVALID_RULE_SET)
        self._channels = Reloaded(f"channel table {channels}", lambda: read_file(channels), table, reason=CHANNELS_INVALID)
        self._shadow = Reloaded[bytes | None, RuleSet | None](
            f"shadow rules {shadow_rules}",
            self._read_shadow,
            lambda content: None if content is None else self._rule_set(content),
            reason=INVALID_RULE_SET,
            otherwise=(None,),
        )
        self._snapshot = Snapshot(self._rules.value, self._channels.value, NOT_READ, self.rates, self._shadow.value)

    def current(self) -> Snapshot:
        """Return what is in force now."""
        return self._snapshot

    def lists_changed(self, lists: ListSnapshot) -> None:
        """Put a new list snapshot in force."""
        self._snapshot = replace(self._snapshot, lists=lists)

    async def watch(self) -> None:
        """Look for changed files for ever; a thread reads and compiles."""
        while True:
            await asyncio.sleep(_POLL_S)
            self._take(await on_thread(self._refreshed))

    def reload_if_changed(self) -> bool:
        """Look once; returns whether a new snapshot is in force."""
        return self._take(self._refreshed(self._look))

    def rules_failed(self, rules: RuleSet, error: Exception) -> RuleSet | None:
        """Take rules out of force that failed on a batch; return those that were in force before, None when there are none.

        Probed before they are loaded, rules can't fail; if they do, the alarm stays until other rules are loaded.
        """
        log.error("rules %s failed on a batch", rules.version, exc_info=error)
        if self._before is None or rules is self._before:
            self._health.not_ready("rules", RULES_FAILED)
            return None
        self._health.degraded("rules", RULES_FAILED)
        if rules is self._snapshot.rules:
            self._failed = rules
            self._snapshot = replace(self._snapshot, rules=self._before)
        return self._before

    def _refreshed(self, look: Look) -> bool:
        self._look = look
        return any([self._rules.refresh(), self._channels.refresh(), self._shadow.refresh()])

    def _rule_set(self, content: bytes) -> RuleSet:
        return load_for_service(content, self._look)

    def _read_shadow(self) -> bytes | None:
        try:
            return read_file(self._shadow_path) if self._shadow_path else None
        except FileNotFoundError:
            return None

    def _take(self, changed: bool) -> bool:
        """Put in force what was loaded, and say whether something newer is broken."""
        if changed:
            rules = self._snapshot.rules
            if self._rules.value not in (rules, self._failed):
                self._before, self._failed, rules = rules, None, self._rules.value
                self._health.recovered("rules")
            self._snapshot = replace(self._snapshot, rules=rules, channels=self._channels.value, shadow=self._shadow.value)
        if self._rules.error or self._channels.error:
            self._health.degraded("policies", "POLICY_FILE_INVALID")
        else:
            self._health.recovered("policies")
        return changed
