"""When each part of a batch began and ended, so that spans can be written afterwards for the few messages that are recorded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Timeline:
    """Parts by name with start and end in nanoseconds since the epoch, in order."""

    parts: list[tuple[str, int, int]] = field(default_factory=list)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time a block."""
        start_ns = time.time_ns()
        try:
            yield
        finally:
            self.parts.append((name, start_ns, time.time_ns()))
