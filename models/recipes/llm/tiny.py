"""A tiny model with random weights, for tests, drills and small benches: everything real but its wisdom.

`make(root)` takes a tenth of a second and no other file. The same arguments give the same bytes, so the same digest. The tokenizer is
a byte-level BPE that was trained on a few sentences, so any text has tokens; the template is ChatML. Logits are spread wide, so that two
ways of computing them agree on the largest.

From an environment without onnx: `PYTHONPATH=models/recipes:libs/engine .venv-models/bin/python -m llm.tiny --root FOLDER` prints the
model's folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from engine.llm.manifest import Rope, Source
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from llm import chatml, folder
from llm.architecture import F32, Architecture
from llm.convert import rounded_weight
from llm.graph import Weight
from llm.products import Dense, Matrix

END_OF_TEXT_ID, START_ID, END_ID = 0, 1, 2
_SENTENCES = (
    "The bank approves the payment and the customer receives a message.",
    "Please explain why this transaction was declined, and what happens next.",
    'The answer is {"approved": true, "amount": 1200, "currency": "CNY"}.',
    "How do I report a lost card? Call the number on the back of the card.",
    "客户的付款已被银行批准，请查看交易记录。",
    "请说明这笔交易被拒绝的原因，以及下一步如何处理。",
)


@dataclass(frozen=True, slots=True)
class Tiny:
    """Sizes and seed. `weights`: fp32 or int4; with `accuracy_level` 4 int4 products round their input too.

    `tools`: its template has them.
    """

    family: str = "llama"
    weights: str = "fp32"
    accuracy_level: int = 0
    layers: int = 2
    hidden: int = 64
    intermediate: int = 128
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 16
    vocabulary: int = 384
    max_position: int = 4096
    max_len: int = 2048
    tied: bool = False
    provider: str = "cpu"
    name: str = "tiny"
    seed: int = 1
    tools: bool = False

    def architecture(self) -> Architecture:
        return Architecture(
            family=self.family, layers=self.layers, hidden=self.hidden, intermediate=self.intermediate, heads=self.heads,
            kv_heads=self.kv_heads, head_dim=self.head_dim, vocabulary=self.vocabulary, max_position=self.max_position,
            rope=Rope(10000.0, None), norm_epsilon=1e-5, tied=self.tied,
        )  # fmt: skip


def make(root: Path, tiny: Tiny | None = None) -> Path:
    """Write the model below `root` and return its folder."""
    tiny = tiny or Tiny()
    return folder.write(root, tiny.architecture(), random_weights(tiny.architecture(), tiny.weights, tiny.seed), facts(tiny))


def facts(tiny: Tiny) -> folder.Facts:
    stated = {name: value for name, value in asdict(tiny).items() if name != "tools" or value}
    digest = hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()
    return folder.Facts(
        name=tiny.name, end_ids=(END_ID, END_OF_TEXT_ID), bos_id=None, tokenizer=tokenizer(tiny.vocabulary),
        template=chatml.HERMES_TEMPLATE if tiny.tools else chatml.TEMPLATE, tool_format="hermes" if tiny.tools else None,
        source=Source(f"random, seed {tiny.seed}", digest), licence="Apache-2.0", weights=tiny.weights, accuracy_level=tiny.accuracy_level,
        provider=tiny.provider, max_len=tiny.max_len,
    )  # fmt: skip


def random_weights(architecture: Architecture, weights: str, seed: int) -> Weight:
    """Every tensor from a stream of its own, so that the order of asking does not matter."""
    shapes = architecture.shapes()

    def weight(name: str) -> Matrix:
        values = Dense(random_tensor(name, shapes[name], seed))
        return rounded_weight(name, values) if weights == "int4" else values

    return weight


def random_tensor(name: str, shape: tuple[int, ...], seed: int) -> F32:
    """Return values that keep activations near 1, and spread logits: products by 1/sqrt(in), the last by four times that."""
    stream = int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "little")
    values = np.random.Generator(np.random.Philox(stream)).standard_normal(shape, dtype=np.float32)
    if name.endswith("norm.weight"):
        return np.float32(1) + np.float32(0.1) * values
    if len(shape) == 1:
        return np.float32(0.1) * values
    if name.startswith("model.embed_tokens"):
        return values
    return values * np.float32((4 if name.startswith("lm_head") else 1) * shape[1] ** -0.5)


def tokenizer(vocabulary: int) -> bytes:
    """Return a tokenizer.json of exactly `vocabulary` ids, the first three those of ChatML."""
    special = [chatml.END_OF_TEXT, chatml.START, chatml.END]
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in special])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet, show_progress=False, min_frequency=1
    )
    made.train_from_iterator(_SENTENCES * 4, trainer)
    if made.get_vocab_size() != vocabulary:
        raise ValueError(f"a vocabulary of {vocabulary} cannot be made: {made.get_vocab_size()} was")
    return json.dumps(json.loads(made.to_str()), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the folder of the model that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m llm.tiny")
    parser.add_argument("--root", type=Path, default=Path("var/models"))
    for field, default in asdict(Tiny()).items():
        if not isinstance(default, bool):
            parser.add_argument(f"--{field.replace('_', '-')}", type=type(default), default=default)
    asked = vars(parser.parse_args(arguments))
    root = asked.pop("root")
    print(make(root, Tiny(**asked)))


if __name__ == "__main__":
    main()
