"""BacktestRules: what is read, what is left out, where it stops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import Mock

import pytest
from meshkit.clock import FakeClock
from meshkit.errors import InvalidArgument, Overloaded, Unavailable
from risk_scoring.domain.channel_policy import ChannelPolicies
from risk_scoring.domain.history import PastDecision, PastLabel, RuleBacktest
from risk_scoring.domain.lists import ListSnapshot
from risk_scoring.domain.outcome import Outcome
from risk_scoring.domain.request_columns import KNOWN_COLUMNS
from risk_scoring.domain.rules import RuleSet
from risk_scoring.domain.snapshot import Snapshot
from risk_scoring.usecases import backtest_rules

from tests.unit.risk_scoring.domain.test_history import RATES
from tests.unit.risk_scoring.rule_sets import RULES, changed, past

NOW, HORIZON_S = 100_000.0, 3_600
PRESENT = RuleSet.load((RULES / "anti-fraud.json").read_bytes(), KNOWN_COLUMNS)
TRIAL = changed("trial", amount="> 100")
LARGE = {"reference_amount_minor": 20_000}


@dataclass
class Past:
    """DecisionHistory in memory, in batches of three."""

    held: list[list[PastDecision]]
    known: list[PastLabel] = field(default_factory=list)
    asked: list[tuple[str, int, float]] = field(default_factory=list)
    read: int = 0
    closed: int = 0
    gate: asyncio.Event | None = None
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    batch_s: float = 0.0

    async def partitions(self) -> Sequence[int]:
        """One for each list."""
        return range(len(self.held))

    async def decisions(self, partition: int, since_s: float) -> AsyncGenerator[Sequence[PastDecision], None]:
        """Everything: the use case drops what is older."""
        self.asked.append(("decisions", partition, since_s))
        try:
            for start in range(0, len(self.held[partition]), 3):
                if self.gate is not None:
                    await self.gate.wait()
                self.clock.advance(self.batch_s)
                self.read += 1
                yield self.held[partition][start : start + 3]
        finally:
            self.closed += 1

    async def labels(self, partition: int, since_s: float) -> AsyncGenerator[Sequence[PastLabel], None]:
        """All in the first partition."""
        self.asked.append(("labels", partition, since_s))
        yield self.known if partition == 0 else []

    async def test(
        self, document: bytes = TRIAL, since_s: float = 1_000.0, max_decisions: int = 0, remaining_s: float = 60.0
    ) -> RuleBacktest:
        """Call the use case for bank-a."""
        return await self.usecase()("bank-a", document, since_s, max_decisions, remaining_s)

    def usecase(self) -> Any:
        """The use case under the shipped rules."""
        snapshot = Snapshot(PRESENT, ChannelPolicies, ListSnapshot(), RATES)  # type: ignore[arg-type]
        return backtest_rules.BacktestRules(self, lambda: snapshot, self.clock, HORIZON_S)


@pytest.mark.parametrize("how", ["cancelled", "past its deadline"])
@pytest.mark.parametrize("part", ["loading", "comparing"])
async def test_a_test_that_nobody_waits_for_leaves_no_busy_thread(monkeypatch: pytest.MonkeyPatch, how: str, part: str) -> None:
    began, ended = threading.Event(), threading.Event()
    load, compare = backtest_rules.load_for_service, backtest_rules._compared

    def busy(*given: Any) -> Any:
        began.set()
        try:
            while True:
                (load if part == "loading" else compare)(*given)
                given[-1]()
        finally:
            ended.set()

    monkeypatch.setattr(backtest_rules, "load_for_service" if part == "loading" else "_compared", busy)
    tested = Past([[past(n) for n in range(4)]])
    usecase = tested.usecase()
    running = asyncio.create_task(usecase("bank-a", TRIAL, 1_000.0, 0, 60.0))
    assert await asyncio.to_thread(began.wait, 10)
    if how == "cancelled":
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    else:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(running, 0.01)
    assert await asyncio.to_thread(ended.wait, 10)
    monkeypatch.undo()
    assert (await usecase("bank-a", TRIAL, 1_000.0, 0, 60.0)).decisions == 4  # and the next test may run


async def test_rules_that_fail_on_history_are_a_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RuleSet, "evaluate", Mock(side_effect=OverflowError("int8")))
    monkeypatch.setattr(backtest_rules, "load_for_service", lambda document, look: PRESENT)
    with pytest.raises(Unavailable) as caught:
        await Past([[past(1)]]).test()
    assert caught.value.reason == "RULES_FAILED"


@pytest.mark.parametrize("odd", [{"channel": 9}, {"channel": -1}, {"hour": 300}, {"hour": -1}, {"recommended": 1_000}])
async def test_a_record_with_numbers_that_nobody_knows_is_left_out(odd: dict[str, int]) -> None:
    test = await Past([[past(1), past(2, **odd)]]).test()
    assert (test.decisions, test.left_out) == (1, 1)


async def test_what_would_change() -> None:
    decisions = [past(1), past(2, **LARGE), past(3, **LARGE, rule_set=PRESENT.version), past(4, rule_set=PRESENT.version, recommended=3)]
    fraud = [PastLabel("a", decisions[1].decision_id, 1, 2_000.0), PastLabel("b", decisions[0].decision_id, 1, NOW + 1)]
    test = await Past([decisions[:2], decisions[2:]], fraud).test()
    compared = test.comparison
    assert (test.decisions, test.left_out, test.complete, test.currency) == (4, 0, True, RATES.reference)
    assert (test.first_s, test.last_s) == (1_001.0, 1_004.0)
    assert compared.moved == {(Outcome.APPROVE, Outcome.REVIEW): 2}
    assert (compared.fraud_gained, compared.fraud_lost, compared.present.fraud_missed) == (1, 0, 1)
    assert (compared.candidate.fraud_caught_minor, compared.candidate.genuine_with_friction) == (20_000, 1)
    assert (compared.made_by_present, compared.reproduced) == (2, 1)
    assert compared.candidate.hits_by_rule["request.on_trial"] == 2
    assert compared.candidate.version.startswith("trial+") and compared.present.version == PRESENT.version


async def test_labels_are_read_from_before_the_first_decision_could_be() -> None:
    history = Past([[past(1)]])
    await history.test(since_s=50_000.0)
    assert history.asked == [("decisions", 0, 50_000.0), ("labels", 0, 50_000.0 - HORIZON_S)]


async def test_only_the_tenant_s_first_records_from_then_on_that_hold_all() -> None:
    twin = past(5, **LARGE)
    decisions = [
        past(1, tenant="bank-b", **LARGE), past(2, decided_time_s=999.0, **LARGE), past(3, has_rule_inputs=False), past(4), twin,
        twin._replace(reference_amount_minor=1),
    ]  # fmt: skip
    test = await Past([decisions]).test()
    assert (test.decisions, test.left_out, test.complete) == (2, 1, True)
    assert sum(test.comparison.present.amount_minor.values()) == 30_000


async def test_nothing_recorded() -> None:
    test = await Past([[], []]).test()
    assert (test.decisions, test.first_s, test.last_s, test.complete) == (0, 0.0, 0.0, True)
    assert set(test.comparison.present.count.values()) == {0}
    assert test.comparison.candidate.hits_by_rule["request.on_trial"] == 0


async def test_the_limit_of_decisions_is_shared_by_partitions() -> None:
    history = Past([[past(n) for n in range(1, 11)], [past(n) for n in range(11, 13)], [past(n) for n in range(21, 31)]])
    test = await history.test(max_decisions=9)
    assert (test.decisions, test.complete) == (9, False)
    assert history.read == 2 + 1 + 2, "no more is read than there is room for"
    assert history.closed == 3
    exactly = await Past([[past(n) for n in range(1, 10)]]).test(max_decisions=9)
    assert (exactly.decisions, exactly.complete) == (9, True)


async def test_slices_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    decisions = [past(n, **(LARGE if n % 2 else {})) for n in range(1, 12)]
    whole = await Past([decisions]).test()
    monkeypatch.setattr(backtest_rules, "_ROWS", 3)
    assert await Past([decisions]).test() == whole
    assert whole.comparison.moved == {(Outcome.APPROVE, Outcome.REVIEW): 6}


async def test_reading_ends_in_time_and_says_so() -> None:
    history = Past([[past(n) for n in range(1, 100)]], batch_s=1.0)
    test = await history.test(remaining_s=10.0)
    assert (test.decisions, test.complete) == (18, False)


async def test_one_test_at_a_time() -> None:
    history = Past([[past(1)]], gate=asyncio.Event())
    usecase = history.usecase()
    first = asyncio.create_task(usecase("bank-a", TRIAL, 1_000.0, 0, 60.0))
    while not history.asked:
        await asyncio.sleep(0)
    with pytest.raises(Overloaded) as refused:
        await usecase("bank-a", TRIAL, 1_000.0, 0, 60.0)
    assert refused.value.reason == "RULE_TEST_RUNNING"
    assert history.gate is not None
    history.gate.set()
    assert (await first).decisions == 1
    assert (await usecase("bank-a", TRIAL, 1_000.0, 0, 60.0)).decisions == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"since_s": 0.0}, "since"),
        ({"since_s": NOW + 1}, "since"),
        ({"max_decisions": 200_001}, "max_decisions"),
        ({"document": b""}, "rule_set"),
        ({"document": b" " * (256 * 1024 + 1)}, "rule_set"),
    ],
)
async def test_what_is_refused(changes: dict[str, Any], field: str) -> None:
    history = Past([[past(1)]])
    with pytest.raises(InvalidArgument) as refused:
        await history.test(**changes)
    assert refused.value.reason == "INVALID_RULE_TEST"
    assert [violation.field for violation in refused.value.violations] == [field]
    assert not history.asked


@pytest.mark.parametrize(("document", "place"), [(b"{", ""), (changed("x", amount="> amunt"), "Request 请求.row 8.amount")])
async def test_a_table_that_cannot_be_compiled_is_named(document: bytes, place: str) -> None:
    history = Past([[past(1)]])
    with pytest.raises(InvalidArgument) as refused:
        await history.test(document=document)
    assert refused.value.reason == "INVALID_RULE_SET"
    assert place in str(refused.value.violations) + str(refused.value)
    assert not history.asked
