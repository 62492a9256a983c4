"""Questions whose answers are known, `known_answers.json` beside a model: what engines are asked again and again, to find wrong ones.

Surprising: the answers are the model's own, greedily, as its graph gives them here; of many questions those are kept whose answers are
the clearest (at every token the best is far better than the second best), so that another machine, which sums in another order, gives the
same. The file is no part of the model: it names the model's digest.

`python -m llm.known_answers FOLDER` makes it for a model that is there already, or for one that this machine's recipe could not run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from engine.llm import manifest as manifests
from engine.llm.loading import WrongProviderError, load
from engine.llm.runner import Runner
from tokenizers import Tokenizer

FILE, VERSION = "known_answers.json", 1
TOKENS, KEPT, MOST_PROMPT = 8, 4, 32
TOLERANCE = {0: 0.1, 4: 0.5}
"""Of log-probabilities, by accuracy level: activations that are rounded to 8 bits differ more between machines."""
_QUESTIONS = (
    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10,",
    "Monday, Tuesday, Wednesday, Thursday,",
    "January, February, March, April, May,",
    "a b c d e f g h i j k l m",
    "one two three four five six",
    "red green blue red green blue red green blue red",
    "The capital of France is Paris. The capital of Italy is Rome. The capital of Spain is",
    "2 + 2 = 4. 3 + 3 = 6. 4 + 4 = 8. 5 + 5 =",
    "yes no yes no yes no yes no yes no yes",
    "The bank approves the payment. The bank approves the payment. The bank approves",
    "一二三四五六七八九",
    "付款已批准。付款已批准。付款已批准。付款",
)


@dataclass(frozen=True, slots=True)
class _Answer:
    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    margins: tuple[float, ...]


def is_possible(provider: str) -> bool:
    """Whether this machine can run models that were made for a provider."""
    return {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[provider] in ort.get_available_providers()


def make(folder: Path) -> Path:
    """Write the file into a model's folder, at one go, and return it. Raises OSError, ValueError, what `load` raises."""
    model = load(folder)
    manifest = model.manifest
    runner = Runner(model, 1, MOST_PROMPT + TOKENS + 2)
    answers = [answer for prompt in _prompts(model.tokenizer_json, manifest) if (answer := _answered(runner, manifest, prompt))]
    if not answers:
        raise ValueError(f"{manifest.name} ends every answer at once: nothing can be known of it")
    kept = sorted(answers, key=lambda answer: -min(answer.margins))[:KEPT]
    document = {
        "version": VERSION,
        "model_digest": manifest.digest,
        "tolerance": TOLERANCE[manifest.quantisation.accuracy_level],
        "answers": [
            {"prompt_tokens": each.prompt, "tokens": each.tokens, "logprobs": each.logprobs, "margins": each.margins} for each in kept
        ],
    }
    with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=folder, prefix=f".{FILE}-", delete=False) as file:
        file.write(json.dumps(document, indent=1) + "\n")
    fresh = Path(file.name)
    fresh.chmod(0o644)
    return fresh.replace(folder / FILE)


def _prompts(tokenizer_json: str, manifest: manifests.Manifest) -> Iterator[tuple[int, ...]]:
    tokenizer = Tokenizer.from_str(tokenizer_json)
    start = () if manifest.bos_id is None else (manifest.bos_id,)
    for question in _QUESTIONS:
        ids = (*start, *tokenizer.encode(question, add_special_tokens=False).ids)[-MOST_PROMPT:]
        if len(ids) > 1:
            yield ids


def _answered(runner: Runner, manifest: manifests.Manifest, prompt: tuple[int, ...]) -> _Answer | None:
    """The greedy answer; None when it ends before its time."""
    tokens: list[int] = []
    logprobs, margins = [], []
    logits = runner.read(0, np.asarray(prompt, dtype=np.int64), 0)[0].astype(np.float64)
    while True:
        token = int(logits.argmax())
        if token in manifest.end_ids:
            return None
        second, best = np.partition(logits, -2)[-2:]
        tokens.append(token)
        logprobs.append(round(float(-np.log(np.exp(logits - best).sum())), 5))
        margins.append(round(float(best - second), 5))
        if len(tokens) == TOKENS:
            return _Answer(prompt, tuple(tokens), tuple(logprobs), tuple(margins))
        logits = runner.write([0], [token], [len(prompt) + len(tokens) - 1])[0].astype(np.float64)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 with one line when it cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m llm.known_answers")
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args(arguments)
    try:
        print(make(asked.folder))
    except (WrongProviderError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
