"""Which hand-offs are spoilt and how, by the hand-off's id alone; and the count of those that were."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path

KINDS = ("short_read", "flipped_bit", "stale_epoch", "version_skew", "expired_lease", "overload")
SHARE = 0.03
"""Of all hand-offs, for each kind."""
FILE = "spoilt.txt"
"""In an engine's folder (`localmesh.engines.folder_of`): one line for each hand-off that was spoilt, kind and id."""


def draw(handoff_id: str, epoch: int, share: float = SHARE) -> str:
    """Return how a hand-off is to be spoilt, empty for not at all. Only the first epoch is, so that the next one can mend it."""
    if epoch != 1:
        return ""
    place = int.from_bytes(blake2b(handoff_id.encode(), digest_size=8).digest()) / 2**64 / share
    return KINDS[int(place)] if place < len(KINDS) else ""


def heals(handoff_id: str) -> bool:
    """Whether a second pull finds right what the first found spoilt: half of them."""
    return blake2b(handoff_id.encode(), digest_size=1, person=b"heals").digest()[0] % 2 == 0


class Count:
    """Appends to the file of one engine; a line is written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def __call__(self, kind: str, handoff_id: str) -> None:
        """Write down that a hand-off was spoilt."""
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, f"{kind} {handoff_id}\n".encode())
        finally:
            os.close(descriptor)


def counted(file: Path) -> dict[str, int]:
    """Return how many hand-offs of each kind an engine has spoilt so far; none without a file."""
    lines = file.read_text(encoding="ascii").splitlines() if file.exists() else []
    kinds = [line.partition(" ")[0] for line in lines]
    return {kind: kinds.count(kind) for kind in KINDS}
