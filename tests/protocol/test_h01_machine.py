"""H1 to H6, H20. Who is who, and what time and late messages do: on the pure machine."""

from __future__ import annotations

from engine.handoff.errors import Refused
from engine.handoff.machine import Lease, Machine, State
from engine.handoff.memory import Outcomes

from tests.protocol.mutants import assert_fails_without, rewritten
from tests.unit.engine.handoff.makers import NOW_S, Clock, new_id


def machine(clock: Clock | None = None, **lease: float) -> Machine:
    return Machine(clock or Clock(), lambda: NOW_S, Lease(**lease))  # type: ignore[arg-type]


def published(here: Machine, handoff_id: str, epoch: int = 1) -> None:
    here.reserve(handoff_id, epoch, 60.0)
    here.start(handoff_id, epoch)
    here.pack(handoff_id, epoch)
    here.publish(handoff_id, epoch)


def said(call: object, *arguments: object) -> str:
    """The reason of a refusal; empty when it was done."""
    try:
        call(*arguments)  # type: ignore[operator]
    except Refused as refused:
        return refused.reason
    return ""


async def test_h1_no_id_twice_in_bounded_memory() -> None:
    def check() -> None:
        here = machine(remembered=2)
        ids = [new_id(int(NOW_S * 1000) - 100 + number) for number in range(5)]
        for each in ids:
            here.reserve(each, 1, 60.0)
            here.abort(each, 1, "CANCELLED")
            here.clear(each, 1)
        assert {said(here.reserve, each, 2, 60.0) for each in ids[:3]} == {"ID_TOO_OLD"}
        assert said(here.reserve, ids[4], 1, 60.0) == "ID_REUSED"
        assert said(here.reserve, new_id(int((NOW_S + 400) * 1000)), 1, 60.0) == "ID_INVALID"

    await assert_fails_without(
        "H1",
        check,
        rewritten(Outcomes, "admit", "if born <= self._forgotten_ms and handoff_id not in self._known:", "if False:"),
        rewritten(Outcomes, "admit", "if born > self._wall() * 1000 + AHEAD_MS:", "if False:"),
        rewritten(Machine, "reserve", "epoch <= known", "False"),
    )


async def test_h2_what_ended_stays_ended() -> None:
    def check() -> None:
        here, a = machine(), new_id()
        published(here, a)
        here.commit(a, 1, here.grant(a, 1))
        here.abort(a, 1, "CANCELLED")
        assert here.state(a, 1) is State.COMMITTED
        here.clear(a, 1)
        here.abort(a, 1, "CANCELLED")
        assert said(here.commit, a, 1, 1) == ""

    await assert_fails_without("H2", check, rewritten(Machine, "_end_up_to", " and handoff.state not in ENDED", ""))


async def test_h3_a_higher_epoch_fences() -> None:
    def check() -> None:
        clock = Clock()
        here, a = machine(clock), new_id()
        published(here, a)
        here.grant(a, 1)
        clock.now_s += 31.0
        here.expire()
        here.reserve(a, 2, 60.0)
        assert said(here.commit, a, 1, 1) == "FENCED"  # and not EXPIRED, with which it would go on
        b = new_id()
        published(here, b)
        here.reserve(b, 2, 60.0)
        assert here.clearable() == [(b, 1)]

    await assert_fails_without(
        "H3",
        check,
        rewritten(Machine, "_leased", "if epoch < self._highest(handoff_id):", "if False:"),
        rewritten(Machine, "reserve", 'self._end_up_to(handoff_id, epoch - 1, "FENCED")', "pass"),
    )


async def test_h4_only_the_newest_pull_commits() -> None:
    def check() -> None:
        clock = Clock()
        here, a = machine(clock), new_id()
        published(here, a)
        assert (here.grant(a, 1), here.grant(a, 1)) == (1, 2)
        assert said(here.commit, a, 1, 1) == "FENCED"
        assert said(here.grant, a, 1, 1) == "FENCED"
        clock.now_s += 31.0
        assert said(here.commit, a, 1, 1) == "FENCED"
        b = new_id()
        published(here, b)
        here.commit(b, 1, here.grant(b, 1))
        assert said(here.commit, b, 1, 1) == ""
        here.clear(b, 1)
        assert (said(here.commit, b, 1, 1), said(here.commit, b, 1, 2)) == ("", "FENCED")

    await assert_fails_without(
        "H4",
        check,
        rewritten(Machine, "_leased", "if pull_no and pull_no != handoff.newest_pull:", "if False:"),
        rewritten(Machine, "_leased", '"FENCED" if pull_no and pull_no != past.pull_no else past.reason', "past.reason"),
        rewritten(Machine, "commit", "if refused.reason == State.COMMITTED:", "if False:"),
    )


async def test_h5_leases_end_by_the_clock_and_heartbeats_have_a_bound() -> None:
    def check() -> None:
        clock = Clock()
        here, a, b = machine(clock, most_s=60.0), new_id(), new_id()
        published(here, a)
        published(here, b)
        clock.now_s += 29.9
        here.heartbeat(a, 1, 0)
        clock.now_s += 19.9
        assert said(here.check, b, 1, 0) == "EXPIRED"
        assert said(here.heartbeat, a, 1, 0) == ""
        clock.now_s += 10.3
        assert said(here.check, a, 1, 0) == "EXPIRED"
        here.reserve(c := new_id(), 1, 5.0)
        clock.now_s += 5.0
        here.expire()
        assert (c, 1) in here.clearable()

    await assert_fails_without(
        "H5",
        check,
        rewritten(Machine, "_overdue", "self._clock() >= handoff.until_s", "False"),
        rewritten(Machine, "heartbeat", ", handoff.last_s)", ", 1e9)"),
        rewritten(Machine, "heartbeat", "handoff.until_s = max(", "(lambda *_: None)("),
    )


async def test_h6_an_end_only_marks_while_somebody_reads() -> None:
    def check() -> None:
        here, a, b = machine(), new_id(), new_id()
        published(here, a)
        here.grant(a, 1)
        here.abort(a, 1, "CANCELLED")
        assert here.clearable() == []
        here.released(a, 1, 1)
        assert here.clearable() == [(a, 1)]
        here.reserve(b, 1, 60.0)
        here.start(b, 1)
        here.pack(b, 1)
        here.abort(b, 1, "CANCELLED")
        assert here.clearable() == [(a, 1)]

    await assert_fails_without(
        "H6",
        check,
        rewritten(Machine, "clearable", " and not handoff.readers", ""),
        rewritten(Machine, "grant", "handoff.readers.add(handoff.newest_pull)", "pass"),
        rewritten(Machine, "pack", "handoff.readers.add(PACKER)", "pass"),
    )


async def test_h20_late_messages_change_nothing_and_an_early_abort_is_kept() -> None:
    def check() -> None:
        here, a = machine(), new_id()
        published(here, a)
        here.grant(a, 1)
        here.abort(a, 1, "CANCELLED")
        here.released(a, 1, 1)
        here.clear(a, 1)
        assert [said(call, a, 1, 1) for call in (here.heartbeat, here.commit, here.grant)] == ["CANCELLED"] * 3
        here.released(a, 1, 1)
        assert here.late == 4
        assert here.live() == {}
        here.abort(b := new_id(), 1, "CANCELLED")
        assert said(here.reserve, b, 1, 60.0) == "ID_REUSED"

    await assert_fails_without(
        "H20",
        check,
        rewritten(Machine, "abort", "self._past.put(handoff_id, Outcome(epoch, reason))", "pass"),
        rewritten(Machine, "clear", "self._past.put(handoff_id, Outcome(epoch, _answer(handoff), handoff.newest_pull))", "pass"),
        rewritten(Machine, "released", "self.late += 1", "pass"),
    )
