"""The connection to Redis, and the question whether Redis still knows what it knew.

Redis forgets: up to a second at a crash (append-only file, everysec), everything at a flush. The store's *generation* is a key that
starts with the run id of the Redis process and is written by a completed restore alone. On every new connection the run id is compared
with it (rule D8), and every script is told the generation it is expected to work on: after a restart, a failover or a flush nothing is
read or written before a restore.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any
from uuid import uuid4

from meshkit.config import RedisSettings
from meshkit.errors import FailedPrecondition, InvalidArgument, Unavailable
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from risk_scoring.adapters.held_connections import HeldConnections
from risk_scoring.ports import StoreForgotten

_DOWN = (RedisConnectionError, RedisTimeoutError, TimeoutError, OSError)
_FORGOT = "the feature store was restored by somebody else or forgot"
_LOCK_MS = 6_000  # renewed while it is held; a holder that dies, or Redis with it, blocks the others this long


def _script(name: str) -> str:
    folder = files("risk_scoring.adapters") / "scripts"
    return (folder / "state.lua").read_text() + (folder / f"{name}.lua").read_text()


class RedisLink:
    """Runs the scripts, knows the generation. Shared by all adapters of one process."""

    def __init__(self, settings: RedisSettings, prefix: str) -> None:
        self.prefix = prefix
        self._check_durability = settings.check_durability
        self._timeout_s = settings.timeout_ms / 1000
        self._pool: ConnectionPool = ConnectionPool.from_url(
            settings.url,
            socket_timeout=None,  # calls have a timeout of their own; the client's costs a task and two timers a command
            socket_connect_timeout=min(self._timeout_s, 1.0),
            max_connections=64,
            redis_connect_func=self._on_connect,
            retry=Retry(
                NoBackoff(), 1, supported_errors=(RedisConnectionError,)
            ),  # a pooled connection may be dead; scripts may be repeated
        )
        self.redis: Redis = Redis(connection_pool=self._pool)
        self._execute: Callable[..., Awaitable[Any]] = self.redis.execute_command
        self._held = HeldConnections(self._pool)
        self._sources = {name: _script(name) for name in ("observe", "finalise", "restore", "amend", "history", "compact")}
        self._digests = {name: hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest() for name, source in self._sources.items()}
        self._run_id: str | None = None  # of the process that was looked at last, by adopt
        self.generation: str | None = None

    async def _on_connect(self, connection: AbstractConnection) -> None:
        """Handshake of every new connection: a new run id means that the store may have forgotten."""
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        info = await connection.read_response()
        run_id = _field(info, "run_id")
        if run_id != self._run_id:
            self.generation = None

    async def aclose(self) -> None:
        """Close all connections."""
        await self.redis.aclose()
        await self._pool.disconnect()

    async def call(self, name: str, *args: bytes | str, timeout_s: float | None = None) -> Any:
        """Run a script on the current generation. Raises StoreForgotten, Unavailable (reason FEATURE_STORE_DOWN), InvalidArgument."""
        if self.generation is None:
            raise StoreForgotten("the feature store is not restored yet")
        return await self._run(name, (self.prefix, self.generation, *args), timeout_s, check=True)

    async def evaluate(self, name: str, *args: bytes | str, timeout_s: float | None = None) -> Any:
        """Run a script with exactly these arguments, whatever the store forgot; errors as in ``call``."""
        return await self._run(name, args, timeout_s, check=False)

    async def _run(self, name: str, args: tuple[bytes | str, ...], timeout_s: float | None, *, check: bool) -> Any:
        until_s = self._until_s(timeout_s)
        try:
            try:
                return await self._held(until_s, "EVALSHA", self._digests[name], 0, *args)
            except NoScriptError:
                if check:
                    await self._same_process(args[1])
                return await self._held(until_s, "EVAL", self._sources[name], 0, *args)
        except ResponseError as error:
            raise self._refused(error) from error
        except _DOWN as error:
            raise _down() from error

    def _until_s(self, timeout_s: float | None) -> float:
        return asyncio.get_running_loop().time() + (self._timeout_s if timeout_s is None else min(timeout_s, self._timeout_s))

    async def _same_process(self, generation: bytes | str) -> None:
        """Raise StoreForgotten unless the process that has no script is the one that was restored.

        Redis keeps no scripts over a restart. The generation key it does keep, and what was asked may have been on its way.
        """
        if not (await self.adopt() and self.generation == generation):
            raise StoreForgotten("the feature store restarted") from None

    def _refused(self, error: ResponseError) -> Exception:
        text = str(error)
        if "GENERATION" in text:
            self.generation = None
            return StoreForgotten(_FORGOT)
        if "RESTORE" in text:
            return Unavailable("somebody else restores the feature store", reason="RESTORE_ELSEWHERE")
        if "INVALID" in text:
            return InvalidArgument(text, reason="INVALID_TRANSACTION")
        return Unavailable(f"feature store refused: {text.split(' ', 1)[0]}", reason="FEATURE_STORE_DOWN")

    async def command(self, *args: Any) -> Any:
        """Run one command; a store that does not answer raises Unavailable."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._execute(*args)
        except _DOWN as error:
            raise _down() from error
        except RedisError as error:
            raise Unavailable("feature store refused a command", reason="FEATURE_STORE_DOWN") from error

    async def adopt(self) -> bool:
        """Take over the generation if Redis has been restored since its start; False when a restore is needed."""
        info = await self.command("INFO", "server")
        run_id = str(info["run_id"])
        self._run_id = run_id
        stored = await self.command("GET", self.prefix + "generation")
        text = stored.decode() if stored else ""
        self.generation = text if text.startswith(run_id + ":") else None
        return self.generation is not None

    async def confirm(self, generation: str) -> None:
        """Raise StoreForgotten when Redis forgot or was restored since this generation.

        Two plain commands say what a script's check of the generation says, for a third of its price: a restart shows by the scripts being
        gone. The one that is asked for was used by what is confirmed.
        """
        try:
            scripts, stored = await self._held.together(
                self._until_s(None), ("SCRIPT", "EXISTS", self._digests["observe"]), ("GET", self.prefix + "generation")
            )
        except _DOWN as error:
            raise _down() from error
        for answer in (scripts, stored):
            if isinstance(answer, ResponseError):
                raise self._refused(answer) from answer
        if not scripts[0]:
            await self._same_process(generation)
        if stored != generation.encode():
            self.generation = None
            raise StoreForgotten(_FORGOT)

    async def check_durability(self) -> None:
        """Refuse a Redis that evicts keys or keeps nothing on disk (rule D8). Raises FailedPrecondition."""
        if not self._check_durability:
            return
        for name, wanted in (("maxmemory-policy", "noeviction"), ("appendonly", "yes")):
            answer = await self.command("CONFIG", "GET", name)
            values = {_text(key): _text(value) for key, value in answer.items()}
            if values.get(name) != wanted:
                raise FailedPrecondition(f"Redis setting {name} must be {wanted}", reason="STORE_NOT_DURABLE")

    async def lock(self) -> str | None:
        """Try to become the one who restores; returns the lock's token or None."""
        token = uuid4().hex
        taken = await self.command("SET", self.prefix + "restoring", token, "NX", "PX", _LOCK_MS)
        return token if taken else None

    async def lease(self, name: str, owner: str, life_ms: int) -> bool:
        """Take or renew a lease that spares others work, and is no lock: two may hold it for a moment."""
        key = self.prefix + name
        if await self.command("SET", key, owner, "NX", "PX", life_ms):
            return True
        if await self.command("GET", key) != owner.encode():
            return False
        await self.command("PEXPIRE", key, life_ms)
        return True

    async def hold(self, token: str) -> None:
        """Extend the lock while it is ours. Raises Unavailable when it is not."""
        if await self.command("GET", self.prefix + "restoring") != token.encode():
            raise Unavailable("the restore lock was lost", reason="RESTORE_ELSEWHERE")
        await self.command("PEXPIRE", self.prefix + "restoring", _LOCK_MS)

    async def unlock(self, token: str) -> None:
        """Give the lock back if it is still ours."""
        if await self.command("GET", self.prefix + "restoring") == token.encode():
            await self.command("DEL", self.prefix + "restoring")

    async def invalidate(self) -> None:
        """Stop every reader and writer of the store until the restore is complete."""
        await self.command("DEL", self.prefix + "generation")
        self.generation = None

    async def publish_generation(self) -> None:
        """Declare the store restored; raises Unavailable when Redis restarted while it was."""
        info = await self.command("INFO", "server")
        if self._run_id is None or str(info["run_id"]) != self._run_id:
            raise StoreForgotten("Redis restarted during the restore")
        generation = f"{self._run_id}:{uuid4().hex}"
        await self.command("SET", self.prefix + "generation", generation)
        self.generation = generation


def _down() -> Unavailable:
    return Unavailable("feature store does not answer", reason="FEATURE_STORE_DOWN", retry_after_s=0.2)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _field(info: bytes | str, name: str) -> str:
    for line in _text(info).splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value
    raise RedisConnectionError(f"INFO has no {name}")
