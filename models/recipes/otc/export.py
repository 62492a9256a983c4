"""From a checkpoint to a model folder, 8 bits a weight: `python -m otc.export --folder var/otc --root var/models` prints the folder."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from engine.llm.manifest import Source
from llm import folder as model_folder
from llm.products import Dense, Matrix, rounded

from otc import vocabulary
from otc.shape import CHECKPOINT, Shape

NAME, LICENCE, MAX_LEN = "otc-inquiry", "Apache-2.0", 1024


def export(checkpoint: Path, root: Path, shape: Shape | None = None, *, is_rounded: bool = True) -> Path:
    """Write the model below ``root`` and return its folder. ``is_rounded``: else weights stay 32 bits, to compare with."""
    shape = shape or Shape()
    with np.load(checkpoint) as file:
        names = shape.architecture(len(vocabulary.tokens())).shapes()
        weights = {name: np.ascontiguousarray(file[name]) for name in names}
    digest = hashlib.sha256(b"".join(name.encode() + weights[name].tobytes() for name in sorted(weights))).hexdigest()

    def weight(name: str) -> Matrix:
        values = weights[name]
        return rounded(values, 8) if is_rounded and values.ndim == 2 else Dense(values)

    facts = model_folder.Facts(
        name=NAME, end_ids=(vocabulary.END,), bos_id=None, tokenizer=vocabulary.document(), template=vocabulary.TEMPLATE,
        source=Source("models/recipes/otc", digest),
        licence=LICENCE, weights="int8" if is_rounded else "fp32", accuracy_level=0, max_len=MAX_LEN,
    )  # fmt: skip
    return model_folder.write(root, shape.architecture(len(vocabulary.tokens())), weight, facts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the folder."""
    parser = argparse.ArgumentParser(prog="python -m otc.export")
    parser.add_argument("--folder", type=Path, default=Path("var/otc"))
    parser.add_argument("--root", type=Path, default=Path("var/models"))
    asked = parser.parse_args(arguments)
    print(export(asked.folder / CHECKPOINT, asked.root))


if __name__ == "__main__":
    main()
