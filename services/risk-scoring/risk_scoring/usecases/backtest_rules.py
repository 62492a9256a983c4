"""RPC BacktestRules: what a rule set would have decided, beside the one in force, over recorded decisions.

One test at a time, in slices, numpy in a thread: synchronous decisions share the process. Memory is bounded by ``max_decisions``. The time
to read is bounded too, so that a long history gives an incomplete answer, declared as such, rather than none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial

from meshkit.clock import Clock
from meshkit.errors import FieldViolation, InvalidArgument, Overloaded
from meshkit.threads import Look, on_thread

from risk_scoring.domain.backtest import Comparison, compare
from risk_scoring.domain.history import KnownFraud, PastDecision, RuleBacktest, Slice
from risk_scoring.domain.probe import load_for_service
from risk_scoring.domain.rules import RuleSet, RulesFailed
from risk_scoring.domain.snapshot import Snapshot
from risk_scoring.ports import DecisionHistory

INVALID_RULE_TEST = "INVALID_RULE_TEST"
MAX_DECISIONS = 200_000
MAX_BYTES = 256 * 1024
_ROWS = 250  # decided together: a few milliseconds at most on the event loop
_SHARE_TO_READ = 0.5  # of the caller's time, for decisions; labels and rules take the rest


class BacktestRules:
    """``horizon_s``: how much older than its decision a transaction can be, and so a label that came before the decision."""

    def __init__(self, history: DecisionHistory, snapshot: Callable[[], Snapshot], clock: Clock, horizon_s: int) -> None:
        self._history = history
        self._snapshot = snapshot
        self._clock = clock
        self._horizon_s = horizon_s
        self._running = asyncio.Lock()

    async def __call__(self, tenant: str, document: bytes, since_s: float, max_decisions: int, remaining_s: float) -> RuleBacktest:
        """Test the rule set of a JDM document on a tenant's decisions since then, at most ``max_decisions`` (0: as many as may be).

        Raises InvalidArgument (INVALID_RULE_SET, INVALID_RULE_TEST), Overloaded (RULE_TEST_RUNNING), Unavailable (RULES_FAILED).
        """
        until_s = self._clock.monotonic_s() + remaining_s * _SHARE_TO_READ
        _check(document, since_s, max_decisions, self._clock.now_s())
        if self._running.locked():
            raise Overloaded("another test of rules runs", reason="RULE_TEST_RUNNING", retry_after_s=5.0)
        async with self._running:
            snapshot = self._snapshot()
            candidate = await on_thread(partial(load_for_service, document))
            past = await self._past(_Past(tenant, since_s, snapshot), max_decisions or MAX_DECISIONS, until_s)
            frauds = await self._frauds(past)
            whole = await on_thread(partial(_compared, snapshot.rules, candidate, Slice.of((), snapshot.rates, ""), frauds))
            for each in past.slices:
                whole += await on_thread(partial(_compared, snapshot.rules, candidate, each, frauds))
        decisions = len(past.seen) - past.left_out
        return RuleBacktest(
            comparison=whole,
            currency=snapshot.rates.reference,
            decisions=decisions,
            left_out=past.left_out,
            first_s=past.first_s,
            last_s=past.last_s,
            complete=past.complete,
        )

    async def _past(self, past: _Past, max_decisions: int, until_s: float) -> _Past:
        """Read an equal share from every partition: accounts are spread over them by hash."""
        partitions = await self._history.partitions()
        for number, partition in enumerate(partitions):
            past.room = -(-(max_decisions - len(past.seen)) // (len(partitions) - number))
            async with aclosing(self._history.decisions(partition, past.since_s)) as batches:
                async for batch in batches:
                    if not past.take(batch) or self._clock.monotonic_s() > until_s:
                        past.complete = False
                        break
            past.keep()
        return past

    async def _frauds(self, past: _Past) -> frozenset[bytes]:
        """Return which of the decisions are known to be fraud by now."""
        known = KnownFraud(past.seen, self._clock.now_s())
        for partition in await self._history.partitions():
            async with aclosing(self._history.labels(partition, past.since_s - self._horizon_s)) as batches:
                async for labels in batches:
                    for label in labels:
                        known.add(label)
        return known.decisions()


class _Past:
    """A tenant's decisions, as far as there is room; the first record of an id is the decision."""

    def __init__(self, tenant: str, since_s: float, snapshot: Snapshot) -> None:
        self.since_s = since_s
        self.slices: list[Slice] = []
        self.seen: set[bytes] = set()
        self.left_out = 0
        self.first_s = self.last_s = 0.0
        self.complete = True
        self.room = 0
        self._tenant = tenant
        self._snapshot = snapshot
        self._held: list[PastDecision] = []

    def take(self, batch: Sequence[PastDecision]) -> bool:
        """Take what is new and ours; False when there was no room for something."""
        for each in batch:
            if each.tenant != self._tenant or each.decided_time_s < self.since_s or each.decision_id in self.seen:
                continue
            if self.room == 0:
                return False
            self.room -= 1
            self.seen.add(each.decision_id)
            if each.comparable:
                self._held.append(each)
            else:
                self.left_out += 1
        if len(self._held) >= _ROWS:
            self.keep()
        return True

    def keep(self) -> None:
        """Turn what was taken into columns: a fraction of the memory."""
        if self._held:
            times = [each.decided_time_s for each in self._held]
            self.first_s = min(times) if not self.slices else min(self.first_s, *times)
            self.last_s = max(self.last_s, *times)
            self.slices.append(Slice.of(self._held, self._snapshot.rates, self._snapshot.rules.version))
            self._held = []


def _compared(present: RuleSet, candidate: RuleSet, past: Slice, frauds: frozenset[bytes], look: Look) -> Comparison:
    look()  # it may have waited for a thread
    try:
        return compare(present, candidate, past.labelled(frauds))
    except Exception as error:
        raise RulesFailed("the rules failed on recorded decisions") from error


def _check(document: bytes, since_s: float, max_decisions: int, now_s: float) -> None:
    wrong = []
    if not 0 < len(document) <= MAX_BYTES:
        wrong.append(FieldViolation("rule_set", f"needs 1 to {MAX_BYTES} bytes"))
    if not 0 < since_s <= now_s:
        wrong.append(FieldViolation("since", "is required and lies in the past"))
    if not 0 <= max_decisions <= MAX_DECISIONS:
        wrong.append(FieldViolation("max_decisions", f"is at most {MAX_DECISIONS}"))
    if wrong:
        raise InvalidArgument("the test of rules cannot run", reason=INVALID_RULE_TEST, violations=tuple(wrong))
