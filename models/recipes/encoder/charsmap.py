"""The normalisation of the tokenizer as the table that SentencePiece keeps it in: a double array over UTF-8, then the texts it leads to.

Every cell is 32 bits: the label of the byte that leads into it (bits 0 to 7), whether a text ends there (bit 8), how far its children are
(bits 10 to 30, shifted left by 8 when bit 9 is set). The cell of a child is (parent's base) XOR its byte; the cell at the base itself holds
the place of the text, marked by bit 31. Surprising: no two parents may have the same base, or one would find the other's children.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_NEAR, _FAR_SHIFT, _LEAF, _LOOK_BACK = 1 << 21, 8, 1 << 31, 64


class _Node:
    def __init__(self) -> None:
        self.children: dict[int, _Node] = {}
        self.value: int | None = None


def build(normal: Mapping[int, str]) -> bytes:
    """Return the table for code points and what they become. A code point of value 0 cannot stand in it."""
    texts, root = bytearray(), _Node()
    for code, text in sorted(normal.items()):
        node = root
        for byte in chr(code).encode("utf-8"):
            node = node.children.setdefault(byte, _Node())
        node.value = len(texts)
        texts += text.encode("utf-8") + b"\0"
    cells = _Cells().laid(root)
    return struct.pack(f"<I{len(cells)}I", 4 * len(cells), *cells) + bytes(texts)


class _Cells:
    def __init__(self) -> None:
        self._cells: dict[int, int] = {0: 0}
        self._bases: set[int] = set()
        self._from = 1

    def laid(self, root: _Node) -> list[int]:
        self._place(root, 0, 0)
        return [self._cells.get(at, 0) for at in range(-(-(max(self._cells) + 1) // 256) * 256)]

    def _place(self, node: _Node, at: int, label: int) -> None:
        wanted = sorted(node.children) + ([0] if node.value is not None else [])
        base = self._free(wanted)
        self._bases.add(base)
        for byte in wanted:
            self._cells[base ^ byte] = 0
        distance = at ^ base
        far = 0 if distance < _NEAR else 1 << 9
        has_text = 0 if node.value is None else 1 << 8
        self._cells[at] = label | has_text | far | (distance >> (_FAR_SHIFT if far else 0)) << 10
        if node.value is not None:
            self._cells[base] = node.value | _LEAF
        for byte, child in node.children.items():
            self._place(child, base ^ byte, byte)

    def _free(self, wanted: list[int]) -> int:
        """A base whose cells are all free, near where the last one was found: room is cheap, a search from the beginning is not."""
        for base in range(self._from, _NEAR):
            if base not in self._bases and not any(base ^ byte in self._cells for byte in wanted):
                self._from = max(1, base - _LOOK_BACK)
                return base
        raise ValueError("the table has no room")
