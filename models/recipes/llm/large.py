"""A large model with random weights, for benches: 24 layers of width 1,024, 8 heads of keys and values, 32,000 tokens, 0.4 billion weights.

`python -m llm.large --root var/models` prints its folder; it takes about half a minute and 240 MB, and is there at once the second time.
What it says means nothing, and costs what a trained model of its size costs. Its tokenizer is made, not trained: bytes, then every pair
and triple of letters until there are enough.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import string
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from engine.llm.manifest import Source
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from llm import chatml, folder, tiny

LARGE = tiny.Tiny(
    weights="int4", accuracy_level=4, layers=24, hidden=1024, intermediate=3584, heads=16, kv_heads=8, head_dim=64, vocabulary=32_000,
    max_position=4096, name="large-random",
)  # fmt: skip
_LINK = ".large-{}"


def make(root: Path, large: tiny.Tiny = LARGE) -> Path:
    """Return the model's folder below `root`, made unless it is there: a link beside it remembers which it was."""
    digest = _digest(large)
    link = root / _LINK.format(digest[:16])
    if (link / "manifest.json").is_file():
        return link.resolve()
    facts = folder.Facts(
        name=large.name, end_ids=(tiny.END_ID, tiny.END_OF_TEXT_ID), bos_id=None, tokenizer=tokenizer(large.vocabulary),
        template=chatml.TEMPLATE, source=Source(f"random, seed {large.seed}", digest), licence="Apache-2.0", weights=large.weights,
        accuracy_level=large.accuracy_level, provider=large.provider, max_len=large.max_len,
    )  # fmt: skip
    architecture = large.architecture()
    made = folder.write(root, architecture, tiny.random_weights(architecture, large.weights, large.seed), facts)
    link.unlink(missing_ok=True)
    link.symlink_to(made.name)
    return made


def _digest(large: tiny.Tiny) -> str:
    """Over what was asked for and the recipe itself."""
    digest = hashlib.sha256(json.dumps(asdict(large), sort_keys=True).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def tokenizer(vocabulary: int) -> bytes:
    """Return a tokenizer.json of `vocabulary` ids, each of which stands for bytes."""
    special = [chatml.END_OF_TEXT, chatml.START, chatml.END]
    merges = list(itertools.islice(_merges(), vocabulary - len(special) - 256))
    tokens = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(pair) for pair in merges)]
    made = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in special])
    return json.dumps(json.loads(made.to_str()), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _merges() -> Iterator[tuple[str, str]]:
    letters = string.ascii_lowercase
    pairs = [(first, second) for first in ("Ġ", *letters) for second in letters]
    yield from pairs
    yield from (("".join(pair), letter) for pair in pairs for letter in letters)
    yield from ((f"Ġ{first}{second}", letter) for first in letters for second in letters for letter in letters)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the folder."""
    parser = argparse.ArgumentParser(prog="python -m llm.large")
    parser.add_argument("--root", type=Path, default=Path("var/models"))
    print(make(parser.parse_args(arguments).root))


if __name__ == "__main__":
    main()
