"""The budgets of an engine: what a deployment sets."""

from __future__ import annotations

from dataclasses import dataclass

SMALLEST_CHUNK, LARGEST_CHUNK = 16, 128


@dataclass(frozen=True, slots=True)
class Limits:
    """Rows and bytes are budgets of a deployment. ``max_len``: None is the manifest's. ``chunk_tokens``: most tokens of prompts that a step
    reads; None: as many as leave a step under ``step_ms``, as measured at the start."""

    rows: int = 16
    max_len: int | None = None
    queue: int = 64
    prefix_store_bytes: int = 256 << 20
    chunk_tokens: int | None = None
    step_ms: float = 250.0
    owner_silence_s: float = 5.0
    cache_events_kept: int = 4096

    def check(self, max_position: int) -> None:
        """Raise ValueError for what an engine cannot be; ``max_position``: of its model."""
        if self.rows < 1 or self.queue < 0 or self.prefix_store_bytes < 0:
            raise ValueError(f"{self.rows} rows, a queue of {self.queue}, {self.prefix_store_bytes} bytes of prefixes")
        if self.chunk_tokens is not None and not SMALLEST_CHUNK <= self.chunk_tokens <= LARGEST_CHUNK:
            raise ValueError(f"a chunk has {SMALLEST_CHUNK} to {LARGEST_CHUNK} tokens, not {self.chunk_tokens}")
        if self.max_len is not None and not 2 <= self.max_len <= max_position:
            raise ValueError(f"a row has 2 to {max_position} tokens, as the model's positions, not {self.max_len}")
