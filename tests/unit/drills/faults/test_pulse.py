"""Recovery is told from counts alone: as much out as in, over a whole second that began after the fault."""

from drills.faults.pulse import Pulse


def steady(
    pulse: Pulse, start_s: float, seconds: float, *, rate: int = 100, came: int = 0, went: int = 0, flows: float = 1.0
) -> tuple[int, int]:
    for step in range(round(seconds * 10)):
        came, went = came + rate // 10, went + round(rate // 10 * flows)
        pulse.beat(start_s + step / 10, {"decisions": (came, went)})
    return came, went


def test_nothing_flows_before_anything_was_counted() -> None:
    assert Pulse().stalled(0.0)


def test_what_comes_out_as_it_comes_in_flows() -> None:
    pulse = Pulse()
    steady(pulse, 100.0, 2.0)
    assert pulse.stalled(100.0) == []


def test_a_window_that_began_before_the_fault_ended_proves_nothing() -> None:
    pulse = Pulse()
    steady(pulse, 100.0, 2.0)
    assert pulse.stalled(101.5) == ["decisions"]


def test_a_stalled_signal_is_named_and_flows_again_while_its_backlog_is_worked_off() -> None:
    pulse = Pulse()
    came, went = steady(pulse, 100.0, 2.0, flows=0.0)
    assert pulse.stalled(100.0) == ["decisions"]
    steady(pulse, 102.0, 1.2, came=came, went=went, flows=2.0)
    assert pulse.stalled(102.0) == []


def test_a_fifth_less_than_comes_in_is_no_recovery() -> None:
    pulse = Pulse()
    steady(pulse, 100.0, 3.0, flows=0.8)
    assert pulse.stalled(100.0) == ["decisions"]


def test_every_signal_has_to_flow() -> None:
    pulse = Pulse()
    for step in range(20):
        pulse.beat(step / 10, {"decisions": (step, step), "replies": (step, 0)})
    assert pulse.stalled(0.0) == ["replies"]
