"""The growing tree as C2SP tiles: an append touches the right edge alone, a proof reads a few tiles.

A tile row holds up to 256 hashes of one level; hashes between tile levels are never stored, they are folded when asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from translog.errors import NotFoundError, TamperedError
from translog.merkle import EMPTY_ROOT, HASH_BYTES, fold, node_hash

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT

TileKey = tuple[int, int]
"""(level, index of the tile within its level)"""


def split(tile: bytes) -> list[bytes]:
    """The hashes a tile is made of."""
    return [tile[i : i + HASH_BYTES] for i in range(0, len(tile), HASH_BYTES)]


def partial_width(size: int, level: int) -> int:
    """Hashes in the partial tile of `level` for a tree of `size` leaves; 0 where there is none."""
    return (size >> (TILE_HEIGHT * level)) % TILE_WIDTH


def tiles_of(size: int) -> Iterable[tuple[int, int, int]]:
    """(level, tile index, width) of every tile of a tree of `size` leaves, partial ones last within a level."""
    level, hashes = 0, size
    while hashes:
        full, rest = divmod(hashes, TILE_WIDTH)
        yield from ((level, n, TILE_WIDTH) for n in range(full))
        if rest:
            yield level, full, rest
        level, hashes = level + 1, full


class Frontier:
    """The right edge: for every tile level, the hashes of its partial tile. Enough to append and to compute the root."""

    def __init__(self) -> None:
        self.size = 0
        self._edges: list[list[bytes]] = []

    @classmethod
    def load(cls, size: int, tile: Callable[[int, int], bytes]) -> "Frontier":
        """Read the right edge of a tree of `size` leaves; `tile(level, index)` gives stored bytes. Raises TamperedError."""
        edge = cls()
        edge.size = size
        level = 0
        while size >> (TILE_HEIGHT * level):
            width = partial_width(size, level)
            stored = tile(level, size >> (TILE_HEIGHT * (level + 1))) if width else b""
            if len(stored) < width * HASH_BYTES:
                raise TamperedError(f"the partial tile of level {level} has {len(stored)} bytes, {width} hashes were signed")
            edge._edges.append(split(stored[: width * HASH_BYTES]))
            level += 1
        return edge

    def append(self, leaves: Sequence[bytes]) -> dict[TileKey, bytes]:
        """Add leaf hashes; returns every tile that changed, whole. O(len(leaves)) hashes."""
        changed: dict[TileKey, bytes] = {}
        level, pending = 0, list(leaves)
        while pending:
            if level == len(self._edges):
                self._edges.append([])
            row = self._edges[level] + pending
            first = self.size >> (TILE_HEIGHT * (level + 1))
            full = len(row) // TILE_WIDTH
            pending = []
            for n in range(full):
                hashes = row[n * TILE_WIDTH : (n + 1) * TILE_WIDTH]
                changed[level, first + n] = b"".join(hashes)
                pending.append(fold(hashes))
            self._edges[level] = row[full * TILE_WIDTH :]
            if self._edges[level]:
                changed[level, first + full] = b"".join(self._edges[level])
            level += 1
        self.size += len(leaves)
        return changed

    def root(self) -> bytes:
        """Root of the whole tree."""
        root: bytes | None = None
        for edge in self._edges:
            end = len(edge)
            while end:
                width = end & -end
                peak = fold(edge[end - width : end])
                root = peak if root is None else node_hash(peak, root)
                end -= width
        return EMPTY_ROOT if root is None else root


class TileTree:
    """Roots and proofs of any size up to the log's, from tiles. `read(level, index)` returns stored bytes and may raise NotFoundError."""

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        self.size = size
        self._tile = lru_cache(maxsize=256)(lambda level, index: split(read(level, index)))

    def root_at(self, size: int) -> bytes:
        """Root of the first `size` leaves."""
        self._check_size(size)
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """PATH(index, D[size]) of RFC 9162 section 2.1.3.1."""
        self._check_size(size)
        if not 0 <= index < size:
            raise NotFoundError(f"no leaf {index} in a tree of size {size}")
        path: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._range(middle, end))
                end = middle
            else:
                path.append(self._range(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """PROOF(old, D[new]) of RFC 9162 section 2.1.4.1; empty for an empty old tree or equal sizes."""
        self._check_size(new)
        if not 0 <= old <= new:
            raise NotFoundError(f"no tree of size {old} within {new}")
        if old in (0, new):
            return []
        path: list[bytes] = []
        start, end, whole = 0, new, True
        while old != end:
            middle = start + _split(end - start)
            if old <= middle:
                path.append(self._range(middle, end))
                end = middle
            else:
                path.append(self._range(start, middle))
                start, whole = middle, False
        if not whole:
            path.append(self._range(start, end))
        return path[::-1]

    def _range(self, start: int, end: int) -> bytes:
        """MTH(D[start:end]); `start` is aligned as the recursion of the RFC leaves it."""
        width = end - start
        if width & (width - 1) == 0:
            return self._node(width.bit_length() - 1, start // width)
        middle = start + _split(width)
        return node_hash(self._range(start, middle), self._range(middle, end))

    def _node(self, level: int, index: int) -> bytes:
        tile_level, inner = divmod(level, TILE_HEIGHT)
        tile, offset = divmod(index << inner, TILE_WIDTH)
        hashes = self._tile(tile_level, tile)[offset : offset + (1 << inner)]
        if len(hashes) != 1 << inner:
            raise TamperedError(f"tile {tile_level}/{tile} is shorter than the tree needs")
        return fold(hashes)

    def _check_size(self, size: int) -> None:
        if not 0 <= size <= self.size:
            raise NotFoundError(f"no tree of size {size}: the log has {self.size} leaves")


def _split(width: int) -> int:
    """Largest power of two below `width`."""
    return 1 << ((width - 1).bit_length() - 1)
