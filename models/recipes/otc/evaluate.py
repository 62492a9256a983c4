"""How well an exported model reads texts that it never saw: held-out families and names; and what its confidence is worth.

Names are those of the master that no training has; with `--any-names` they are as in training, half of them random Hanzi and codes.

`python -m otc.evaluate --model FOLDER --count 4000` prints JSON; `--calibrate` writes `calibration.json` beside the model, which the router
reads. The threshold is found on one half of the texts and proved on the other. `--data FILE` has texts that people wrote instead, lines
`{"text", "expect": {field: value}}`; what `expect` does not name must not be read.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from otcdesk import own_text, reading
from otcdesk.fold import fold
from otcdesk.inquiry import Inquiry
from otcdesk.instruments import Instruments

from otc.answers import Answer, answers
from otc.generate import Generator, Sample

PRECISION, _MARGIN = 0.995, 0.001
"""What is wanted, and what is added where the threshold is learned: a half has few wrong answers among those that are sure."""
CALIBRATION = "calibration.json"
_SEED = 7_000_001


@dataclass(frozen=True, slots=True)
class Judged:
    """One text: what was expected, what was read. ``is_resolved``: else a person looks at it, however sure the model is."""

    sample: Sample
    expected: Inquiry
    found: Inquiry
    confidence: float
    is_resolved: bool = True

    @property
    def is_right(self) -> bool:
        return self.expected == self.found


def judged(sample: Sample, answer: Answer, master: Instruments) -> Judged:
    """Return what an answer to a sample is worth, by the rules of service."""
    text = fold(sample.text)
    expected, found = reading.read(sample.own_text, text, master).inquiry, reading.read(answer.written, text, master, answer.confidence)
    return Judged(sample, expected, found.inquiry, answer.confidence, not found.unresolved)


def scores(every: Sequence[Judged]) -> dict[str, Any]:
    """Return exact match, by family too, and F1 of each field."""
    hits, wrong, missed = Counter[str](), Counter[str](), Counter[str]()
    for each in every:
        for name in (field.name for field in fields(Inquiry)):
            wanted, got = getattr(each.expected, name), getattr(each.found, name)
            hits[name] += wanted == got and bool(wanted)
            wrong[name] += wanted != got and bool(got)
            missed[name] += wanted != got and bool(wanted)
    families: dict[str, list[bool]] = {}
    for each in every:
        families.setdefault(each.sample.family, []).append(each.is_right)
    f1 = {name: 2 * hits[name] / max(2 * hits[name] + wrong[name] + missed[name], 1) for name in hits}
    return {
        "count": len(every),
        "exact_match": _share([each.is_right for each in every]),
        "by_family": {name: _share(found) for name, found in sorted(families.items())},
        "field_f1": {name: round(value, 4) for name, value in f1.items()},
    }


def threshold(every: Sequence[Judged], precision: float = PRECISION) -> float:
    """Return the least confidence above which resolved answers are right in so many of all cases; 1 when there is none."""
    best, right = 1.0, 0
    resolved = [each for each in every if each.is_resolved]
    for count, each in enumerate(sorted(resolved, key=lambda each: -each.confidence), 1):
        right += each.is_right
        if right / count >= precision:
            best = each.confidence
    return best


def calibration(every: Sequence[Judged]) -> dict[str, Any]:
    """Return the threshold of one half, and what it is worth on the other."""
    learned, proved = every[::2], every[1::2]
    found = threshold(learned, PRECISION + _MARGIN)
    sure = [each.is_right for each in proved if each.is_resolved and each.confidence >= found]
    return {
        "threshold": found,
        "precision_wanted": PRECISION,
        "precision_held_out": _share(sure),
        "share_that_needs_confirmation": round(1 - len(sure) / max(len(proved), 1), 4),
        "bins": [_bin(every, low, high) for low, high in itertools.pairwise((0, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0000001))],
    }


def _bin(every: Sequence[Judged], low: float, high: float) -> dict[str, Any]:
    inside = [each for each in every if low <= each.confidence < high]
    mean = sum(each.confidence for each in inside) / max(len(inside), 1)
    return {"from": low, "count": len(inside), "confidence": round(mean, 4), "right": _share([each.is_right for each in inside])}


def _share(found: Sequence[bool]) -> float:
    return round(sum(found) / max(len(found), 1), 4)


def evaluate(folder: Path, count: int, *, is_held_out: bool = True, is_known: bool = True, seed: int = _SEED) -> list[Judged]:
    """Return judgements of so many texts."""
    master = Instruments.read()
    samples = list(itertools.islice(Generator(master, seed, is_held_out=is_held_out, is_known=is_known), count))
    found = answers(folder, [each.text for each in samples])
    return [judged(sample, answer, master) for sample, answer in zip(samples, found, strict=True)]


def of_people(folder: Path, data: Path) -> dict[str, Any]:
    """Return how many texts that people wrote are read right, and what is wrong with the others."""
    master, cases = Instruments.read(), [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    texts = [fold(case["text"]) for case in cases]
    wrong = []
    for case, text, answer in zip(cases, texts, answers(folder, [text.text for text in texts]), strict=True):
        found = reading.read(answer.written, text, master, answer.confidence).inquiry
        if said := differing(case["expect"], found):
            wrong.append({"text": case["text"], "wrong": said, "read": answer.written, "confidence": round(answer.confidence, 3)})
    return {"count": len(cases), "exact_match": round(1 - len(wrong) / len(cases), 4), "wrong": wrong}


def differing(expect: Mapping[str, Any], found: Inquiry) -> dict[str, str]:
    """Return the fields that were read otherwise than expected, each with what was read."""
    told = {name: value for name, value in asdict(found).items() if name != "is_several"}
    assert expect.keys() <= told.keys(), expect
    return {name: str(got) for name, got in told.items() if not _is_same(expect.get(name), got)}


def _is_same(wanted: Any, got: Any) -> bool:
    if isinstance(got, Decimal) and wanted is not None:
        return abs(float(wanted) - float(got)) <= 1e-6 * max(1.0, abs(float(wanted)))
    return bool(wanted == got)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report; the last line is JSON."""
    parser = argparse.ArgumentParser(prog="python -m otc.evaluate")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--seen", action="store_true", help="families and names of the training instead")
    parser.add_argument("--any-names", action="store_true", help="names as in training, half of them random, instead of the master's alone")
    parser.add_argument("--calibrate", action="store_true", help="write calibration.json beside the model")
    parser.add_argument("--errors", type=int, default=0, help="print so many texts that were read wrong")
    parser.add_argument("--data", type=Path, help="texts that people wrote")
    asked = parser.parse_args(arguments)
    if asked.data:
        report = of_people(asked.model, asked.data)
        for each in report.pop("wrong"):
            print(json.dumps(each, ensure_ascii=False))
        print(json.dumps(report))
        return
    every = evaluate(asked.model, asked.count, is_held_out=not asked.seen, is_known=not asked.any_names)
    for each in [each for each in every if not each.is_right][: asked.errors]:
        print(repr(each.sample.text), each.sample.family, f"{each.confidence:.3f}")
        print("   expected", own_text.write(each.sample.values))
        print("   read    ", {name: str(value) for name, value in asdict(each.found).items() if value is not None})
    found = calibration(every)
    report = {**scores(every), "calibration": found}
    if asked.calibrate:
        (asked.model / CALIBRATION).write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(report, ensure_ascii=False))


if __name__ == "__main__":
    main()
