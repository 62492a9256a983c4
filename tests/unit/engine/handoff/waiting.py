"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable


def until(done: Callable[[], object], most_s: float = 20.0) -> None:
    """Return once ``done()`` is true. Raises AssertionError after ``most_s``, before the lease of what is never freed ends."""
    over = time.monotonic() + most_s
    while not done():
        assert time.monotonic() < over, "it did not happen"
        time.sleep(0.001)
