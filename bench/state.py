"""What Redis spends on state: in all, and by kind of key from a random sample."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from redis.asyncio import Redis

KINDS = {b"d": "decision", b"c": "customer", b"p": "counterparty", b"v": "device", b"g": "payees of an account"}
_SAMPLES = 2_000


@dataclass(frozen=True)
class State:
    """`used_mib` as Redis counts it; `mean_bytes` of one key by kind, with `share` of all keys."""

    used_mib: float
    keys: int
    mean_bytes: dict[str, float]
    share: dict[str, float]


async def state(url: str, prefix: bytes = b"finmesh:") -> State:
    """Look at a Redis."""
    redis: Redis = Redis.from_url(url)
    try:
        used = int((await redis.info("memory"))["used_memory"])
        keys = int(await redis.dbsize())
        async with redis.pipeline(transaction=False) as pipe:
            for _ in range(min(_SAMPLES, keys)):
                pipe.randomkey()
            names = [name for name in await pipe.execute() if name and name.startswith(prefix)]
        async with redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.memory_usage(name, samples=0)
            sizes = await pipe.execute()
    finally:
        await redis.aclose()
    by_kind: dict[str, list[int]] = defaultdict(list)
    for name, size in zip(names, sizes, strict=True):
        kind, separator, _ = name.removeprefix(prefix).partition(b":")
        if separator and kind in KINDS and size:
            by_kind[KINDS[kind]].append(int(size))
    means = {kind: float(np.mean(found)) for kind, found in by_kind.items()}
    return State(used / 2**20, keys, means, {kind: len(found) / max(len(names), 1) for kind, found in by_kind.items()})
