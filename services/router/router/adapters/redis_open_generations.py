"""Open generations in Redis. What may happen to them, in which order, is in `scripts/*.lua`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.resources import files
from typing import Any
from uuid import uuid4

from meshkit.config import RedisSettings
from meshkit.errors import FailedPrecondition, Unavailable
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from router.domain.evidence import Checkpoint, Orphan

_SCRIPTS = ("open", "renew", "claim", "orphans", "take_over", "settle")
_REMEMBERED_MS = 600_000  # of an end that is settled: longer than any answer of Redis may be on its way
_EMITTED_MS = 5_000  # whoever claimed an end has it written by then, or another writes the same bytes
_DURABLE = (("maxmemory-policy", "noeviction"), ("appendonly", "yes"))


def _script(name: str) -> str:
    folder = files("router.adapters") / "scripts"
    return (folder / "state.lua").read_text() + (folder / f"{name}.lua").read_text()


class RedisOpenGenerations:
    """See ``ports.OpenGenerations``."""

    def __init__(self, settings: RedisSettings, prefix: str, lease_s: float, sweep_s: float) -> None:
        self._redis: Any = Redis.from_url(
            settings.url,
            socket_connect_timeout=min(settings.timeout_ms / 1000, 1.0),
            retry=Retry(
                NoBackoff(), 1, supported_errors=(RedisConnectionError,)
            ),  # a pooled connection may be dead; scripts may be repeated
        )
        self._timeout_s = settings.timeout_ms / 1000
        self._checks_durability = settings.check_durability
        self._prefix = prefix
        self._lease_ms = int(lease_s * 1000)
        self._sweeper_ms = int(sweep_s * 2500)
        self._name = uuid4().hex
        self._scripts = {name: self._redis.register_script(_script(name)) for name in _SCRIPTS}

    async def aclose(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    async def check_durability(self) -> None:
        """Refuse a Redis that evicts keys or keeps nothing on disk. Raises FailedPrecondition (STORE_NOT_DURABLE), Unavailable."""
        for name, wanted in _DURABLE if self._checks_durability else ():
            answer = await self._bounded(self._redis.config_get(name))
            if {_text(key): _text(value) for key, value in answer.items()}.get(name) != wanted:
                raise FailedPrecondition(f"Redis setting {name} must be {wanted}", reason="STORE_NOT_DURABLE")

    async def open(self, last: Checkpoint, started: bytes, until_ms: int = 0) -> int:
        """Enter a generation."""
        return int(await self._run("open", last.generation_id, started, self._lease_ms, last.output_tokens, last.at_us, until_ms))

    async def renew(self, alive: Sequence[Checkpoint], in_log: Sequence[str]) -> list[int]:
        """Prolong leases, write checkpoints down."""
        rows = [value for each in alive for value in (each.generation_id, each.output_tokens, each.at_us)]
        return list(map(int, await self._run("renew", self._lease_ms, _REMEMBERED_MS, len(alive), *rows, *in_log)))

    async def claim(self, generation_id: str, started: bytes, ended: bytes, until_ms: int) -> bytes:
        """Claim the end."""
        return bytes(await self._run("claim", generation_id, started, ended, _EMITTED_MS, until_ms))

    async def orphans(self, limit: int) -> list[Orphan]:
        """Return generations whose owners are silent."""
        found = await self._run("orphans", self._name, self._sweeper_ms, limit)
        return [Orphan(Checkpoint(_text(id_), int(tokens), int(at_us)), started) for id_, started, tokens, at_us in found]

    async def take_over(self, orphan: Orphan, ended: bytes) -> bytes:
        """Claim the end of an orphan."""
        return bytes(await self._run("take_over", orphan.last.generation_id, ended, _EMITTED_MS, orphan.last.output_tokens))

    async def settle(self, generation_ids: Sequence[str]) -> None:
        """Forget generations."""
        await self._run("settle", _REMEMBERED_MS, *generation_ids)

    async def _run(self, name: str, *arguments: bytes | str | int) -> Any:
        return await self._bounded(self._scripts[name](args=[self._prefix, *arguments]))

    async def _bounded(self, work: Any) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await work
        except (RedisError, TimeoutError, OSError) as error:
            raise Unavailable("the store of open generations does not answer", reason="EVIDENCE_DOWN", retry_after_s=0.5) from error


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
