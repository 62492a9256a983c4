"""Whatever becomes of who asked, in whatever phase: rows and blocks come back, and never while somebody writes into them."""

from __future__ import annotations

from threading import Event, Thread

import pytest
from engine.llm.errors import Refused
from engine.llm.generation import ChoiceStart, Finished, FinishReason, Prefilled, Started, Token
from engine.llm.limits import Limits
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from .driver import ENDLESS, WARM, Clock, Driver, asked, finishes, prompt

SMALL = Limits(rows=2, max_len=256, chunk_tokens=16, prefix_store_bytes=6 * 64 * 512, queue=3)


def in_phase(driver: Driver, phase: str) -> None:
    """Bring request r there."""
    asking = {"owner": "服务", **ENDLESS}
    if phase == "waiting":
        driver.submit(asked("other", prompt(5), 250, choices=(ChoiceStart(0), ChoiceStart(1)), **ENDLESS))
        driver.step()
        driver.submit(asked("r", prompt(100), 50, **asking))
    elif phase == "landed":
        driver.engine.reserve("v", 200, 30)
        driver.submit(asked("r", prompt(100), 50, landed=True, reservation_id="v", choices=(ChoiceStart(0, (7,)),), **asking))
    else:
        driver.submit(asked("r", prompt(100), 50, prefill_only=phase == "prefilled", **asking))
        if phase == "prefilled":
            driver.until(Prefilled, "r")
        elif phase == "prefilling":
            driver.until(Started, "r")
        elif phase == "writing":
            driver.until(Token, "r")


PHASES = ["submitted", "waiting", "prefilling", "writing", "prefilled", "landed"]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("how", ["abort", "silence"])
def test_a_request_ends_in_every_phase_and_frees_all(phase: str, how: str) -> None:
    driver = Driver(SMALL)
    in_phase(driver, phase)
    told = len(driver.events)
    if how == "abort":
        assert driver.engine.abort("r")
    else:
        driver.clock.now += 5.1
    driver.run()
    (end,) = finishes(driver.events, "r")
    assert (end.reason, end.error, end.is_last) == (FinishReason.CANCELLED, "CANCELLED" if how == "abort" else "OWNER_SILENT", True)
    later = driver.events[told:]
    assert not [event for event in later if isinstance(event, Token) and event.request_id == "r"]
    assert driver.engine.held() == []
    assert not driver.engine.abort("r")
    driver.events.clear()
    driver.run(asked("r", prompt(100), 3))  # the id is free again
    assert driver.tokens("r")


@pytest.mark.parametrize("phase", PHASES)
def test_an_owner_that_is_heard_of_goes_on(phase: str) -> None:
    driver = Driver(SMALL)
    in_phase(driver, phase)
    for _ in range(10):
        driver.clock.now += 4.9
        driver.engine.touch("服务")
        driver.step()
    assert not [end for end in finishes(driver.events, "r") if end.reason is FinishReason.CANCELLED]


def test_one_choice_that_ends_leaves_its_row_to_others() -> None:
    driver = Driver(SMALL)
    stops = Driver(SMALL).run(asked("r", prompt(20), 12, sampling=WARM, choices=(ChoiceStart(0),), **ENDLESS)).tokens("r")
    other = Driver(SMALL).run(asked("r", prompt(20), 40, sampling=WARM, choices=(ChoiceStart(1),), **ENDLESS)).tokens("r", 1)
    stop = next(token for token in stops if token not in other)
    both = asked("r", prompt(20), 40, sampling=WARM, choices=(ChoiceStart(0), ChoiceStart(1)), stop_ids=frozenset([stop]), **ENDLESS)
    driver.submit(both, asked("next", prompt(9), 2, **ENDLESS))
    driver.until(Finished, "next")
    assert not finishes(driver.events, "r", 1)
    driver.run()
    assert driver.tokens("r", 1) == other
    assert [finishes(driver.events, "r", number)[0].is_last for number in (0, 1)] == [False, True]


def test_a_row_is_not_given_to_others_while_it_is_read() -> None:
    driver = Driver(Limits(rows=1, max_len=256, chunk_tokens=64))
    driver.submit(asked("p", prompt(100), prefill_only=True), asked("next", prompt(100, 2), 3))
    driver.until(Prefilled, "p")
    with driver.engine.row("p") as row:
        before = [stripe[:, :100].copy() for stripe in row.stripes]
        driver.engine.abort("p")
        for _ in range(5):
            driver.step()
        assert finishes(driver.events, "p")
        assert driver.engine.load().queued == 1
        assert all((one == other[:, :100]).all() for one, other in zip(before, row.stripes, strict=True))
    driver.run()
    assert driver.tokens("next")
    assert driver.engine.held() == []


@pytest.mark.parametrize("how", ["release", "expire"])
def test_a_row_is_not_given_to_others_while_it_is_written(how: str) -> None:
    driver = Driver(Limits(rows=1, max_len=256, chunk_tokens=64))
    driver.engine.reserve("v", 100, 10)
    with driver.engine.landing("v"):
        if how == "release":
            driver.engine.release("v")
        driver.clock.now += 60
        driver.submit(asked("next", prompt(10), 3))
        for _ in range(5):
            driver.step()
        assert driver.engine.load().queued == 1
    driver.clock.now += 3
    driver.run()
    assert driver.tokens("next")
    assert driver.engine.held() == []


def test_what_was_pulled_at_the_last_moment_can_still_be_used() -> None:
    driver = Driver(SMALL)
    driver.engine.reserve("v", 100, 10)
    with driver.engine.landing("v"):
        driver.clock.now += 11
        driver.step()  # its time is over, but for the pull
    driver.step()
    driver.run(asked("r", prompt(10), 3, landed=True, reservation_id="v", choices=(ChoiceStart(0, (5,)),), **ENDLESS))
    assert len(driver.tokens("r")) == 2


def test_a_pull_that_breaks_leaves_the_reservation() -> None:
    driver = Driver(SMALL)
    driver.engine.reserve("v", 100, 10)
    with pytest.raises(OSError, match="reset"), driver.engine.landing("v"):
        raise OSError("reset")
    with driver.engine.landing("v"):
        pass
    driver.engine.release("v")
    driver.engine.release("v")
    assert driver.engine.held() == []


def test_a_reservation_ends_with_its_time_unless_it_is_renewed() -> None:
    driver = Driver(SMALL).run(asked("warm", prompt(70), 2))
    _, chain = driver.engine.cache_snapshot()
    assert driver.engine.reserve("v", 100, 10, chain=chain) == 1
    assert any(line.startswith("block") for line in driver.engine.held())
    driver.clock.now += 9
    driver.engine.renew("v", 10)
    driver.clock.now += 9
    driver.step()
    assert driver.engine.load().rows_used == 1
    driver.clock.now += 2
    driver.step()
    assert driver.engine.held() == []
    for gone in (lambda: driver.engine.renew("v", 10), lambda: driver.engine.submit(asked("r", prompt(5), reservation_id="v"))):
        with pytest.raises(Refused, match="RESERVATION_UNKNOWN"):
            gone()
    with pytest.raises(Refused, match="RESERVATION_UNKNOWN"), driver.engine.landing("v"):
        pass


def test_reservations_take_no_more_than_there_is() -> None:
    driver = Driver(SMALL)
    driver.engine.reserve("v", 100, 10)
    with pytest.raises(Refused) as refused:
        driver.engine.reserve("w", 100, 10, rows=2)
    assert (refused.value.reason, refused.value.retry_after_s is None) == ("OVERLOADED", False)
    with pytest.raises(Refused, match="REQUEST_DUPLICATE"):
        driver.engine.reserve("v", 100, 10)
    with pytest.raises(Refused, match="PROMPT_TOO_LONG"):
        driver.engine.reserve("w", 257, 10)
    with pytest.raises(Refused, match="OVERLOADED"):
        driver.engine.submit(asked("r", prompt(5), choices=(ChoiceStart(0), ChoiceStart(1)), reservation_id="v"))
    driver.run(asked("r", prompt(5), 3, reservation_id="v", **ENDLESS))
    assert len(driver.tokens("r")) == 3
    assert driver.engine.held() == []


def test_who_waits_too_long_is_told() -> None:
    driver = Driver(SMALL)
    in_phase(driver, "waiting")
    driver.submit(asked("late", prompt(5), 3, deadline=driver.clock.now + 2))
    driver.clock.now += 2
    driver.step()
    assert (driver.finished("late").reason, driver.finished("late").error) == (FinishReason.ERROR, "QUEUE_EXPIRED")


def test_the_step_counter_goes_on_when_there_is_nothing_to_do() -> None:
    """It is how a hung loop is told from an idle one."""
    driver = Driver(SMALL)
    driver.step()
    driver.step()
    assert driver.engine.load().steps == 2
    assert driver.engine.load().step_ms == 0.0


def test_an_idle_loop_sleeps_and_wakes_for_a_request() -> None:
    driver = Driver(SMALL)
    woken = Event()

    def loop() -> None:
        driver.engine.wait(600)
        woken.set()

    thread = Thread(target=loop, daemon=True)
    thread.start()
    assert not woken.is_set()
    driver.engine.submit(asked("r", prompt(5), 3))
    assert woken.wait(60)
    thread.join()
    driver.run()
    assert driver.tokens("r")


def test_asking_from_many_threads_while_the_loop_runs() -> None:
    driver = Driver(Limits(rows=3, max_len=256, chunk_tokens=32, queue=200, prefix_store_bytes=6 * 64 * 512))
    wanted = {length: Driver(SMALL).run(asked("r", prompt(length), 9, **ENDLESS)).tokens("r") for length in range(20, 28)}
    done = Event()

    def loop() -> None:
        while not done.is_set() or not driver.engine._loop.is_idle():
            driver.step()

    def ask(name: int) -> None:
        for length in range(20, 28):
            driver.engine.submit(asked(f"{name}-{length}", prompt(length), 9, **ENDLESS))
            if name % 3 == 0:
                driver.engine.abort(f"{name}-{length}")
            driver.engine.load()
            driver.engine.held()

    threads = [Thread(target=ask, args=(name,)) for name in range(9)]
    looping = Thread(target=loop)
    for thread in (looping, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    looping.join()
    for name in range(9):
        for length in range(20, 28):
            (end,) = finishes(driver.events, f"{name}-{length}")
            assert end.reason is FinishReason.LENGTH or name % 3 == 0
            assert driver.tokens(f"{name}-{length}") == wanted[length][: end.output_tokens]
    assert driver.engine.held() == []


class AnyOrder(RuleBasedStateMachine):
    """Any sequence of what may happen to an engine: nothing leaks, every request ends once, its tokens are those of an undisturbed one."""

    @initialize()
    def made(self) -> None:
        self.driver = Driver(SMALL, Clock())
        self.asked: set[str] = set()
        self.reserved: list[str] = []
        self.open: list[object] = []
        self.number = 0

    def name(self) -> str:
        self.number += 1
        return f"{self.number}"

    @rule(length=st.integers(1, 150), count=st.integers(1, 2), prefill_only=st.booleans(), owner=st.sampled_from([None, "a", "b"]))
    def submit(self, length: int, count: int, prefill_only: bool, owner: str | None) -> None:
        starts = tuple(ChoiceStart(each) for each in range(count))
        self._submit(asked(self.name(), prompt(length), 6, choices=starts, prefill_only=prefill_only, owner=owner))

    @rule(landed=st.booleans(), data=st.data())
    def submit_reserved(self, landed: bool, data: st.DataObject) -> None:
        if self.reserved:
            start = ChoiceStart(0, (5,)) if landed else ChoiceStart(0)
            reservation = data.draw(st.sampled_from(self.reserved))
            self._submit(asked(self.name(), prompt(20), 6, landed=landed, reservation_id=reservation, choices=(start,)))

    def _submit(self, generation) -> None:
        try:
            self.driver.submit(generation)
            self.asked.add(generation.request_id)
        except Refused as refused:
            assert refused.reason in {"OVERLOADED", "RESERVATION_UNKNOWN", "LAYOUT_MISMATCH"}

    @rule(rows=st.integers(1, 2), ttl_s=st.sampled_from([1, 20]))
    def reserve(self, rows: int, ttl_s: int) -> None:
        name = self.name()
        try:
            self.driver.engine.reserve(name, 100, ttl_s, rows, self.driver.engine.cache_snapshot()[1][:1])
            self.reserved.append(name)
        except Refused as refused:
            assert refused.reason == "OVERLOADED"

    @rule(data=st.data())
    def land(self, data: st.DataObject) -> None:
        if self.reserved:
            landing = self.driver.engine.landing(data.draw(st.sampled_from(self.reserved)))
            try:
                landing.__enter__()
                self.open.append(landing)
            except Refused:
                pass

    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        if self.open:
            self.open.pop(data.draw(st.integers(0, len(self.open) - 1))).__exit__(None, None, None)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if self.reserved:
            self.driver.engine.release(data.draw(st.sampled_from(self.reserved)))

    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        if self.asked:
            self.driver.engine.abort(data.draw(st.sampled_from(sorted(self.asked))))

    @rule(data=st.data())
    def release_row(self, data: st.DataObject) -> None:
        told = [event.request_id for event in self.driver.events if isinstance(event, Prefilled)]
        if told:
            self.driver.engine.release_row(data.draw(st.sampled_from(told)))

    @rule(count=st.integers(1, 8))
    def step(self, count: int) -> None:
        for _ in range(count):
            self.driver.step()

    @rule(seconds=st.sampled_from([0.5, 3.0]), owner=st.sampled_from(["a", "b"]))
    def time_passes(self, seconds: float, owner: str) -> None:
        self.driver.clock.now += seconds
        self.driver.engine.touch(owner)

    @invariant()
    def nothing_leaks(self) -> None:
        assert self.driver.engine.leaks() == []

    def teardown(self) -> None:
        if not hasattr(self, "driver"):
            return
        for each in self.open:
            each.__exit__(None, None, None)
        for each in self.reserved:
            self.driver.engine.release(each)
        prefilled = {event.request_id for event in self.driver.events if isinstance(event, Prefilled)}
        for each in prefilled:
            self.driver.engine.release_row(each)
        for _ in range(400):
            for event in self.driver.step():
                if isinstance(event, Prefilled):
                    prefilled.add(event.request_id)
                    self.driver.engine.release_row(event.request_id)
        assert self.driver.engine.held() == []
        for each in self.asked:
            ends = [event for event in self.driver.events if isinstance(event, Finished) and event.request_id == each]
            assert sum(end.is_last for end in ends) <= 1
            assert each in prefilled or sum(end.is_last for end in ends) == 1


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
