"""Half-open intervals of validity: what a newer version leaves of an older one."""

from __future__ import annotations

from collections.abc import Iterable

Interval = tuple[int, int]


def overlap(one: Interval, other: Interval) -> bool:
    """Whether two intervals have a moment in common."""
    return one[0] < other[1] and other[0] < one[1]


def without(whole: Interval, taken: Iterable[Interval]) -> list[Interval]:
    """Return what is left of an interval, in order; nothing of an empty one."""
    left = [whole] if whole[0] < whole[1] else []
    for start, end in taken:
        if start >= end:
            continue
        left = [piece for first, last in left for piece in ((first, min(last, start)), (max(first, end), last)) if piece[0] < piece[1]]
    return left
