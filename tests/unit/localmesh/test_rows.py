from graphlib import CycleError

import pytest
from localmesh.rows import Restart, Row, only, ordered


def row(name: str, *needs: str) -> Row:
    return Row(name, ("true",), needs=needs)


def test_what_is_needed_comes_first() -> None:
    rows = ordered([row("gateway", "risk"), row("risk", "kafka", "redis"), row("redis"), row("kafka")])
    places = {r.name: i for i, r in enumerate(rows)}
    assert places["kafka"] < places["risk"] < places["gateway"]
    assert places["redis"] < places["risk"]


def test_a_cycle_is_refused() -> None:
    with pytest.raises(CycleError):
        ordered([row("a", "b"), row("b", "a")])


def test_needing_a_row_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError, match="kafka"):
        ordered([row("a", "kafka")])


def test_only_drops_rows_and_the_need_for_them() -> None:
    (chosen,) = only([row("kafka"), row("risk", "kafka")], ["risk"])
    assert (chosen.name, chosen.needs) == ("risk", ())


def test_only_refuses_a_name_nobody_has() -> None:
    with pytest.raises(KeyError, match="kafak"):
        only([row("kafka")], ["kafak"])


def test_restarts_wait_longer_each_time_up_to_a_limit() -> None:
    restart = Restart(first_s=0.5, factor=2, limit_s=3)
    assert [restart.delay_s(deaths) for deaths in (1, 2, 3, 4, 5000)] == [0.5, 1.0, 2.0, 3, 3]
