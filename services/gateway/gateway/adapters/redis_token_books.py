"""What was used, booked from audit records (`scripts/book.lua`): effect and position in one step, each generation once.

Of every account the minute and the day stand there in which a generation ended, by the clock of its record, so that the books are the sum
over the records, whatever was lost in between. Days stay for two more days, minutes for ten minutes; what is older is not booked.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from uuid import uuid4

from meshkit.clock import Clock
from meshkit.errors import Unavailable
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.adapters.token_keys import LEADER, READER, account_key, booked_key, done_key
from gateway.domain.token_shares import SCOPES, Scope, TokenCount, Whose
from gateway.domain.token_use import Place, TokenUse
from gateway.domain.token_windows import PERIODS, Calendar, Period

LEAD_S = 6.0
"""How long nobody reads when the gateway that does is killed."""
_KEPT_S: Mapping[Period, float] = {"minute": 600.0, "day": 2 * 86_400.0}
_DONE_MS = 600_000  # longer than a gateway may speak of a call behind its end
_COMPLETE = "complete"
_SCRIPT = (files("gateway") / "adapters" / "scripts" / "book.lua").read_text("utf-8")
_WHOLE = "if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HSET', KEYS[1], ARGV[3], '1') end"
_EXTEND = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"


@dataclass(frozen=True, slots=True)
class Spent:
    """What an account has used in a window, and in how many generations."""

    tokens: TokenCount
    generations: int


class RedisTokenBooks:
    """See ``ports.TokenBooks``."""

    def __init__(self, redis: Redis, calendar: Calendar, clock: Clock, timeout_s: float = 2.0) -> None:
        self._redis: Any = redis
        self._script: Any = redis.register_script(_SCRIPT)
        self._whole: Any = redis.register_script(_WHOLE)
        self._extend: Any = redis.register_script(_EXTEND)
        self._calendar, self._clock, self._timeout_s = calendar, clock, timeout_s
        self._name = uuid4().hex

    async def places(self) -> Mapping[str, str]:
        """Return where reading goes on."""
        known = await self._bounded(self._redis.hgetall(READER))
        return {_text(field): _text(value) for field, value in known.items() if _text(field) != _COMPLETE}

    async def book(self, before: Place, after: str, uses: Sequence[TokenUse]) -> bool:
        """Book what was read between two places."""
        now_s = self._clock.now_s()
        records = [row for use in uses if (row := self._row(use, now_s)) is not None]
        asked = {"partition": before.partition, "before": before.at, "after": after, "records": records}
        stands = await self._bounded(self._script(keys=[READER], args=[json.dumps(asked)]))
        return _text(stands) == after

    async def are_whole(self, place: Place) -> None:
        """Take note that everything is booked that should be."""
        await self._bounded(self._whole(keys=[READER], args=[place.partition, place.at, _COMPLETE]))

    async def leads(self) -> bool:
        """Become or stay the gateway that books."""
        life_ms = int(LEAD_S * 1000)
        if await self._bounded(self._redis.set(LEADER, self._name, nx=True, px=life_ms)):
            return True
        return bool(await self._bounded(self._extend(keys=[LEADER], args=[self._name, life_ms])))

    async def resigns(self) -> None:
        """Let another gateway book."""
        await self._bounded(self._extend(keys=[LEADER], args=[self._name, 1]))

    async def spent(self, whose: Whose, scope: Scope, period: Period, at_s: float) -> Spent:
        """Return what was booked in the window of a moment."""
        key = f"{account_key(whose.tenant, whose.account(scope))}:{self._calendar.window(period, at_s).name}"
        prompt, output, generations = await self._bounded(self._redis.hmget(key, "1", "2", "n"))
        return Spent(TokenCount(int(prompt or 0), int(output or 0)), int(generations or 0))

    def _row(self, use: TokenUse, now_s: float) -> list[Any] | None:
        """Return what the script needs of one record; None when all its windows are forgotten."""
        windows = [self._calendar.window(period, use.at_s) for period in PERIODS]
        kept = [(window, window.end_s + _KEPT_S[window.period]) for window in windows]
        kept = [(window, until_s) for window, until_s in kept if until_s > now_s]
        if not kept:
            return None
        accounts = [account_key(use.whose.tenant, name) for scope in SCOPES if (name := use.whose.account(scope))]
        day = datetime.fromtimestamp(use.at_s, UTC).date()  # not the calendar's, whose zone may change
        forgotten = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=5)
        return [
            base64.urlsafe_b64encode(use.generation).decode().rstrip("="),
            booked_key(day.isoformat()),
            max(1, int((forgotten.timestamp() - now_s) * 1000)),
            done_key(use.whose.tenant, use.call),
            _DONE_MS,
            use.call if use.used != TokenCount() else "",  # another model stood in: the call goes on, and what it holds is right
            [[key, f"{key}:calls"] for key in accounts],
            [[f"{key}:{window.name}", max(1, int((until_s - now_s) * 1000))] for key in accounts for window, until_s in kept],
            use.used.prompt,
            use.used.output,
        ]

    async def _bounded(self, work: Any) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await work
        except (RedisError, TimeoutError, OSError) as error:
            raise Unavailable("the books of tokens cannot be reached", reason="BOOKS_DOWN", retry_after_s=0.5) from error


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
