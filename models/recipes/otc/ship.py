"""From a checkpoint to what the repository ships: `models/specialists/otc-inquiry`, evaluated as it will be served, with its card.

`python -m otc.ship --folder var/otc` replaces the folder whole. What is evaluated is the quantised file, in an engine, under the grammar.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from otc import vocabulary
from otc.evaluate import CALIBRATION, calibration, evaluate, scores
from otc.export import NAME, export
from otc.shape import CHECKPOINT, Shape

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "models" / "specialists" / NAME
CARD = "MODEL_CARD.md"


def ship(checkpoint: Path, shipped: Path, count: int) -> dict[str, Any]:
    """Replace the shipped folder by the checkpoint's model; return what it is worth."""
    with np.load(checkpoint) as file:
        step = int(file["position"][0])
    with tempfile.TemporaryDirectory() as scratch:
        folder = export(checkpoint, Path(scratch))
        every, random = evaluate(folder, count), evaluate(folder, count // 2, is_known=False)
        report = {"step": step, **scores(every), "calibration": calibration(every), "random_names": scores(random)["exact_match"]}
        (folder / CALIBRATION).write_text(json.dumps(report["calibration"], indent=1) + "\n")
        (folder / CARD).write_text(card(report))
        shutil.rmtree(shipped, ignore_errors=True)
        shipped.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, shipped)
    return report


def card(report: dict[str, Any]) -> str:
    """Return the model card."""
    shape, sure = Shape(), report["calibration"]
    parameters = sum(int(np.prod(size)) for size in shape.architecture(len(vocabulary.tokens())).shapes().values())
    families = "\n".join(f"| {name} | {value:.1%} |" for name, value in report["by_family"].items())
    fields = "\n".join(f"| {name} | {value:.3f} |" for name, value in report["field_f1"].items())
    bins = "\n".join(f"| {each['from']} | {each['count']} | {each['confidence']:.3f} | {each['right']:.1%} |" for each in sure["bins"])
    return f"""# {NAME}

Reads what clients of an OTC desk write in chat, in Chinese and English, into the fields of an inquiry. A Llama of {parameters:,} parameters
({shape.layers} layers, d {shape.hidden}, {shape.heads} heads, {shape.kv_heads} of keys and values), 8 bits a weight, a vocabulary of
{len(vocabulary.tokens()):,} characters, bytes and pieces of its own text. Trained from nothing for {report["step"]:,} steps of 6,144
tokens, in three rounds, on texts that `models/recipes/otc` generates; no text of a client was used. Licence: Apache-2.0.

Not for: prices, advice, other languages, texts of more than 512 characters. It copies words; code computes numbers and resolves names.
What is below its threshold, or unresolved, is for a person.

## Measured

The shipped file, in the engine, under the grammar, on {report["count"]:,} generated texts of families and names that training never
saw: **{report["exact_match"]:.1%} exact**, all valid JSON. Names are those of the instrument master that no training has. With names as
in training, half of them random Hanzi and codes that nobody writes and no master knows, it is {report["random_names"]:.1%}.
Quotes are of families that training never saw; follow-ups, orders, cancellations and talk share their wordings with it.
From confidence {sure["threshold"]:.4f} on, {sure["precision_held_out"]:.2%} of the other half of these texts are read right;
{sure["share_that_needs_confirmation"]:.1%} are below it or unresolved, and say `needs_confirmation`.

| family | exact |
|---|---|
{families}

| field | F1 |
|---|---|
{fields}

| confidence from | texts | mean confidence | right |
|---|---|---|---|
{bins}

`make eval-otc` asks through the whole mesh; `make eval-otc DATA=file.jsonl` asks your own.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report as JSON."""
    parser = argparse.ArgumentParser(prog="python -m otc.ship")
    parser.add_argument("--folder", type=Path, default=Path("var/otc"))
    parser.add_argument("--to", type=Path, default=SHIPPED)
    parser.add_argument("--count", type=int, default=6000)
    asked = parser.parse_args(arguments)
    print(json.dumps(ship(asked.folder / CHECKPOINT, asked.to, asked.count), ensure_ascii=False))


if __name__ == "__main__":
    main()
