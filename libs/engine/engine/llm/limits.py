"""The budgets of an engine: what a deployment sets."""

from __future__ import annotations

from dataclasses import dataclass


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
