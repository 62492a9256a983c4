"""`python -m llm --from PATH`: a Hugging Face folder or a GGUF file into `var/models`; prints the model's folder.

Exit status 1 with one line that names file and field when it cannot be converted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from engine.llm.fields import MalformedManifestError
from engine.llm.manifest import DEFAULT_MAX_LEN

from llm.convert import Choices, convert
from llm.errors import ModelError

_BAR = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(prog="python -m llm", description=__doc__)
    parser.add_argument("--from", dest="path", type=Path, required=True)
    parser.add_argument("--root", type=Path, default=Path("var/models"))
    parser.add_argument("--quantise", choices=("int4", "fp32"))
    parser.add_argument("--accuracy-level", type=int, choices=(0, 4), help="4 rounds activations to 8 bits inside each product")
    parser.add_argument("--provider", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--max-len", type=int, default=DEFAULT_MAX_LEN)
    parser.add_argument("--name")
    parser.add_argument("--licence")
    asked = parser.parse_args(arguments)
    choices = Choices(**{each.name: getattr(asked, each.name) for each in fields(Choices) if hasattr(asked, each.name)})
    try:
        folder = convert(asked.path, asked.root, choices, _progress if sys.stderr.isatty() else lambda *_: None)
    except (ModelError, MalformedManifestError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(folder)
    return 0


def _progress(what: str, done: int, count: int) -> None:
    filled = _BAR * done // count
    print(f"\r{what} {'#' * filled}{'.' * (_BAR - filled)} {done}/{count}", end="\n" if done == count else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
