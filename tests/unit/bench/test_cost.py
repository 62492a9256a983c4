"""Processor time for each unit from looks with known figures; the bare loop's from what it prints."""

import math
from types import SimpleNamespace

import pytest

from bench import bare, cost
from bench.cost import Look, Meter, cost_figures, cost_words, mean_us
from bench.processes import Usage


async def test_a_turn_costs_what_was_used_beyond_idling(monkeypatch) -> None:
    monkeypatch.setattr(cost, "SETTLE_S", 0)
    clock = iter([0.0, 2.0])
    monkeypatch.setattr(cost, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    looks = iter([{"redis": Usage(0, 1.0), "gone": Usage(0, 1.0)}, {"redis": Usage(0, 2.5), "new": Usage(0, 9.0)}])
    meter = Meter(lambda: next(looks), idle={"redis": 0.25})

    async def work() -> int:
        return 1_000

    assert await meter.cost_us(work) == {"redis": pytest.approx(1_000.0)}  # 1.5 s less 2 s of a quarter core


def test_idling_is_what_was_used_while_nothing_was_asked() -> None:
    meter = Meter(dict)
    meter.idled(Look({"kafka": Usage(0, 3.0)}, 10.0), Look({"kafka": Usage(0, 4.0)}, 14.0))
    assert meter.idle == {"kafka": 0.25}


def test_who_idled_more_than_it_worked_cost_nothing() -> None:
    found = Meter(dict, idle={"kafka": 0.5}).us_each(Look({"kafka": Usage(0, 1.0)}, 0.0), Look({"kafka": Usage(0, 1.1)}, 1.0), 10)
    assert found == {"kafka": 0.0}


def test_no_unit_has_no_cost() -> None:
    found = Meter(dict).us_each(Look({"kafka": Usage(0, 0.0)}, 0.0), Look({"kafka": Usage(0, 1.0)}, 1.0), 0)
    assert math.isnan(found["kafka"])


def test_the_sum_leaves_out_who_stands_apart_and_who_does_not_belong() -> None:
    found = cost_figures(
        {"gateway": 900.0, "risk-rpc": 1_100.0, "zipkin": 70.0, "rag": 1e9}, ("gateway", "risk-rpc"), "call", ("echo", 1_000.0)
    )
    assert found == {
        "cpu_us_per_call": 2_000.0,
        "echo_cpu_us_per_call": 1_000.0,
        "cpu_ratio": 2.0,
        "gateway_cpu_us_per_call": 900.0,
        "risk_rpc_cpu_us_per_call": 1_100.0,
        "zipkin_cpu_us_per_call": 70.0,
    }
    assert list(found) == list(cost_words(("gateway", "risk-rpc"), "call", "a call", ("echo", "the echo")))


def test_every_unit_of_several_turns_counts_the_same() -> None:
    assert mean_us([({"a": 10.0}, 1), ({"a": 40.0}, 2)]) == {"a": 30.0}
    assert mean_us([]) == {}


def test_the_bare_loop_counts_its_broker_but_not_the_broker_s_idling() -> None:
    looks = [[10.0, 1.0, 5.0], [12.0, 1.5, 5.6], [14.0, 2.0, 6.0]]
    found = bare.measured({"records": 1_000_000, "seconds": 4.0, "looks": looks}, idle_cores=0.125)
    assert found.records_per_s == 250_000
    assert found.cpu_us == pytest.approx(1.5)  # 1 s of its own and 1 s of the broker, less 4 s of an eighth
