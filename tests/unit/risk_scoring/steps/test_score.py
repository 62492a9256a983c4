"""Who is asked for a score, for how long, and what is said about it."""

import numpy as np
import pytest
from meshkit.errors import DeadlineExceeded, MeshError, Unavailable
from risk_scoring.domain.decision import DEADLINE, MODEL_IN_PROCESS, MODEL_SERVED, RULES_ONLY
from risk_scoring.steps.score import SMALL_ROWS, Scorer

from tests.protocol.desks import Health, Model

ROWS = np.zeros((2, 3), dtype=np.float32)


class Timed(Model):
    """Remembers its budget."""

    budgets: tuple[float, ...] = ()

    async def score(self, vectors, timeout_s):
        self.budgets += (timeout_s,)
        return await super().score(vectors, timeout_s)


def scorer(served: Model, inside: Model, health: Health | None = None) -> Scorer:
    """A scorer with a timeout of half a second."""
    return Scorer(served, inside, health or Health(), 0.5)


async def test_the_served_model_first() -> None:
    served, inside = Model([0.25]), Model([0.75])
    scores = await scorer(served, inside).score(ROWS)
    assert (scores.values.tolist(), scores.degradations, scores.model_version) == ([0.25, 0.25], (), "7")
    assert inside.asked == 0


async def test_fallbacks_and_health() -> None:
    health, served, inside = Health(), Model(failure=DeadlineExceeded("slow")), Model([0.75])
    one = scorer(served, inside, health)
    assert (await one.score(ROWS)).degradations == (MODEL_IN_PROCESS,)
    assert health.missing == {"triton": "DEADLINE_EXCEEDED"}
    inside.failure = Unavailable("broken", reason="MODEL_FAILED")
    nobody = await one.score(ROWS)
    assert nobody.degradations == (RULES_ONLY,) and np.isnan(nobody.values).all() and nobody.model_version == ""
    served.failure = None
    await one.score(ROWS)
    assert "triton" not in health.missing


@pytest.mark.parametrize(("rows", "asked"), [(1, (0, 1)), (SMALL_ROWS, (0, 1)), (SMALL_ROWS + 1, (1, 0))])
async def test_who_is_asked_depends_on_the_rows_and_neither_is_a_degradation(rows: int, asked: tuple[int, int]) -> None:
    served, inside, health = Model([0.25]), Model([0.75]), Health()
    scores = await Scorer(served, inside, health, 0.5, SMALL_ROWS).score(np.zeros((rows, 3), dtype=np.float32))
    assert (served.asked, inside.asked) == asked
    assert scores.values.tolist() == [0.75 if inside.asked else 0.25] * rows
    assert scores.degradations == () and scores.model_version == "7" and not health.missing


@pytest.mark.parametrize("failure", [Unavailable("broken", reason="MODEL_FAILED"), DeadlineExceeded("slow"), MeshError("refused")])
async def test_the_other_runtime_stands_in_and_is_flagged(failure: MeshError) -> None:
    health, served, inside = Health(), Model([0.25]), Model([0.75], failure)
    one = Scorer(served, inside, health, 0.5, SMALL_ROWS)
    scores = await one.score(ROWS)
    assert (scores.values.tolist(), scores.degradations) == ([0.25, 0.25], (MODEL_SERVED,))
    assert list(health.missing) == ["model"]
    served.failure = failure
    assert (await one.score(ROWS)).degradations == (RULES_ONLY,)
    inside.failure = served.failure = None
    assert (await one.score(ROWS)).degradations == () and "model" not in health.missing


async def test_nonsense_in_process_is_not_used() -> None:
    scores = await Scorer(Model([0.25]), Model([float("nan")]), Health(), 0.5, SMALL_ROWS).score(ROWS)
    assert (scores.values.tolist(), scores.degradations) == ([0.25, 0.25], (MODEL_SERVED,))


async def test_the_probe_asks_the_served_model() -> None:
    served, inside = Model(), Model()
    one = Scorer(served, inside, Health(), 0.5, SMALL_ROWS)
    await one.probe(3)
    assert (served.asked, inside.asked) == (1, 0)
    served.failure = Unavailable("another model answered", reason="MODEL_NOT_OURS")
    with pytest.raises(Unavailable):
        await one.probe(3)


async def test_no_time_for_a_model() -> None:
    served = Model()
    scores = await scorer(served, Model()).score(ROWS, 0.001)
    assert scores.degradations == (DEADLINE,) and served.asked == 0


async def test_half_of_what_is_left_and_never_more_than_the_timeout() -> None:
    served = Timed()
    one = scorer(served, Model())
    for remaining_s in (None, 10.0, 0.2):
        await one.score(ROWS, remaining_s)
    assert served.budgets == (0.5, 0.5, 0.1)


async def test_scores_are_rounded() -> None:
    scores = await scorer(Model([0.12345678]), Model()).score(ROWS)
    assert scores.values.tolist() == [0.123457, 0.123457]
