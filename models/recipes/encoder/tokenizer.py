"""tokenizer.json out of pieces: XLM-R's normalisation, words by white space, the likeliest pieces, begin and end.

Pieces with a letter of a script that is neither Latin nor Chinese nor Japanese are left out, because the table of pieces is four fifths of
the model; single characters of every script stay, so that a name in Greek or Russian is still read, letter by letter. A text of kept
scripts has the pieces that it had before: what was left out could not stand in it.
"""

from __future__ import annotations

import base64
import json
import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from encoder.charsmap import build
from encoder.packed_file import Packed

SPACE = "▁"
_KEPT_SCRIPTS = ("LATIN ", "FULLWIDTH LATIN ", "CJK ", "IDEOGRAPHIC ", "HIRAGANA ", "KATAKANA", "BOPOMOFO ", "MODIFIER ", "COMBINING ")


def kept(packed: Packed) -> npt.NDArray[np.int64]:
    """Return the ids of the pieces that stay, in order."""
    special = {packed.bos_id, packed.eos_id, packed.pad_id, packed.unk_id}
    return np.array([at for at, piece in enumerate(packed.pieces) if at in special or is_kept(piece)], np.int64)


def is_kept(piece: str) -> bool:
    """Whether a piece is one character, or has no letter of a script that is left out."""
    bare = piece.removeprefix(SPACE)
    return len(bare) <= 1 or all(
        unicodedata.category(each)[0] not in "LM" or unicodedata.name(each, "").startswith(_KEPT_SCRIPTS) for each in bare
    )


def make(packed: Packed, ids: npt.NDArray[np.int64]) -> bytes:
    """Return tokenizer.json of the pieces with these ids, numbered anew from 0."""
    place = {int(old): new for new, old in enumerate(ids)}
    vocabulary = [[packed.pieces[at], float(packed.scores[at])] for at in ids]
    special = {packed.pieces[old]: place[old] for old in (packed.bos_id, packed.pad_id, packed.eos_id, packed.unk_id)}
    begin, end = packed.pieces[packed.bos_id], packed.pieces[packed.eos_id]
    document: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": _normalizer(packed.normal),
        "pre_tokenizer": _pre_tokenizer(),
        "post_processor": _post_processor(begin, end, special),
        "decoder": {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True},
        "model": {"type": "Unigram", "unk_id": place[packed.unk_id], "vocab": vocabulary, "byte_fallback": False},
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _normalizer(normal: Mapping[int, str]) -> dict[str, Any]:
    """Composed characters first: the table knows single code points."""
    table = base64.b64encode(build(normal)).decode("ascii")
    parts = [
        {"type": "NFC"},
        {"type": "Precompiled", "precompiled_charsmap": table},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
    ]
    return {"type": "Sequence", "normalizers": parts}


def _pre_tokenizer() -> dict[str, Any]:
    words = [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}]
    return {"type": "Sequence", "pretokenizers": words}


def _post_processor(begin: str, end: str, special: Mapping[str, int]) -> dict[str, Any]:
    def marked(piece: str) -> dict[str, Any]:
        return {"SpecialToken": {"id": piece, "type_id": 0}}

    text = {"Sequence": {"id": "A", "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [marked(begin), text, marked(end)],
        "pair": [marked(begin), text, marked(end), {"Sequence": {"id": "B", "type_id": 0}}, marked(end)],
        "special_tokens": {piece: {"id": piece, "ids": [special[piece]], "tokens": [piece]} for piece in (begin, end)},
    }
