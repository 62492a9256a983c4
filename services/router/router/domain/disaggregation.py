"""Whether the prompt is read by a prefill worker, whose keys and values are handed over, or by the decode worker itself.

By scenario: always, never, or auto: handed over when enough tokens are not cached and the transfer costs less than what reading them would
hold up the answers that run there already. The reason is recorded with the generation.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

ALWAYS, NEVER, BELOW_THRESHOLD = "ALWAYS", "NEVER", "BELOW_THRESHOLD"
TRANSFER_DEARER, INTERFERENCE = "TRANSFER_DEARER", "INTERFERENCE"
PREFILL_DOWN, PREFILL_BUSY, PROMPT_TINY = "PREFILL_DOWN", "PREFILL_BUSY", "PROMPT_TINY"
_LEAST_TOKENS = 2
"""A shorter prompt has nothing to hand over: the decode side computes the last token anyway."""


class Mode(Enum):
    """What a scenario wants."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Rates:
    """What the engines measured: seconds a token for reading a prompt at decode, and for moving its keys and values there."""

    read_s: float
    transfer_s: float
    transfer_fixed_s: float = 0.005


@dataclass(frozen=True, slots=True)
class Way:
    """How a prompt is read, and why."""

    is_handed_over: bool
    reason: str


def way(mode: Mode, threshold_tokens: int, prompt_tokens: int, cached_tokens: int, running: int, rates: Rates) -> Way:
    """Return how a prompt is read. ``cached_tokens``: held by the decode worker; ``running``: answers that it writes now."""
    if mode is Mode.NEVER:
        return Way(False, NEVER)
    if prompt_tokens < _LEAST_TOKENS:
        return Way(False, PROMPT_TINY)
    if mode is Mode.ALWAYS:
        return Way(True, ALWAYS)
    missing = prompt_tokens - cached_tokens
    if missing < threshold_tokens:
        return Way(False, BELOW_THRESHOLD)
    held_up_s = missing * rates.read_s * running
    return Way(True, INTERFERENCE) if rates.transfer_fixed_s + missing * rates.transfer_s < held_up_s else Way(False, TRANSFER_DEARER)
