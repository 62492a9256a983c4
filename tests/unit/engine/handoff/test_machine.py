"""The state machine against a plain model: whatever is said in whatever order, it agrees, and nothing goes back."""

from __future__ import annotations

import pytest
from engine.handoff.errors import Refused
from engine.handoff.machine import ENDED, PACKER, Lease, Machine, State
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.unit.engine.handoff.makers import NOW_S, Clock, new_id

ORDER = list(State)


def machine(clock: Clock | None = None, **lease: float) -> Machine:
    return Machine(clock or Clock(), lambda: NOW_S, Lease(**lease))  # type: ignore[arg-type]


def published(here: Machine, handoff_id: str, epoch: int = 1) -> None:
    here.reserve(handoff_id, epoch, 60.0)
    here.start(handoff_id, epoch)
    here.pack(handoff_id, epoch)
    here.publish(handoff_id, epoch)


def refusal(call: object, *arguments: object) -> str:
    with pytest.raises(Refused) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.reason


def test_the_ordinary_way() -> None:
    here, a = machine(), new_id()
    here.reserve(a, 1, 60.0)
    assert here.state(a, 1) is State.RESERVED
    here.start(a, 1)
    here.pack(a, 1)
    here.publish(a, 1)
    assert here.grant(a, 1) == 1
    assert here.state(a, 1) is State.PULLING
    here.commit(a, 1, 1)
    assert here.clearable() == [(a, 1)]
    here.clear(a, 1)
    assert here.state(a, 1) is None
    assert here.late == 0
    here.commit(a, 1, 1)  # again is harmless, also when all is cleared
    assert here.late == 1


def test_steps_out_of_order_are_refused() -> None:
    here, a = machine(), new_id()
    assert refusal(here.start, a, 1) == "UNKNOWN"
    here.reserve(a, 1, 60.0)
    assert refusal(here.publish, a, 1) == "OUT_OF_ORDER"
    assert refusal(here.grant, a, 1) == "NOT_PUBLISHED"
    here.start(a, 1)
    assert refusal(here.start, a, 1) == "OUT_OF_ORDER"
    here.pack(a, 1)
    assert refusal(here.pack, a, 1) == "OUT_OF_ORDER"
    assert refusal(here.commit, a, 1, 1) == "FENCED"
    assert refusal(here.commit, a, 1, 0) == "FENCED"


def test_a_reservation_that_is_never_used_ends() -> None:
    clock = Clock()
    here, a = machine(clock), new_id()
    here.reserve(a, 1, 5.0)
    clock.now_s += 5.0
    here.expire()
    assert here.clearable() == [(a, 1)]
    assert refusal(here.start, a, 1) == "EXPIRED"


def test_a_lease_is_30_s_and_a_heartbeat_extends_it_by_20_up_to_a_bound() -> None:
    clock = Clock()
    here, a = machine(clock, most_s=60.0), new_id()
    published(here, a)
    clock.now_s += 9.0
    here.heartbeat(a, 1, 0)  # who waits with the ticket; 20 s from now is before the 30 s end: nothing is shortened
    clock.now_s += 20.9
    assert here.grant(a, 1) == 1
    here.heartbeat(a, 1, 1)
    clock.now_s += 19.9
    here.heartbeat(a, 1, 1)
    clock.now_s += 10.1  # 59.9 s after publishing
    here.check(a, 1, 1)
    here.heartbeat(a, 1, 1)
    clock.now_s += 0.2
    assert refusal(here.check, a, 1, 1) == "EXPIRED"
    assert refusal(here.heartbeat, a, 1, 1) == "EXPIRED"
    assert refusal(here.commit, a, 1, 1) == "EXPIRED"


def test_expired_bytes_stay_until_the_reader_is_done() -> None:
    clock = Clock()
    here, a = machine(clock), new_id()
    published(here, a)
    here.grant(a, 1)
    clock.now_s += 31.0
    here.expire()
    assert here.state(a, 1) is State.EXPIRED
    assert here.clearable() == []
    here.released(a, 1, 1)
    assert here.clearable() == [(a, 1)]


def test_who_is_fenced_is_told_so_and_not_that_the_lease_ended() -> None:
    clock = Clock()
    here, a = machine(clock), new_id()
    published(here, a)
    here.grant(a, 1)
    here.grant(a, 1)
    clock.now_s += 31.0
    assert refusal(here.commit, a, 1, 1) == "FENCED"
    assert refusal(here.commit, a, 1, 2) == "EXPIRED"
    here.released(a, 1, 1)
    here.released(a, 1, 2)
    here.clear(a, 1)
    assert refusal(here.commit, a, 1, 1) == "FENCED"
    assert refusal(here.commit, a, 1, 2) == "EXPIRED"


def test_an_aborted_hand_off_stays_failed() -> None:
    here, a = machine(), new_id()
    published(here, a)
    here.grant(a, 1)
    here.abort(a, 1, "CANCELLED")
    assert here.clearable() == []
    assert refusal(here.commit, a, 1, 1) == "CANCELLED"
    assert refusal(here.grant, a, 1) == "CANCELLED"
    here.released(a, 1, 1)
    here.clear(a, 1)
    assert refusal(here.grant, a, 1) == "CANCELLED"


def test_an_abort_while_packing_keeps_the_bytes_until_packing_ends() -> None:
    here, a = machine(), new_id()
    here.reserve(a, 1, 60.0)
    here.start(a, 1)
    here.pack(a, 1)
    here.abort(a, 1, "CANCELLED")
    assert here.clearable() == []
    assert refusal(here.publish, a, 1) == "CANCELLED"
    assert here.clearable() == [(a, 1)]


def test_an_abort_that_overtakes_its_hand_off_is_kept() -> None:
    here, a = machine(), new_id()
    here.abort(a, 2, "CANCELLED")
    assert refusal(here.reserve, a, 1, 60.0) == "STALE_EPOCH"
    assert refusal(here.reserve, a, 2, 60.0) == "ID_REUSED"
    here.reserve(a, 3, 60.0)
    assert here.late == 1
    here.abort("no id at all", 1, "CANCELLED")  # harmless


def test_a_late_abort_does_not_undo_a_commit() -> None:
    here, a = machine(), new_id()
    published(here, a)
    here.commit(a, 1, here.grant(a, 1))
    here.abort(a, 1, "CANCELLED")
    here.commit(a, 1, 1)
    here.clear(a, 1)
    here.abort(a, 1, "CANCELLED")
    here.commit(a, 1, 1)


def test_a_higher_epoch_fences_a_lower_one_whatever_it_reached() -> None:
    for committed in (False, True):
        here, a = machine(), new_id()
        published(here, a)
        here.grant(a, 1)
        if committed:
            here.commit(a, 1, 1)
        here.reserve(a, 2, 60.0)
        assert refusal(here.commit, a, 1, 1) == "FENCED"
        assert refusal(here.grant, a, 1) == "FENCED"
        assert refusal(here.heartbeat, a, 1, 1) == "FENCED"
        assert refusal(here.reserve, a, 1, 60.0) == "STALE_EPOCH"
        assert refusal(here.reserve, a, 2, 60.0) == "ID_REUSED"
        here.released(a, 1, 1)
        here.clear(a, 1)
        assert refusal(here.commit, a, 1, 1) == "FENCED"


def test_a_try_again_is_refused_once_somebody_else_pulls() -> None:
    here, a = machine(), new_id()
    published(here, a)
    assert here.grant(a, 1) == 1
    assert here.grant(a, 1, after=1) == 2
    assert here.grant(a, 1) == 3
    assert refusal(here.grant, a, 1, 2) == "FENCED"


def test_memory_of_what_was_is_bounded_and_ids_still_never_come_again() -> None:
    here = machine(remembered=10)
    ids = [new_id(int(NOW_S * 1000) - 5000 + number) for number in range(50)]
    for each in ids:
        here.reserve(each, 1, 60.0)
        here.abort(each, 1, "CANCELLED")
        here.clear(each, 1)
    assert len(here._past) == 10
    assert {refusal(here.reserve, each, 2, 60.0) for each in ids[:40]} == {"ID_TOO_OLD"}
    assert {refusal(here.reserve, each, 1, 60.0) for each in ids[40:]} == {"ID_REUSED"}
    here.reserve(ids[45], 2, 60.0)


@pytest.mark.parametrize(
    "wrong",
    ["", "x", "0198c7a0-0000-4000-8000-000000000000", "0198C7A0-0000-7000-8000-00000000000A", new_id(int((NOW_S + 301) * 1000))],
)
def test_what_is_no_id_is_refused(wrong: str) -> None:
    assert refusal(machine().reserve, wrong, 1, 60.0) == "ID_INVALID"


IDS = [new_id() for _ in range(3)]
ids = st.sampled_from(IDS)
epochs = st.integers(1, 3)


class Against(RuleBasedStateMachine):
    """A second telling of the rules: all hand-offs for ever in one dictionary, nothing forgotten, and time as a number."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(0.0)
        self.here = machine(self.clock)
        self.model: dict[tuple[str, int], dict] = {}
        self.aborted: dict[str, int] = {}
        self.seen: dict[tuple[str, int], State] = {}

    def current(self, key):
        found = self.model.get(key)
        if found and found["state"] not in ENDED and self.clock.now_s >= found["until"]:
            found["state"] = State.EXPIRED
        return found

    def top(self, handoff_id):
        return max([self.aborted.get(handoff_id, 0), *(epoch for each, epoch in self.model if each == handoff_id)])

    def said(self, call, *arguments):
        try:
            return call(*arguments)
        except Refused as error:
            return error.reason

    @rule(a=ids, epoch=epochs)
    def reserve(self, a, epoch):
        found = self.said(self.here.reserve, a, epoch, 50.0)
        if epoch <= self.top(a):
            assert found == ("ID_REUSED" if epoch == self.top(a) else "STALE_EPOCH")
            return
        assert found is None
        for (each, _), other in self.model.items():
            if each == a and self.current((each, _))["state"] not in ENDED:
                other["state"], other["reason"] = State.FAILED, "FENCED"
        self.model[a, epoch] = {"state": State.RESERVED, "until": self.clock.now_s + 50.0, "newest": 0, "readers": set(), "reason": ""}

    @rule(a=ids, epoch=epochs)
    def start(self, a, epoch):
        found, model = self.said(self.here.start, a, epoch), self.current((a, epoch))
        if model and model["state"] is State.RESERVED:
            assert found is None
            model["state"] = State.PREFILLING
        else:
            assert found

    @rule(a=ids, epoch=epochs)
    def publish(self, a, epoch):
        model = self.current((a, epoch))
        found = self.said(self.here.pack, a, epoch) or self.said(self.here.publish, a, epoch)
        if model and model["state"] is State.PREFILLING:
            assert found is None
            model["state"], model["until"] = State.PUBLISHED, self.clock.now_s + 30.0
            model["last"] = self.clock.now_s + 300.0
        else:
            assert found

    def answer(self, a, epoch, number):
        """What must be said to who pulls; None: go on."""
        model = self.current((a, epoch))
        if epoch < self.top(a):
            return "FENCED"
        if model is None:
            return "UNKNOWN" if self.aborted.get(a) != epoch else "FENCED" if number else "ABORTED"
        if number and number != model["newest"]:
            return "FENCED"
        if model["state"] in ENDED:
            return model["reason"] or ("COMMITTED" if model["state"] is State.FREED else str(model["state"]))
        return None if model["state"] in {State.PUBLISHED, State.PULLING} else "NOT_PUBLISHED"

    @rule(a=ids, epoch=epochs, after=st.integers(0, 3))
    def grant(self, a, epoch, after):
        found, due, model = self.said(self.here.grant, a, epoch, after), self.answer(a, epoch, after), self.model.get((a, epoch))
        if due is None:
            assert found == model["newest"] + 1
            model["state"] = State.PULLING
            model["newest"] += 1
            model["readers"].add(found)
        else:
            assert found == due

    @rule(a=ids, epoch=epochs, number=st.integers(0, 3))
    def heartbeat(self, a, epoch, number):
        found, due = self.said(self.here.heartbeat, a, epoch, number), self.answer(a, epoch, number)
        assert found == due
        if due is None:
            model = self.model[a, epoch]
            model["until"] = max(model["until"], min(self.clock.now_s + 20.0, model["last"]))

    @rule(a=ids, epoch=epochs, number=st.integers(1, 3))
    def commit(self, a, epoch, number):
        found, due = self.said(self.here.commit, a, epoch, number), self.answer(a, epoch, number)
        if due is None:
            assert found is None
            self.model[a, epoch]["state"] = State.COMMITTED
            self.model[a, epoch]["readers"].discard(number)
        else:
            assert found == (None if due == "COMMITTED" else due)

    @rule(a=ids, epoch=epochs, number=st.integers(1, 3))
    def released(self, a, epoch, number):
        self.here.released(a, epoch, number)
        if (a, epoch) in self.model:
            self.model[a, epoch]["readers"].discard(number)

    @rule(a=ids, epoch=epochs)
    def abort(self, a, epoch):
        self.here.abort(a, epoch, "ABORTED")
        top = self.top(a)
        for each, number in self.model:
            model = self.current((each, number))
            if each == a and number <= epoch and model["state"] not in ENDED:
                model["state"], model["reason"] = State.FAILED, "ABORTED"
        if top < epoch:
            self.aborted[a] = epoch

    @rule(seconds=st.sampled_from([1.0, 9.0, 21.0, 31.0]))
    def pass_time(self, seconds):
        self.clock.now_s += seconds
        self.here.expire()

    @rule()
    def sweep(self):
        due = {
            key
            for key in self.model
            if self.current(key)["state"] in ENDED - {State.FREED} and not self.model[key]["readers"] and not self.model[key].get("gone")
        }
        assert set(self.here.clearable()) == due
        for key in due:
            self.here.clear(*key)
            self.model[key]["gone"] = True
            if self.model[key]["state"] is State.COMMITTED:
                self.model[key]["state"] = State.FREED

    @invariant()
    def states_agree_and_never_go_back(self):
        for key in self.model:
            expected = None if self.current(key).get("gone") else self.model[key]["state"]
            found = self.here.state(*key)
            assert found == expected
            before = self.seen.get(key)
            if found is not None:
                assert before is None or before == found or (before not in ENDED and ORDER.index(found) > ORDER.index(before))
                self.seen[key] = found

    @invariant()
    def whoever_reads_keeps_the_bytes(self):
        for key in self.here.clearable():
            assert not self.here.live()[key].readers


TestAgainst = Against.TestCase
TestAgainst.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)


def test_packer_is_no_pull() -> None:
    assert PACKER == 0
