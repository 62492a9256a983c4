"""`python -m encoder --from FOLDER`: an encoder that is ONNX already, with its tokenizer.json, into `var/models`; prints its folder.

What the files do not say is an argument. Names of inputs are found by what they are usually called; a second text's input gets zeros. An
output of three axes is pooled. Exit status 1 with one line when it cannot be served.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.encoder.manifest import FIRST, MEAN, WHOLE
from llm.folder import lead_to

from encoder.errors import EncoderError
from encoder.folder import DEFAULT
from encoder.foreign import Choices, take


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(prog="python -m encoder", description=__doc__)
    parser.add_argument(
        "--from", dest="folder", type=Path, required=True, help="folder with model.onnx (or onnx/model.onnx), tokenizer.json"
    )
    parser.add_argument("--root", type=Path, default=Path("var/models"))
    parser.add_argument("--name", default="")
    parser.add_argument("--licence", default="not stated")
    parser.add_argument("--query-prefix", default="")
    parser.add_argument("--passage-prefix", default="")
    parser.add_argument("--output", default="", help="of the graph; its first when none is named")
    parser.add_argument("--pooling", choices=(MEAN, FIRST, WHOLE), default="", help="of an output for each piece; mean unless named")
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--default", action="store_true", help="the mesh serves it unless it is told otherwise")
    asked = parser.parse_args(arguments)
    choices = Choices(
        name=asked.name, licence=asked.licence, query_prefix=asked.query_prefix, passage_prefix=asked.passage_prefix,
        output=asked.output, pooling=asked.pooling, max_tokens=asked.max_tokens,
    )  # fmt: skip
    try:
        folder = take(asked.folder, asked.root, choices)
        if asked.default:
            lead_to(folder, DEFAULT)
    except (EncoderError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
