from __future__ import annotations

import numpy as np
import pytest
from engine.llm import sampling
from engine.llm.errors import Refused
from engine.llm.generation import Sampling
from engine.llm.philox import uniforms
from engine.llm.sampling import NOT_FINITE, Draw, sample
from hypothesis import given, settings
from hypothesis import strategies as st

VOCABULARY = 5000


def logits(rows: int, seed: int = 1, width: int = VOCABULARY) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((rows, width)) * 3).astype(np.float32)


def plainly(row: np.ndarray, asked: Sampling, choice: int, index: int) -> int:
    """What is wanted, as simply as it can be said: sort all, cut, draw; with no cut, draw along the ids."""
    order = np.lexsort((np.arange(len(row)), -row)) if asked.top_k or asked.top_p < 1 else np.arange(len(row))
    masses = np.exp((row - row.max()) / np.float32(asked.temperature))
    ladder = np.cumsum(masses[order], dtype=np.float64)
    kept = ladder[asked.top_k - 1] if 0 < asked.top_k < len(row) else masses.sum(dtype=np.float64)
    kept = kept if asked.top_k or asked.top_p < 1 else ladder[-1]
    if asked.top_p < 1:
        kept = min(kept, ladder[min(np.searchsorted(ladder, asked.top_p * kept), len(ladder) - 1)])
    point = uniforms(*(np.array([value], dtype=np.uint64) for value in (asked.seed, choice, index)))[0]
    return int(order[min(np.searchsorted(ladder, point * kept, side="right"), len(row) - 1)])


@given(
    st.integers(0, 2**64 - 1),
    st.sampled_from([0.05, 0.7, 1.0, 2.0]),
    st.sampled_from([0, 1, 2, 50, 1024, 1025, 4999, 9999]),
    st.sampled_from([0.0, 0.1, 0.9, 0.999, 1.0]),
    st.sampled_from([1, 7, 1024, 1025, VOCABULARY, 20_000]),
)
@settings(max_examples=150, deadline=None)
def test_the_quick_way_gives_what_a_full_sort_gives(seed: int, temperature: float, top_k: int, top_p: float, width: int) -> None:
    asked = Sampling(seed, temperature, top_k, top_p)
    own = logits(3, seed % 1000, width)
    tokens, _ = sample(own, [Draw(row, asked, row, seed % 9) for row in range(3)])
    wanted = [int(row.argmax()) if asked.is_greedy else plainly(row, asked, number, seed % 9) for number, row in enumerate(own)]
    assert tokens == wanted


@pytest.mark.parametrize(("top_k", "top_p"), [(0, 1.0), (0, 0.9), (50, 1.0), (50, 0.5)])
def test_equal_logits_at_the_cut_are_taken_by_id(top_k: int, top_p: float) -> None:
    """Which of equal ones a partition finds is chance: there the row is sorted whole."""
    row = np.zeros((1, VOCABULARY), dtype=np.float32)
    for index in range(50):
        asked = Sampling(3, 1.0, top_k, top_p)
        assert sample(row, [Draw(0, asked, 0, index)])[0] == [plainly(row[0], asked, 0, index)]


def test_who_else_is_in_the_batch_changes_nothing() -> None:
    own = logits(16, 4, 49_152)
    asked = [
        Sampling(
            seed,
            temperature=0.8 if seed % 3 else 0.0,
            top_k=seed * 7,
            top_p=1 - seed / 40,
            logprobs=bool(seed % 2),
            top_logprobs=seed % 2 * 3,
        )
        for seed in range(16)
    ]
    tokens, scores = sample(own, [Draw(row, each, 0, 9) for row, each in enumerate(asked)])
    for row, each in enumerate(asked):
        alone, score = sample(own[row : row + 1], [Draw(0, each, 0, 9)])
        assert alone == [tokens[row]]
        assert score.get(0) == scores.get(row)


def test_the_distribution_is_the_softmax() -> None:
    row = np.array([[2.0, 1.0, 0.0, -1.0]], dtype=np.float32)
    drawn = np.array([sample(row, [Draw(0, Sampling(5, 1.0), 0, index)])[0][0] for index in range(8000)])
    wanted = np.exp(row[0]) / np.exp(row[0]).sum()
    assert np.abs(np.bincount(drawn, minlength=4) / 8000 - wanted).max() < 0.02


def test_top_k_and_top_p_cut_the_tail() -> None:
    row = np.log(np.array([[0.5, 0.3, 0.15, 0.05]], dtype=np.float32))
    two = {sample(row, [Draw(0, Sampling(1, 1.0, top_k=2), 0, index)])[0][0] for index in range(500)}
    three = {sample(row, [Draw(0, Sampling(1, 1.0, top_p=0.85), 0, index)])[0][0] for index in range(500)}
    assert (two, three) == ({0, 1}, {0, 1, 2})


def test_logprobs_are_the_model_s_own() -> None:
    """Before mask, temperature and cuts."""
    own = logits(2, 8, 300)
    mask = np.zeros(300, dtype=np.bool_)
    mask[17] = True
    tokens, scores = sample(own, [Draw(0, Sampling(1, 2.0, 1, 0.1, True, 4), 0, 0, mask), Draw(1, Sampling(), 0, 0)])
    whole = own[0].astype(np.float64) - np.log(np.exp(own[0].astype(np.float64)).sum())
    assert tokens[0] == 17
    assert list(scores) == [0]
    assert scores[0].logprob == pytest.approx(whole[17], abs=1e-5)
    best = np.argsort(-whole)[:4]
    assert [token for token, _ in scores[0].top] == best.tolist()
    assert [value for _, value in scores[0].top] == pytest.approx(whole[best].tolist(), abs=1e-5)


def test_equal_top_logprobs_are_told_by_id() -> None:
    _, scores = sample(np.zeros((1, 50), np.float32), [Draw(0, Sampling(logprobs=True, top_logprobs=3), 0, 0)])
    assert [token for token, _ in scores[0].top] == [0, 1, 2]


@pytest.mark.parametrize("asked", [Sampling(), Sampling(1, 1.0), Sampling(1, 0.7, 40, 0.9, True, 5)])
@pytest.mark.parametrize("broken", [np.nan, np.inf, "all -inf"])
def test_a_row_that_is_not_finite_gives_no_token_and_harms_no_other(asked: Sampling, broken: float | str) -> None:
    own = logits(3)
    wanted, _ = sample(own, [Draw(row, asked, 0, 0) for row in range(3)])
    if broken == "all -inf":
        own[1] = -np.inf
    else:
        own[1, 4321] = broken
    for mask in (None, np.ones(VOCABULARY, dtype=np.bool_)):
        tokens, scores = sample(own, [Draw(row, asked, 0, 0, mask) for row in range(3)])
        assert tokens == [wanted[0], NOT_FINITE, wanted[2]]
        assert 1 not in scores


def test_a_mask_that_allows_nothing_gives_no_token() -> None:
    nothing = np.zeros(VOCABULARY, dtype=np.bool_)
    assert sample(logits(1), [Draw(0, Sampling(), 0, 0, nothing)])[0] == [NOT_FINITE]
    assert sample(logits(1), [Draw(0, Sampling(1, 1.0), 0, 0, nothing)])[0] == [NOT_FINITE]


def test_logits_are_left_as_they_are() -> None:
    own = logits(2)
    before = own.copy()
    mask = np.arange(VOCABULARY) < 10
    tokens, _ = sample(own, [Draw(0, Sampling(1, 1.0), 0, 0, mask), Draw(1, Sampling(), 0, 0, mask)])
    assert max(tokens) < 10
    assert (own == before).all()


def test_rows_are_named_in_any_order_and_more_than_once() -> None:
    own = logits(3)
    asked = Sampling(9, 1.5)
    tokens, _ = sample(own, [Draw(2, asked, 0, 0), Draw(0, asked, 0, 0), Draw(2, asked, 1, 0)])
    assert tokens == [plainly(own[2], asked, 0, 0), plainly(own[0], asked, 0, 0), plainly(own[2], asked, 1, 0)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1}, {"temperature": float("nan")}, {"temperature": float("inf")}, {"temperature": 2.1}, {"top_p": 1.1},
        {"top_p": -0.1}, {"top_p": float("nan")}, {"top_k": -1}, {"seed": -1}, {"seed": 1 << 64}, {"top_logprobs": 21},
        {"top_logprobs": -1},
    ],
)  # fmt: skip
def test_settings_out_of_bounds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(Refused) as refused:
        Sampling(**wrong)  # type: ignore[arg-type]
    assert refused.value.reason == "SAMPLING_INVALID"


def test_a_partition_is_what_is_sorted_when_it_tells_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick way is really taken: a full sort is never asked for where few tokens hold the mass."""
    widths: list[int] = []
    genuine = sampling._ranked
    monkeypatch.setattr(sampling, "_ranked", lambda candidates, *rest: widths.append(len(candidates)) or genuine(candidates, *rest))
    own = logits(4, 2, 49_152) * 4
    sample(own, [Draw(row, Sampling(1, 0.5, top_p=0.9), 0, 0) for row in range(4)])
    assert widths == [1024] * 4
    widths.clear()
    sample(own / 1e6, [Draw(0, Sampling(1, 1.0, top_p=0.9), 0, 0)])
    assert widths == [1024, 8192, 49_152]
    widths.clear()
    sample(own / 1e6, [Draw(0, Sampling(1, 1.0), 0, 0)])
    assert widths == []
