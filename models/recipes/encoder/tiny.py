"""A tiny encoder with random weights, for tests: everything real but its wisdom. The same arguments give the same bytes.

Its pieces are ASCII and a few Chinese characters and words; its file can be written as the package writes it (`content`), its folder in a
tenth of a second.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from engine.llm.manifest import Source

from encoder.calibrate import measure
from encoder.e5 import convert
from encoder.packed_file import BLOCK, F32, MAGIC, VERSION, Blocks, Packed

_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_WORDS = ("▁", "▁the", "▁bank", "▁payment", "query", "passage", "银行", "保险", "付款", "▁на", "на")
_TEXTS = ("the bank approves the payment", "银行批准付款", "保险 the payment 12%", "query: passage: a-b")
HIDDEN, LAYERS, HEADS, WIDE, POSITIONS = 64, 2, 4, 128, 128


def make(root: Path, seed: int = 1) -> Path:
    """Return the folder of the encoder below ``root``."""
    packed = tiny(seed)
    return convert(packed, root, Source(f"tiny {seed}", f"{seed:064x}"), measure(packed, _TEXTS))


def tiny(seed: int = 1) -> Packed:
    random = np.random.default_rng(seed)
    pieces = (*_SPECIAL, *_WORDS, *(chr(code) for code in range(33, 127)), *"的了银行保险付款公司中文我们条款")
    pieces = tuple(dict.fromkeys(pieces))
    scores = np.array([0.0] * 4 + [-2.0 - at / 50 for at in range(len(pieces) - 4)], np.float32)

    def matrix(out: int, width: int) -> Blocks:
        packed = random.integers(0, 256, (out * width // BLOCK, BLOCK // 2), np.uint8)
        return Blocks(packed, (random.uniform(0.5, 1.5, len(packed)) / (4 * np.sqrt(width))).astype(np.float16).astype(np.float32))

    def floats(size: int, middle: float = 0.0) -> F32:
        return (middle + random.standard_normal(size) / 10).astype(np.float32)

    tensors: dict[str, F32 | Blocks] = {
        "emb.word": matrix(len(pieces), HIDDEN), "emb.pos": floats(POSITIONS * HIDDEN), "emb.type": floats(2 * HIDDEN),
        "emb.ln.w": floats(HIDDEN, 1.0), "emb.ln.b": floats(HIDDEN),
    }  # fmt: skip
    for at in (f"l{layer}" for layer in range(LAYERS)):
        for name, out, width in (*((each, HIDDEN, HIDDEN) for each in ("q", "k", "v", "ao")), ("fi", WIDE, HIDDEN), ("fo", HIDDEN, WIDE)):
            tensors[f"{at}.{name}.w"], tensors[f"{at}.{name}.b"] = matrix(out, width), floats(out)
        for name in ("aln", "oln"):
            tensors[f"{at}.{name}.w"], tensors[f"{at}.{name}.b"] = floats(HIDDEN, 1.0), floats(HIDDEN)
    return Packed(
        hidden=HIDDEN, layers=LAYERS, heads=HEADS, feed_forward=WIDE, max_positions=POSITIONS, epsilon=1e-12,
        bos_id=0, pad_id=1, eos_id=2, unk_id=3, pieces=pieces, scores=scores,
        normal={9: " ", 10: " ", 0x3000: " ", 0xFF01: "!", 0xB2: "2", 0x1F: ""}, tensors=tensors,
    )  # fmt: skip


def content(packed: Packed) -> bytes:
    """Return the bytes of the file that holds this."""
    texts = [piece.encode() for piece in packed.pieces]
    offsets = np.cumsum([0, *map(len, texts)]).astype("<u4")
    normal = b"".join(struct.pack(f"<IB{len(to)}I", code, len(to), *map(ord, to)) for code, to in sorted(packed.normal.items()))
    sizes = (packed.hidden, packed.layers, packed.heads, packed.feed_forward, len(texts), packed.max_positions, 2)
    head = MAGIC + struct.pack("<I7ifi", VERSION, *sizes, packed.epsilon, BLOCK)
    head += struct.pack("<5iQ", len(texts), packed.bos_id, packed.eos_id, packed.pad_id, packed.unk_id, sum(map(len, texts)))
    head += offsets.tobytes() + packed.scores.astype("<f4").tobytes() + b"".join(texts)
    head += struct.pack("<iI", len(packed.normal), len(normal)) + normal
    bodies = {name: _body(tensor) for name, tensor in packed.tensors.items()}
    at = len(head) + 4 + sum(2 + len(name) + 21 for name in bodies)
    directory = struct.pack("<i", len(bodies))
    for name, body in bodies.items():
        kind, count = int(isinstance(packed.tensors[name], Blocks)), len(body) // 4
        directory += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, count, at, len(body))
        at += len(body)
    return head + directory + b"".join(bodies.values())


def _body(tensor: F32 | Blocks) -> bytes:
    if isinstance(tensor, np.ndarray):
        return tensor.astype("<f4").tobytes()
    raw = np.empty(len(tensor.scales), np.dtype([("scale", "<f2"), ("packed", "u1", BLOCK // 2)]))
    raw["scale"], raw["packed"] = tensor.scales, tensor.packed
    return raw.tobytes()
