"""Refused calls as records: each one while they are few, counts when they are many, and no word of a stranger's."""

from collections import Counter

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from hypothesis import given
from hypothesis import strategies as st
from meshkit.audit.batch import MAX_RECORD_BYTES
from meshkit.audit.denials import SINGLES_PER_S, Asked, Denials, Refusal, principal_key
from meshkit.audit.records import OPERATOR_TENANT, AuditRecords
from meshkit.clock import FakeClock
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import PRINCIPALS, development
from meshkit.crypto.ring import Ring

from tests.protocol.mutants import assert_fails_without, swapped

KEYS = Ring(development(PRINCIPALS), CommitmentKey)
DENIED = Refusal("POLICY_DENIED", "ChangeListEntry", "client")
ASKED = Asked("fraud-desk", "bank-a", "0198c1d2-7a3b-7c4d-8e5f-60718293a4b5", "anti-fraud", "fraud-prevention", b"\x01" * 32)


class Desk:
    """Denials on a clock in our hands, and what they record."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.put: list[AuditRecord] = []
        self.denials = Denials(AuditRecords("gateway", "development", self.clock), self.put.append, KEYS, self.clock)

    def later(self, seconds: float) -> None:
        """Time passes, and what runs beside the service looks."""
        self.clock.advance(seconds)
        self.denials.tick()

    def told(self) -> Counter[tuple[str, str, str]]:
        """Every refusal that a record tells of."""
        counts: Counter[tuple[str, str, str]] = Counter()
        for record in self.put:
            for refused in record.denial.refused:
                counts[refused.reason, refused.method, refused.workload] += refused.count
        return counts


def test_a_single_refusal_is_told_whole() -> None:
    desk = Desk()
    desk.denials.verified(DENIED, ASKED)
    (record,) = desk.put
    assert (record.tenant, record.principal_key) == ("bank-a", principal_key(KEYS.primary, "bank-a", "fraud-desk"))
    assert (record.request_id, record.scenario, record.purpose) == (ASKED.request_id, "anti-fraud", "fraud-prevention")
    assert record.policy_hash == b"\x01" * 32 and record.commitment_key_id == "dev-1"
    (refused,) = record.denial.refused
    assert (refused.reason, refused.method, refused.workload, refused.count) == ("POLICY_DENIED", "ChangeListEntry", "client", 1)


async def test_above_ten_a_second_one_record_has_the_count() -> None:
    def check() -> None:
        desk = Desk()
        for _ in range(7):
            desk.denials.verified(DENIED, ASKED)
        desk.clock.advance(0.5)
        for method in ["ChangeListEntry"] * 13 + ["BacktestRules"] * 30:
            desk.denials.verified(Refusal("POLICY_DENIED", method, "client"), ASKED)
        assert len(desk.put) == SINGLES_PER_S
        desk.later(0.6)
        *singles, counted = desk.put
        assert len(singles) == SINGLES_PER_S
        assert {(each.method, each.count) for each in counted.denial.refused} == {("ChangeListEntry", 10), ("BacktestRules", 30)}
        assert counted.principal_key == singles[0].principal_key and counted.request_id == ""
        assert counted.decided_time.ToMilliseconds() == singles[0].decided_time.ToMilliseconds() + 500
        desk.later(5)
        assert len(desk.put) == SINGLES_PER_S + 1, "nothing is told twice"

    await assert_fails_without("denials", check, swapped(Denials, "_close", lambda self, window: None))


def test_the_next_second_begins_anew_also_when_nobody_looked() -> None:
    desk = Desk()
    for _ in range(15):
        desk.denials.verified(DENIED, ASKED)
    desk.clock.advance(1.0)
    desk.denials.verified(DENIED, ASKED)
    assert [sum(each.count for each in record.denial.refused) for record in desk.put] == [1] * 10 + [5, 1]


def test_one_principal_does_not_use_up_another_s_records() -> None:
    desk = Desk()
    others = [Asked("fraud-desk", "bank-b"), Asked("张三", "bank-a"), Asked("fraud-desk:bank-a", "")]
    for _ in range(100):
        desk.denials.verified(DENIED, ASKED)
    for other in others:
        desk.denials.verified(DENIED, other)
    assert len({record.principal_key for record in desk.put}) == 4
    assert [record.tenant for record in desk.put[10:]] == ["bank-b", "bank-a", OPERATOR_TENANT]


def test_of_strangers_one_record_a_minute() -> None:
    desk = Desk()
    for second in range(59):
        desk.denials.unverified(Refusal("TOKEN_MISSING", "ScoreTransaction", "client"))
        desk.denials.unverified(Refusal("PEER_NOT_ALLOWED", "GetDecision", "stranger"))
        desk.later(1.0 if second < 58 else 0.5)
    assert desk.put == []
    desk.later(1.5)
    (record,) = desk.put
    assert desk.told() == {("TOKEN_MISSING", "ScoreTransaction", "client"): 59, ("PEER_NOT_ALLOWED", "GetDecision", "stranger"): 59}
    assert (record.tenant, record.principal_key, record.request_id, record.trace_id) == (OPERATOR_TENANT, b"", "", b"")
    assert record.decided_time.seconds - record.event_time.seconds == 58
    desk.later(600)
    assert len(desk.put) == 1, "a minute without refusals has no record"


async def test_what_is_counted_at_the_end_is_told() -> None:
    desk = Desk()
    desk.denials.unverified(Refusal("TOKEN_MISSING"))
    for _ in range(12):
        desk.denials.verified(DENIED, ASKED)
    await desk.denials.aclose()
    await desk.denials.aclose()
    assert desk.told() == {("TOKEN_MISSING", "", ""): 1, ("POLICY_DENIED", "ChangeListEntry", "client"): 12}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.floats(0, 2)), max_size=200))
def test_every_refusal_is_told_once(calls: list[tuple[int, int, float]]) -> None:
    desk, wanted = Desk(), Counter[tuple[str, str, str]]()
    for who, what, pause_s in calls:
        refusal = Refusal(f"REASON_{what}", "M", f"w{who}")
        wanted[refusal.reason, "M", f"w{who}"] += 1
        if who:
            desk.denials.verified(refusal, Asked(f"p{who}", "bank-a"))
        else:
            desk.denials.unverified(refusal)
        desk.later(pause_s)
    desk.later(61)
    assert desk.told() == wanted


def test_ten_thousand_principals_in_a_second_are_bounded_and_counted() -> None:
    desk = Desk()
    for number in range(10_050):
        desk.denials.verified(DENIED, Asked(f"p{number}", "bank-a"))
    assert len(desk.put) == 10_000
    desk.later(61)
    assert sum(desk.told().values()) == 10_050


def test_a_record_holds_whatever_came() -> None:
    desk = Desk()
    for number in range(5_000):
        desk.denials.unverified(Refusal("PEER_NOT_ALLOWED", "M" * 90 + f"{number:05}", "w" * 100))
    desk.later(61)
    (record,) = desk.put
    assert sum(each.count for each in record.denial.refused) == 5_000
    assert len(record.SerializeToString()) < MAX_RECORD_BYTES


@pytest.mark.parametrize("text", ["张三 6222021234567890128", "a b", "a\nb", "13800138000@example.com", "x" * 101])
def test_nothing_but_plain_words_is_written(text: str) -> None:
    desk = Desk()
    desk.denials.verified(Refusal(text, text, text), Asked(text, "bank-a", text, text, text))
    desk.denials.unverified(Refusal(text, text, text))
    desk.later(61)
    for record in desk.put:
        (refused,) = record.denial.refused
        assert (refused.reason, refused.method, refused.workload) == ("DENIED", "", "")
        assert text.encode() not in record.SerializeToString()
