"""Time between the tokens of four running answers while long prompts arrive: read in chunks beside them, or by another engine.

Both engines share the machine's cores here, so that all PD can gain is that nobody waits for somebody else's chunk; with devices of their
own they would share nothing. That is said beside the figure, and not measured on a machine without them.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from finmesh_client import GatewayClient
from provisioning.engines import Sizes

from bench.llm import site as sites
from bench.llm.closed_loop import Times, ask, request
from bench.llm.requests import Prompts
from bench.llm.site import ALWAYS, NEVER, TENANT

CHUNKS = (32, 64, 128)
STREAMS, LONG_PROMPT_TOKENS = 4, 1_000
_ANSWER_TOKENS, _LONG_PROMPTS = 256, 6


async def isolation(var: Path | None, model: Path, sizes: Sizes, prompts: Prompts, say: Callable[[str], None]) -> dict[str, float]:
    """p99 between tokens, milliseconds, by "pd" and by chunk size. Raises StartError."""
    found: dict[str, float] = {}
    for name, chunk, scenario in [(str(chunk), chunk, NEVER) for chunk in CHUNKS] + [("pd", 0, ALWAYS)]:
        async with sites.opened(var, model, replace(sizes, chunk_tokens=chunk)) as site, site.assistant() as door:
            gaps = await _gaps(door, scenario, prompts)
        found[name] = float(np.percentile(gaps, 99))
        say(f"long prompts beside 4 answers, {name}: {np.percentile(gaps, 50):.0f} ms between tokens, p99 {found[name]:.0f}")
    return found


async def _gaps(door: GatewayClient, scenario: str, prompts: Prompts) -> list[float]:
    """Gaps of all streams, milliseconds, that lie between the first and the last long prompt."""
    await ask(door, request(TENANT, scenario, prompts(1)[0], 8))
    streams = [asyncio.create_task(ask(door, request(TENANT, scenario, prompt, _ANSWER_TOKENS))) for prompt in prompts(STREAMS)]
    await asyncio.sleep(1.0)
    long: list[Times] = []
    for prompt in prompts(_LONG_PROMPTS, LONG_PROMPT_TOKENS):
        if any(stream.done() for stream in streams):
            break
        long.append(await ask(door, request(TENANT, scenario, prompt, 1)))
    done = await asyncio.gather(*streams)
    since, until = long[0].began_s, long[-1].at_s[-1]
    return [
        (later - earlier) * 1e3
        for stream in done
        for earlier, later in zip(stream.at_s, stream.at_s[1:], strict=False)
        if since <= earlier and later <= until and later > earlier
    ]
