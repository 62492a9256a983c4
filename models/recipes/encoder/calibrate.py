"""`python -m encoder.calibrate --packed FILE TEXT…`: measures `ranges.json` on texts, in floats. By hand, once for each model.

What a channel reaches hardly depends on the texts: the farthest ones are the same in Chinese and English, insurance terms and this
repository's pages, and reach equally far. A tenth is added.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from tokenizers import Tokenizer

from encoder.graph import IDS, MASK, build, value_at
from encoder.packed_file import F32, Packed, read
from encoder.ranges import PLACES, Range, save
from encoder.tokenizer import kept, make

_TEXT_CHARACTERS, _MOST_TOKENS = 600, 256
_MARGIN = 1.1
_FAR_PERCENTILE = {"x1": 95.0, "g": 99.0}
"""Channels above it are divided by the root of how much they are above it, where some reach far."""


def measure(packed: Packed, texts: Sequence[str]) -> dict[str, Range]:
    """Return the range of every product's input over the texts."""
    ids = kept(packed)
    tokenizer = Tokenizer.from_str(make(packed, ids).decode("utf-8"))
    tokenizer.enable_truncation(_MOST_TOKENS)
    places = [(layer, place) for layer in range(packed.layers) for place in PLACES]
    taps = [value_at(*each) for each in places]
    table = packed.matrix("emb.word", len(packed.pieces), packed.hidden).rows(ids)
    session = ort.InferenceSession(build(packed, table, None, taps), providers=["CPUExecutionProvider"])
    least: dict[str, F32] = dict.fromkeys(taps, np.array(np.inf, np.float32))
    most: dict[str, F32] = dict.fromkeys(taps, np.array(-np.inf, np.float32))
    for text in texts:
        found = np.array([tokenizer.encode(text).ids], np.int64)
        for tap, values in zip(taps, session.run(taps, {IDS: found, MASK: np.ones_like(found)}), strict=True):
            least[tap] = np.minimum(least[tap], values[0].min(axis=0))
            most[tap] = np.maximum(most[tap], values[0].max(axis=0))
    return {f"l{layer}.{place}": _range(place, least[tap], most[tap]) for (layer, place), tap in zip(places, taps, strict=True)}


def _range(place: str, least: F32, most: F32) -> Range:
    divisors: npt.NDArray[np.float64] = np.ones(len(least))
    if place in _FAR_PERCENTILE:
        reach = np.maximum(-least, most).astype(np.float64)
        divisors = np.round(np.sqrt(np.maximum(1, reach / np.percentile(reach, _FAR_PERCENTILE[place]))), 1).astype(np.float64)
    ends = (float(np.min(least / divisors)) * _MARGIN, float(np.max(most / divisors)) * _MARGIN)
    return Range(round(ends[0], 3), round(ends[1], 3), {int(at): float(divisors[at]) for at in np.flatnonzero(divisors > 1)})


def _texts(paths: Sequence[Path]) -> list[str]:
    found = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        found += [text[at : at + _TEXT_CHARACTERS] for at in range(0, len(text), _TEXT_CHARACTERS)]
    return [prefix + text for at, text in enumerate(found) for prefix in (("query: ",) if at % 4 == 0 else ("passage: ",))]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m encoder.calibrate", description=__doc__)
    parser.add_argument("--packed", type=Path, required=True)
    parser.add_argument("texts", type=Path, nargs="+")
    asked = parser.parse_args(arguments)
    save(measure(read(asked.packed), _texts(asked.texts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
