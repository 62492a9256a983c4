"""What the engine builds on, locked for this runtime: rows that rest, ragged rows, chunks, bits that do not depend on the neighbours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from llm import tiny

from .rows import Row, Rows

LENGTHS = (37, 5, 18, 2)
PROMPTS = [np.random.default_rng(length).integers(3, 384, length).tolist() for length in LENGTHS]
KINDS = {
    "fp32": {}, "int4": {"weights": "int4"}, "rounded": {"weights": "int4", "accuracy_level": 4},
    "qwen2": {"family": "qwen2"}, "qwen3": {"family": "qwen3", "weights": "int4"},
}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make(tmp_path_factory.mktemp("models"), tiny.Tiny(**KINDS[request.param]))


def alone(folder: Path, prompt: list[int]) -> tuple[np.ndarray, list[np.ndarray]]:
    rows = Rows(folder, 1)
    return rows.step([(prompt, 0)])[0], rows.caches


def tolerance(rows: Rows) -> float:
    """Of logits with a standard deviation of 4. Rounding activations to 8 bits turns a last bit into a step."""
    return 0.5 if rows.manifest.quantisation.accuracy_level == 4 else 2e-4


def filled(folder: Path, rows: int) -> Rows:
    """The four prompts in rows 0 to 3; other rows hold noise."""
    made = Rows(folder, rows)
    noise = np.random.default_rng(0)
    for cache in made.caches:
        cache[:] = noise.standard_normal(cache.shape)
    made.step([(prompt, 0) for prompt in PROMPTS])
    return made


def test_rows_of_different_lengths_are_each_as_if_alone(folder: Path) -> None:
    rows = Rows(folder, 4)
    logits = rows.step([(prompt, 0) for prompt in PROMPTS])
    for index, prompt in enumerate(PROMPTS):
        expected, caches = alone(folder, prompt)
        assert np.array_equal(logits[index, : len(prompt)], expected)
        for cache, other in zip(rows.caches, caches, strict=True):
            assert np.array_equal(cache[index], other[0])
            assert not cache[index, :, len(prompt) :].any(), "padding was written into the cache"


@pytest.mark.parametrize("size", [16, 8, 5])
def test_chunks_give_the_same_bits_as_the_whole(folder: Path, size: int) -> None:
    rows, prompt = Rows(folder, 1), PROMPTS[0]
    pieces = [rows.step([(prompt[at : at + size], at)])[0] for at in range(0, len(prompt), size)]
    expected, caches = alone(folder, prompt)
    assert np.array_equal(np.concatenate(pieces), expected)
    assert all(np.array_equal(cache, other) for cache, other in zip(rows.caches, caches, strict=True))


def test_a_chunk_of_one_token_has_other_bits(folder: Path) -> None:
    """Why no prompt's chunk may be a single token. Should this fail one day, the rule can go."""
    rows, prompt = Rows(folder, 1), PROMPTS[0]
    pieces = np.concatenate([rows.step([([token], at)])[0] for at, token in enumerate(prompt)])
    expected = alone(folder, prompt)[0]
    assert not np.array_equal(pieces, expected)
    assert np.allclose(pieces, expected, atol=tolerance(rows))


def test_a_single_row_of_whole_activations_has_other_bits_too(tmp_path: Path) -> None:
    """Why a decode step must bind two rows at least, one of them resting: one row alone is multiplied by another kernel."""
    folder = tiny.make(tmp_path, tiny.Tiny(weights="int4"))
    steps = []
    for rest in ([], [([], 0)], [([], 0)] * 15):
        rows = Rows(folder, 1 + len(rest))
        rows.step([(PROMPTS[0], 0), *rest])
        steps.append(rows.step([([11], 37), *rest])[0])
    assert not np.array_equal(steps[0], steps[1])
    assert np.array_equal(steps[1], steps[2])


def test_a_row_that_rests_keeps_every_bit(folder: Path) -> None:
    rows = filled(folder, 6)
    for cache in rows.caches:
        cache[5] = np.nan
    before = [cache.copy() for cache in rows.caches]
    logits = rows.step([([11], 37), ([], 5), ([12], 18), ([], 2), ([], 0), ([], 40)])
    for cache, other in zip(rows.caches, before, strict=True):
        assert np.array_equal(cache[[1, 3, 4, 5]], other[[1, 3, 4, 5]], equal_nan=True)
    assert np.isfinite(logits[[0, 2]]).all(), "a resting row's cache was read"


def test_a_row_that_rests_keeps_every_bit_beside_a_chunk(folder: Path) -> None:
    rows = filled(folder, 6)
    before = [cache.copy() for cache in rows.caches]
    fresh = rows.step([([], 37), ([], 5), ([], 18), ([], 2), (PROMPTS[2], 0)])[4]
    for cache, other in zip(rows.caches, before, strict=True):
        assert np.array_equal(cache[[0, 1, 2, 3, 5]], other[[0, 1, 2, 3, 5]])
    assert np.array_equal(fresh[: len(PROMPTS[2])], alone(folder, PROMPTS[2])[0])


def test_a_token_does_not_depend_on_the_other_rows(folder: Path) -> None:
    """Two rows at least, one of them resting: with 4-bit weights and whole activations a single row is another kernel's."""
    together = filled(folder, 4).step([([11], 37), ([12], 5), ([13], 18), ([14], 2)])
    for index in range(4):
        steps: list[Row] = [([], length) for length in LENGTHS]
        steps[index] = ([11 + index], LENGTHS[index])
        assert np.array_equal(filled(folder, 4).step(steps)[index], together[index])


def test_a_view_of_one_row_writes_that_row_alone(folder: Path) -> None:
    rows = Rows(folder, 4)
    logits = rows.step([(PROMPTS[0], 0)], first=2)
    assert np.array_equal(logits[0], alone(folder, PROMPTS[0])[0])
    assert all(not cache[[0, 1, 3]].any() for cache in rows.caches)


def test_positions_follow_from_the_length_before(folder: Path) -> None:
    prompt = PROMPTS[2]
    token = Rows(folder, 2).step([(prompt, 0), ([], 0)])[0, -1]
    rows = Rows(folder, 2)
    rows.step([(prompt[:-1], 0), ([], 0)])
    assert np.allclose(rows.step([(prompt[-1:], len(prompt) - 1), ([], 0)])[0, 0], token, atol=tolerance(rows))


def test_only_the_wanted_positions_are_projected(folder: Path) -> None:
    prompt = PROMPTS[0]
    every = alone(folder, prompt)[0]
    rows = Rows(folder, 1)
    inputs = {
        "input_ids": np.array([prompt]), "query_seqlens": np.array([len(prompt)], np.int32),
        "seqlens_k": np.array([len(prompt) - 1], np.int32), "total_sequence_length": np.array(64, np.int32),
        "logits_at": np.array([[36, 3]]),
    }  # fmt: skip
    assert np.array_equal(rows.run(inputs, slice(0, 1))[0], every[[36, 3]])


def test_a_row_ends_at_the_capacity(folder: Path) -> None:
    rows = Rows(folder, 1)
    full = (PROMPTS[0] * 2)[:64]
    assert np.isfinite(rows.step([(full, 0)])).all()
    with pytest.raises(RuntimeError, match="exceeds total_sequence_length"):
        rows.step([([1], 64)])
