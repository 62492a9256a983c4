"""A router as far as evidence goes, in a process of its own: `python -m tests.ports.router.living REDIS KAFKA PREFIX FIRST`.

Eight generations at a time, numbered from FIRST on; each line of standard output is what a client would have seen: `started 7`, `ended 7`.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count

from meshkit.audit.emit import AuditEmitter
from meshkit.clock import SystemClock
from meshkit.config import KafkaSettings, RedisSettings
from meshkit.errors import Unavailable
from meshkit.events.publisher import Publisher
from meshkit.testing.keys import shared_signer
from router.adapters.redis_open_generations import RedisOpenGenerations
from router.domain.evidence import EvidenceTiming
from router.steps.evidence import Evidence
from router.steps.sweep import Sweeper

from tests.ports.router.routers import PREFIX, Health
from tests.unit.router.generations import codec, end_facts, generation_id, start_facts

TIMING = EvidenceTiming(lease_s=1.5, heartbeat_s=0.3, sweep_s=0.3, end_s=2.0)


def parts(redis: str, kafka: str, prefix: str, name: str) -> tuple[Publisher, RedisOpenGenerations, Evidence, Sweeper]:
    """Put a router's evidence together."""
    clock, events = SystemClock(), Publisher(KafkaSettings(bootstrap_servers=kafka, topic_prefix=prefix))
    emitter = AuditEmitter(events, f"router/{name}", shared_signer(), prefix, Health())  # type: ignore[arg-type]
    store, records = RedisOpenGenerations(RedisSettings(url=redis), PREFIX, TIMING.lease_s, TIMING.sweep_s), codec(clock)
    return events, store, Evidence(records, store, emitter, clock, TIMING, Health()), Sweeper(records, store, emitter, clock, TIMING)


async def generations(evidence: Evidence, numbers: count[int]) -> None:
    """One generation after the other, as clients would have them."""
    for number in numbers:
        try:
            await evidence.started(start_facts(number))
            print("started", number, flush=True)
            for tokens in range(32, 32 * (2 + number % 5), 32):
                await asyncio.sleep(0.01)
                evidence.checkpoint(generation_id(number), tokens)
            await evidence.ended(end_facts(number))
            print("ended", number, flush=True)
        except Unavailable:
            await asyncio.sleep(0.05)


async def main(redis: str, kafka: str, prefix: str, first: int) -> None:
    """Live until killed."""
    _, _, evidence, sweeper = parts(redis, kafka, prefix, str(first))
    numbers = count(first)
    await asyncio.gather(evidence.run(), sweeper.run(), *(generations(evidence, numbers) for _ in range(8)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
