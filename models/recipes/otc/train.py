"""Trains the model on samples without end, resumable: `python -m otc.train --folder FOLDER`.

In three rounds: from nothing, and twice more from a warm rate down to none, which is what settles the many frames of `otc.frames`.

Samples of a stretch come from a generator seeded by its number, so that a run that was ended goes on with the same samples. Loss is on the
model's own text alone. A checkpoint holds weights, moments and where the samples go on; it is replaced whole.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from otcdesk.instruments import Instruments
from tqdm import tqdm  # type: ignore[import-untyped]

from otc import vocabulary
from otc.decoder import Weights, first_weights, hidden
from otc.generate import Generator
from otc.shape import CHECKPOINT, Shape

STRETCH = 4096
BATCH_TOKENS = 6144
_SEED = 20261128
FIRST_ROUND, SECOND_ROUND, STEPS = 7_015, 8_300, 9_700
"""Steps of the first round, of the first two, and of all."""
_SAVED_EACH_S = 120
_PEAKS, _WARM, _DOWN = (4e-3, 6e-4, 1e-3), (300, 40, 40), (1_000, 800)


def batches(stretch: int, instruments: Instruments) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (tokens (B, T), places (B, M), targets (B, M)) of one stretch: where the own text is predicted, and what; -1 is nothing."""
    samples = list(itertools.islice(Generator(instruments, _SEED + stretch), STRETCH))
    coded = [(vocabulary.encode(each.text), vocabulary.encode_values(each.values)) for each in samples]
    coded.sort(key=lambda pair: (len(pair[0]) + len(pair[1]), pair))
    found, start = [], 0
    while start < len(coded):
        end = start
        while end < len(coded) and (end - start + 1) * _rounded(2 + sum(map(len, coded[end]))) <= BATCH_TOKENS:
            end += 1
        size = (end - start) // 8 * 8 or end - start
        found.append(_batch(coded[start : start + size]))
        start += size
    np.random.default_rng(stretch).shuffle(found)
    yield from found


def _rounded(length: int) -> int:
    return -(-length // 16) * 16


def _batch(pairs: Sequence[tuple[list[int], list[int]]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    length, most = _rounded(max(2 + len(text) + len(own) for text, own in pairs)), _rounded(max(len(own) for _, own in pairs))
    tokens, places, targets = (
        np.zeros((len(pairs), length), np.int32),
        np.zeros((len(pairs), most), np.int32),
        np.full((len(pairs), most), -1, np.int32),
    )
    for row, (text, own) in enumerate(pairs):
        sequence = [vocabulary.TEXT, *text, vocabulary.JSON, *own]
        tokens[row, : len(sequence)] = sequence
        places[row, : len(own)] = len(text) + 1 + np.arange(len(own))
        targets[row, : len(own)] = own
    return tokens, places, targets


def loss(weights: Weights, tokens: jax.Array, places: jax.Array, targets: jax.Array, shape: Shape) -> jax.Array:
    states = jnp.take_along_axis(hidden(weights, tokens, shape), places[..., None], axis=1)
    logits = states @ weights["model.embed_tokens.weight"].T
    each = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(targets, 0))
    return jnp.sum(each * (targets >= 0)) / jnp.sum(targets >= 0)


def rate(steps: int) -> optax.Schedule:
    """Return the learning rate by step: down in the first round; later warm, level, down to nothing; the last ends at ``steps``."""
    parts = [optax.warmup_cosine_decay_schedule(0.0, _PEAKS[0], _WARM[0], FIRST_ROUND, _PEAKS[0] / 50)]
    starts, ends, low = (FIRST_ROUND, SECOND_ROUND), (SECOND_ROUND, max(steps, SECOND_ROUND)), _PEAKS[0] / 50
    borders: list[int] = []
    for start, end, peak, warm, down in zip(starts, ends, _PEAKS[1:], _WARM[1:], _DOWN, strict=True):
        parts += [optax.linear_schedule(low, peak, warm), optax.constant_schedule(peak), optax.linear_schedule(peak, 0.0, down)]
        borders += [start, start + warm, max(end - down, start + warm)]
        low = 0.0
    return optax.join_schedules(parts, borders)


def train(folder: Path, shape: Shape, steps: int) -> Weights:
    """Train to a number of steps, from the folder's checkpoint if it has one; return the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    instruments = Instruments.read()
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(rate(steps), b2=0.98, weight_decay=0.01),
    )
    weights = first_weights(shape, len(vocabulary.tokens()), _SEED)
    state, step, stretch, done = optimiser.init(weights), 0, 0, 0
    if (folder / CHECKPOINT).exists():
        weights, state, step, stretch, done = _read(folder / CHECKPOINT, weights, state)

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(weights: Weights, state: Any, tokens: jax.Array, places: jax.Array, targets: jax.Array) -> tuple[Weights, Any, jax.Array]:
        value, gradient = jax.value_and_grad(loss)(weights, tokens, places, targets, shape)
        changes, state = optimiser.update(gradient, state, weights)
        return optax.apply_updates(weights, changes), state, value

    bar, saved_s, mean = tqdm(total=steps, initial=step, unit="step", dynamic_ncols=True, mininterval=5), time.monotonic(), None
    while step < steps:
        for batch in itertools.islice(batches(stretch, instruments), done, None):
            weights, state, value = update(weights, state, *batch)
            step, done = step + 1, done + 1
            mean = float(value) if mean is None else 0.98 * mean + 0.02 * float(value)
            bar.update(1)
            bar.set_postfix(loss=f"{mean:.4f}", refresh=False)
            if time.monotonic() - saved_s > _SAVED_EACH_S or step >= steps:
                _write(folder / CHECKPOINT, weights, state, (step, stretch, done))
                saved_s = time.monotonic()
            if step >= steps:
                break
        else:
            stretch, done = stretch + 1, 0
    bar.close()
    return weights


def _write(path: Path, weights: Weights, state: Any, position: Sequence[int]) -> None:
    leaves = {f"state.{number}": np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(state))}
    beside = path.with_suffix(".new.npz")
    arrays: dict[str, Any] = {
        **{name: np.asarray(value) for name, value in weights.items()},
        **leaves,
        "position": np.array(position),
    }
    np.savez(beside, **arrays)
    beside.replace(path)


def _read(path: Path, weights: Weights, state: Any) -> tuple[Weights, Any, int, int, int]:
    with np.load(path) as file:
        found = {name: jnp.asarray(file[name]) for name in weights}
        leaves = [jnp.asarray(file[f"state.{number}"]) for number in range(len(jax.tree.leaves(state)))]
        step, stretch, *done = (int(each) for each in file["position"])
    return found, jax.tree.unflatten(jax.tree.structure(state), leaves), step, stretch, sum(done)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train."""
    parser = argparse.ArgumentParser(prog="python -m otc.train")
    parser.add_argument("--folder", type=Path, default=Path("var/otc"))
    parser.add_argument("--steps", type=int, default=STEPS)
    asked = parser.parse_args(arguments)
    train(asked.folder, Shape(), asked.steps)


if __name__ == "__main__":
    main()
