"""Whether an engine may be asked for one more. Pure.

Surprising: what cannot begin in time is refused at once, although it would fit. A caller who is told now asks somebody else; one who
waits for nothing keeps a row from others.
"""

from __future__ import annotations

from finmesh.inference.v1.worker_pb2 import WorkerLoad
from meshkit.errors import DeadlineExceeded, Overloaded

RETRY_AFTER_S = 0.5


def expected_s(load: WorkerLoad, prompt_tokens: int) -> float:
    """Return how long the first token takes at least: prompts ahead and its own are read, then one step.

    ``prompt_tokens``: to be read here. What was not measured yet takes no time.
    """
    read_s = 0.0
    if prompt_tokens and load.prefill_tokens_per_s > 0:
        read_s = (load.prefill_tokens + prompt_tokens) / load.prefill_tokens_per_s
    return read_s + load.step_ms / 1000


def admit(load: WorkerLoad, prompt_tokens: int, left_s: float, most_queued: int) -> None:
    """Raise Overloaded (OVERLOADED) for a full queue, DeadlineExceeded (DEADLINE_TOO_NEAR) when no token can come in ``left_s``."""
    if load.queued >= most_queued:
        raise Overloaded(f"{most_queued} requests wait already", retry_after_s=RETRY_AFTER_S)
    if expected_s(load, prompt_tokens) > left_s:
        raise DeadlineExceeded("too little time is left for a first token", reason="DEADLINE_TOO_NEAR")
