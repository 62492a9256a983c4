"""What the legs of a generation used, together."""

from __future__ import annotations

from collections.abc import Sequence

from router.domain.generation import Usage


def summed(legs: Sequence[Usage], output_tokens: int, prompt_tokens: int) -> Usage:
    """Return what all legs used together. ``output_tokens``: what was sent; what was computed beyond it is shadow to nobody.

    Prompt tokens count once however often they were read; accelerators are named in the order of their legs, each once.
    """
    names = list(dict.fromkeys(leg.accelerator for leg in legs if leg.accelerator))
    return Usage(
        prompt_tokens=prompt_tokens,
        cached_tokens=max((leg.cached_tokens for leg in legs), default=0),
        output_tokens=output_tokens,
        shadow_tokens=sum(leg.shadow_tokens for leg in legs),
        accelerator=", ".join(names),
        busy_ms=sum(leg.busy_ms for leg in legs),
        energy_j=sum(leg.energy_j for leg in legs),
        is_energy_measured=bool(legs) and all(leg.is_energy_measured for leg in legs),
    )
