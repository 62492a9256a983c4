"""What a prompt that was read before saves: its first token cold, and again."""

import statistics

from bench.llm.closed_loop import ask, request
from bench.llm.requests import Prompts
from bench.llm.site import NEVER, TENANT
from bench.site import Site

PROMPT_TOKENS = 1_000
_TIMES = 5


async def prefix_gain(site: Site, prompts: Prompts) -> dict[str, float]:
    """Medians, milliseconds. Raises LookupError when nothing was found again."""
    cold, warm = [], []
    async with site.assistant() as door:
        for prompt in prompts(_TIMES, PROMPT_TOKENS):
            asked = request(TENANT, NEVER, prompt, 2)
            cold.append((await ask(door, asked)).ttft_ms)
            again = await ask(door, asked)
            warm.append(again.ttft_ms)
            if not again.cached_tokens:
                raise LookupError("a prompt that was read a moment ago was not found in the prefix store")
    return {"prefix_ttft_cold_ms": statistics.median(cold), "prefix_ttft_warm_ms": statistics.median(warm)}
