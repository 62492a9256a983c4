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
NO_HANDOFF_ENGINE = "NO_HANDOFF_ENGINE"
"""The worker with room takes nothing over, whatever the scenario wants."""
_TELLING_BYTES, _SMOOTHING = 1 << 20, 0.1
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


class Transfers:
    """What moving keys and values costs, from those that were moved lately."""

    def __init__(self, s_per_byte: float = 1e-9, read_s: float = 0.002) -> None:
        self._s_per_byte = s_per_byte
        self._read_s = read_s

    def note(self, moved_bytes: int, took_ms: float) -> None:
        """Take one transfer; small ones say nothing about the rate."""
        if moved_bytes >= _TELLING_BYTES:
            self._s_per_byte += _SMOOTHING * (took_ms / 1000 / moved_bytes - self._s_per_byte)

    def rates(self, read_tokens_per_s: float, token_bytes: int) -> Rates:
        """Return the rates for a worker that reads so fast, and for the size of its keys and values."""
        return Rates(1 / read_tokens_per_s if read_tokens_per_s > 0 else self._read_s, self._s_per_byte * token_bytes)


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
