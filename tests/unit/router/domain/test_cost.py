"""Who is chosen, and why."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from router.domain.cost import Weights, choose
from router.domain.fleet import RECENT_TAU_S, STALE_S, Fleet, Load, Role, Worker
from router.domain.generation import Choice
from router.domain.prefix_index import Cached

NOW_S = 1000.0
NONE = Weights(prefill=1.0, queue=4.0, absolute_blocks=32.0, relative=1.5)


def worker(name: str, **other: object) -> Worker:
    made = Worker(
        name=name, incarnation="i1", role=Role.DECODE, model="m", model_digest=b"d", layout_digest=b"l", rows=16, max_len_tokens=2048
    )
    return replace(made, **other)  # type: ignore[arg-type]


def fleet(*loads: Load, **other: object) -> Fleet:
    made = Fleet()
    for number, load in enumerate(loads):
        made.join(worker(f"w{number}", **other))
        made.report(f"w{number}", load, NOW_S)
    return made


def chosen(made: Fleet, cached: list[int], prompt_blocks: int = 10, now_s: float = NOW_S, weights: Weights = NONE) -> Choice | None:
    known = Cached(np.array(cached, np.int32), np.array(cached, np.float32))
    return choose(made, known, prompt_blocks, made.fit(now_s) & made.has_room(), now_s, weights)


def who(*args: object, **other: object) -> tuple[str, str]:
    choice = chosen(*args, **other)  # type: ignore[arg-type]
    assert choice is not None
    return choice.worker, choice.reason


def test_the_least_laden_when_nobody_has_anything_cached() -> None:
    assert who(fleet(Load(blocks=5), Load(blocks=3), Load(blocks=9)), [0, 0, 0]) == ("w1", "LOAD")


def test_a_cached_prefix_is_worth_its_blocks() -> None:
    laden = fleet(Load(blocks=5), Load(blocks=0))
    assert who(laden, [6, 0]) == ("w0", "PREFIX")
    assert who(laden, [4, 0]) == ("w1", "LOAD")
    assert who(laden, [4, 0], weights=replace(NONE, prefill=2.0)) == ("w0", "PREFIX")


def test_tier_weighted_blocks_count_not_blocks() -> None:
    made = fleet(Load(blocks=4), Load())
    known = Cached(np.array([6, 0], np.int32), np.array([3.0, 0.0], np.float32))
    choice = choose(made, known, 10, made.fit(NOW_S) & made.has_room(), NOW_S, NONE)
    assert choice is not None and choice.worker == "w1"


def test_more_cached_than_the_prompt_has_gives_no_credit() -> None:
    assert who(fleet(Load(blocks=1), Load()), [50, 10], prompt_blocks=10) == ("w1", "PREFIX")


def test_those_who_wait_there_count() -> None:
    assert who(fleet(Load(queue=2), Load(blocks=7)), [0, 0]) == ("w1", "LOAD")
    assert who(fleet(Load(queue=2), Load(blocks=7)), [0, 0], weights=replace(NONE, queue=3.0)) == ("w0", "LOAD")


def test_a_faster_worker_may_carry_more_and_a_dear_one_less() -> None:
    fast = fleet(Load(blocks=10, tokens_per_s=1000), Load(blocks=6, tokens_per_s=250))
    assert who(fast, [0, 0]) == ("w0", "LOAD")
    made = Fleet()
    for name, price in (("w0", 400.0), ("w1", 100.0)):
        made.join(worker(name, price=price))
        made.report(name, Load(blocks=0 if name == "w0" else 20), NOW_S)
    assert who(made, [0, 0]) == ("w1", "LOAD")


def test_what_is_not_measured_yet_counts_as_the_fastest_and_an_unknown_price_as_the_dearest() -> None:
    made = Fleet()
    for name, price, speed in (("w0", 0.0, 0.0), ("w1", 300.0, 500.0)):
        made.join(worker(name, price=price))
        made.report(name, Load(tokens_per_s=speed), NOW_S)
    assert made.scale().tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("favourite", "other", "expected"),
    [
        (40.0, 0.0, ("w1", "MARGIN")),  # past both margins
        (30.0, 0.0, ("w0", "PREFIX")),  # not past the absolute one
        (140.0, 100.0, ("w0", "PREFIX")),  # not past the relative one
        (160.0, 100.0, ("w1", "MARGIN")),
    ],
)
def test_affinity_is_dropped_past_an_absolute_and_a_relative_margin_among_holders(
    favourite: float, other: float, expected: tuple[str, str]
) -> None:
    made = fleet(Load(blocks=favourite), Load(blocks=other))
    assert who(made, [100, 1], prompt_blocks=200, weights=replace(NONE, prefill=10.0)) == expected


def test_an_idle_worker_without_the_prefix_does_not_drop_affinity() -> None:
    """A margin over all workers would send every request of a hot prefix away as soon as anybody idles."""
    made = fleet(Load(blocks=40), Load(blocks=38), Load(blocks=0))
    assert who(made, [100, 100, 0], prompt_blocks=100) == ("w1", "PREFIX")
    assert who(fleet(Load(blocks=40), Load()), [100, 0], prompt_blocks=100) == ("w0", "PREFIX")


def test_a_silent_worker_counts_as_saturated() -> None:
    made = fleet(Load(), Load(blocks=50))
    later_s = NOW_S + STALE_S + 0.1
    made.report("w1", Load(blocks=50), later_s)
    assert who(made, [10, 0], now_s=later_s) == ("w1", "ONLY")
    assert chosen(made, [10, 0], now_s=later_s + 2 * STALE_S) is None


def usable(made: Fleet, rows: int = 1, **need: Any) -> list[bool]:
    return (made.fit(NOW_S, **need) & made.has_room(rows)).tolist()


def test_full_draining_unfit_and_unheard_of_workers_are_not_chosen() -> None:
    made = fleet(Load(rows_used=16), Load(is_ready=False), Load())
    made.join(worker("w3"))
    assert usable(made) == [False, False, True, False]
    assert usable(made, tokens=3000) == [False] * 4
    assert usable(made, rows=17) == [False] * 4
    made.join(worker("w4", highest_grade=2, layout_digest=b"other"))
    made.report("w4", Load(), NOW_S)
    assert usable(made, grade=3) == [False, False, True, False, False]
    assert usable(made, grade=2) == [False, False, True, False, True]
    assert usable(made, layout=b"other") == [False, False, False, False, True]
    assert usable(made, layout=b"unknown") == [False] * 5


def test_one_on_probation_gets_one_request_at_a_time() -> None:
    made = fleet(Load(is_on_probation=True), Load(rows_used=1, is_on_probation=True), Load(queue=1, is_on_probation=True))
    assert usable(made) == [True, False, False]
    assert usable(made, rows=2) == [False] * 3
    prediction = made.predict("w0", 4.0, 1, NOW_S)
    assert usable(made) == [False] * 3
    made.ended(prediction, NOW_S)
    assert usable(made) == [True, False, False]


def without_slow(made: Fleet) -> list[bool]:
    return (made.without_slow(made.fit(NOW_S)) & made.has_room()).tolist()


def test_a_slow_one_is_for_those_who_have_no_other() -> None:
    assert without_slow(fleet(Load(is_slow=True), Load())) == [False, True]
    assert without_slow(fleet(Load(is_slow=True), Load(rows_used=16))) == [False, False]  # who is well and full is waited for
    assert without_slow(fleet(Load(is_slow=True), Load(is_ready=False))) == [True, False]
    assert without_slow(fleet(Load(is_slow=True), Load(is_slow=True, rows_used=16))) == [True, False]
    assert without_slow(fleet(Load(is_slow=True), Load(is_on_probation=True))) == [False, True]


def test_some_may_wait_where_waiting_is_allowed() -> None:
    made = Fleet(waiting=2)
    made.join(worker("w0", rows=1))
    made.report("w0", Load(rows_used=1, queue=1), NOW_S)
    assert usable(made) == [True]
    made.report("w0", Load(rows_used=1, queue=2), NOW_S)
    assert usable(made) == [False]


def test_a_worker_that_refused_is_full_until_it_reports_or_something_ends_there() -> None:
    made = fleet(Load())
    running = made.predict("w0", 1, 1, NOW_S)
    made.refused(made.predict("w0", 1, 1, NOW_S), NOW_S)
    assert usable(made) == [False]
    made.ended(running, NOW_S)
    assert usable(made) == [True]
    made.refused(made.predict("w0", 1, 1, NOW_S), NOW_S)
    assert usable(made) == [False]
    made.report("w0", Load(rows_used=3), NOW_S)
    assert usable(made) == [True]


def test_the_room_of_what_ended_is_free_before_the_worker_says_so() -> None:
    made = Fleet()
    made.join(worker("w0", rows=1))
    made.report("w0", Load(), NOW_S)
    running = made.predict("w0", 5, 1, NOW_S)
    running.settled_s = NOW_S
    made.report("w0", Load(rows_used=1, blocks=5), NOW_S + 0.1)
    assert not made.has_room()[0]
    made.ended(running, NOW_S + 0.2)
    assert made.has_room()[0]
    assert made.blocks()[0] == 0
    made.report("w0", Load(rows_used=1, blocks=5), NOW_S + 0.21)  # sent before it ended
    assert made.has_room()[0]
    made.report("w0", Load(rows_used=1, blocks=3), NOW_S + 0.5)  # somebody else's
    assert not made.has_room()[0]
    assert made.blocks()[0] == 3


def test_nobody_answers_for_a_lost_worker_until_it_reports_again() -> None:
    made = fleet(Load())
    made.lost("w0")
    made.lost("unknown")
    assert usable(made) == [False]
    made.report("w0", Load(), NOW_S)
    made.report("unknown", Load(), NOW_S)
    assert usable(made) == [True]


def test_requests_that_come_together_spread() -> None:
    made = fleet(Load(), Load(), Load(), Load())
    names = []
    for _ in range(8):
        choice = chosen(made, [0, 0, 0, 0])
        assert choice is not None
        made.predict(choice.worker, 10, 1, NOW_S)
        names.append(choice.worker)
    assert sorted(names) == sorted(["w0", "w1", "w2", "w3"] * 2)


def test_a_prediction_counts_until_the_worker_s_own_word_has_it_in() -> None:
    made = fleet(Load())
    first, second = made.predict("w0", 10, 1, NOW_S), made.predict("w0", 5, 2, NOW_S)
    assert (made.blocks()[0], made.queue()[0]) == (15, 3)
    first.settled_s = NOW_S + 0.1
    made.report("w0", Load(blocks=10), NOW_S + 0.2)
    assert (made.blocks()[0], made.queue()[0]) == (15, 2)  # the second is still on its way
    made.ended(second, NOW_S + 0.3)
    assert (made.blocks()[0], made.queue()[0]) == (10, 0)
    made.ended(first, NOW_S + 0.3)
    assert (made.blocks()[0], made.queue()[0]) == (0, -1)


def test_what_was_sent_lately_fades() -> None:
    made = fleet(Load(), Load())
    made.ended(made.predict("w0", 8, 1, NOW_S), NOW_S)
    assert made.recent(NOW_S)[0] == 8
    assert made.recent(NOW_S + RECENT_TAU_S)[0] == pytest.approx(8 / np.e)
    assert made.recent(NOW_S)[0] == pytest.approx(8 / np.e)  # time does not run backwards
    assert who(made, [0, 0], now_s=NOW_S + RECENT_TAU_S) == ("w1", "LOAD")


def test_a_restarted_worker_carries_nothing_and_is_stale_until_it_reports() -> None:
    made = fleet(Load(blocks=9), Load())
    old = made.predict("w0", 3, 1, NOW_S)
    assert made.join(worker("w0", incarnation="i2")) == 0
    assert usable(made) == [False, True]
    made.report("w0", Load(), NOW_S)
    made.ended(old, NOW_S)
    assert made.blocks().tolist() == [0, 0]


def test_a_slot_is_given_out_again() -> None:
    made = fleet(Load(blocks=9), Load())
    assert made.leave("w0") == 0
    assert made.leave("w0") is None
    assert made.join(worker("new")) == 0
    made.report("new", Load(), NOW_S)
    assert (made.blocks()[0], made.slots, [each.name for each in made]) == (0, 2, ["w1", "new"])


def test_the_best_scores_are_told_cheapest_first() -> None:
    made = fleet(*(Load(blocks=blocks, queue=blocks) for blocks in (5, 1, 4, 2, 3)))
    choice = chosen(made, [0, 3, 0, 0, 0])
    assert choice is not None
    assert [score.worker for score in choice.scores] == ["w1", "w3", "w4"]
    assert (choice.scores[0].cost, choice.scores[0].cached_blocks, choice.scores[0].load_blocks, choice.scores[0].queue) == (12, 3, 1, 1)
    assert choice.cached_blocks == 3


def test_nobody() -> None:
    assert chosen(Fleet(), []) is None
