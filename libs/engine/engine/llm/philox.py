"""Philox4x32-10, the counter-based generator (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3").

Its place: draws of `engine.llm.sampling`. A draw is a function of (seed, choice, output index) and of nothing that came before, so that a
hand-off, a fork or a replay goes on with the very number that an uninterrupted answer would have used.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_ROUNDS = 10


def philox(counter: tuple[U64, U64, U64, U64], key: tuple[U64, U64]) -> tuple[U64, U64, U64, U64]:
    """Return four words for each column of ``counter``; all words are 32 bits wide and stand in uint64 arrays of one length."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


def uniforms(seeds: U64, choices: U64, indices: U64) -> npt.NDArray[np.float64]:
    """Return one number in [0, 1) of 53 bits for each (seed, choice, output index)."""
    zero = np.zeros_like(seeds)
    a, b, _, _ = philox((indices & _LOW, choices & _LOW, zero, zero), (seeds & _LOW, seeds >> _HALF))
    whole = (a >> np.uint64(5)) * np.uint64(1 << 26) + (b >> np.uint64(6))
    return whole.astype(np.float64) * 2.0**-53
