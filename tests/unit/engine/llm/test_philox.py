from __future__ import annotations

import numpy as np
import pytest
from engine.llm.philox import philox, uniforms


def words(*values: int) -> tuple[np.ndarray, ...]:
    return tuple(np.array([value], dtype=np.uint64) for value in values)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_known_answers_of_its_authors(counter, key, expected) -> None:
    assert tuple(int(word[0]) for word in philox(words(*counter), words(*key))) == expected


def test_a_draw_depends_on_seed_choice_and_index_alone() -> None:
    seeds = np.array([1, 2, 1, 1, (1 << 64) - 1], dtype=np.uint64)
    choices = np.array([0, 0, 1, 0, 3], dtype=np.uint64)
    indices = np.array([5, 5, 5, 6, 0], dtype=np.uint64)
    together = uniforms(seeds, choices, indices)
    alone = [uniforms(seeds[at : at + 1], choices[at : at + 1], indices[at : at + 1])[0] for at in range(5)]
    assert together.tolist() == alone
    assert len(set(alone)) == 5


def test_draws_are_even() -> None:
    count = 200_000
    points = uniforms(np.full(count, 7, np.uint64), np.zeros(count, np.uint64), np.arange(count, dtype=np.uint64))
    assert points.min() >= 0.0
    assert points.max() < 1.0
    shares = np.histogram(points, bins=20, range=(0, 1))[0] / count
    assert np.abs(shares - 0.05).max() < 0.002
