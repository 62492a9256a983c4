"""Feature store on Redis: packs batches for the scripts and reads their answers. The logic is in `scripts/*.lua`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import msgpack
import numpy as np
from meshkit.clock import Clock

from risk_scoring.adapters.redis_link import RedisLink
from risk_scoring.domain.features import COUNT, SCHEMA_VERSION
from risk_scoring.domain.observation import (
    Candidate,
    Capped,
    CapPolicy,
    Change,
    Compacted,
    Conflict,
    Decided,
    Effect,
    Finalised,
    LoggedDecision,
    New,
    Observation,
    Observed,
    Recorded,
    RecordPlace,
    RestoredRecord,
    StoredVector,
    Won,
)

_pack = msgpack.Packer(use_bin_type=False).pack
_ID_MEMORY_S = 120 * 86_400  # labels repeat for months
_DECIDED, _RECORDED = 2, 3  # see state.lua
_EFFECTS = {"a": Effect.APPLIED, "p": Effect.WAITS, "r": Effect.REPEATED, "c": Effect.REFUSED}


class RedisFeatureStore:
    """The one place that calls the scripts. Every method raises StoreForgotten or Unavailable when Redis can't be trusted or reached."""

    def __init__(self, link: RedisLink, clock: Clock, dedupe_horizon_s: int) -> None:
        self.link = link
        self._clock = clock
        self._horizon_s = dedupe_horizon_s

    async def observe(
        self, batch: Sequence[Observation], partition: int = -1, offset: int = -1, timeout_s: float | None = None
    ) -> Observed:
        """Rule D4, one call. ``partition`` and ``offset`` are the source of the batch's last record, -1 for synchronous requests."""
        header = _pack([self._horizon_s, partition, offset, SCHEMA_VERSION, int(self._clock.now_s())])
        status, blob, extras = await self.link.call("observe", header, _pack(batch), timeout_s=timeout_s)
        rest = iter(extras)
        return Observed([_seen(letter, rest) for letter in status.decode()], np.frombuffer(blob, dtype="<f4").reshape(-1, COUNT))

    async def finalise(
        self,
        candidates: Sequence[Candidate],
        caps: Mapping[str, CapPolicy],
        published: Mapping[int, int] | None = None,
        timeout_s: float | None = None,
    ) -> list[Finalised]:
        """Rules D6 and D18, one call. ``published`` tells up to which offset each decision partition is known to be written."""
        now_s = int(self._clock.now_s())
        policies = {scope: [now_s // cap.interval_s, *cap] for scope, cap in caps.items()}
        marks = [number for pair in (published or {}).items() for number in pair]
        header = _pack([self._horizon_s, policies, marks])
        status, extras = await self.link.call("finalise", header, _pack(candidates), timeout_s=timeout_s)
        rest = iter(extras)
        return [_finalised(letter, rest) for letter in status.decode()]

    @property
    def generation(self) -> str:
        """Return the generation in use."""
        return self.link.generation or ""

    async def confirm(self, generation: str) -> None:
        """Raise StoreForgotten unless the store is still of this generation."""
        await self.link.confirm(generation)

    async def amend(self, changes: Sequence[Change], source: str, position: str) -> list[Effect]:
        """Apply labels and lifecycle corrections together with their input position."""
        header = _pack([int(self._clock.now_s()), self._horizon_s, _ID_MEMORY_S, source, position])
        letters = cast(bytes, await self.link.call("amend", header, _pack(changes))).decode()
        return [_EFFECTS[letter] for letter in letters]

    async def amended(self) -> dict[str, str]:
        """Return the next position of every input of corrections, as they were given to ``amend``."""
        values = await self.link.command("HGETALL", self.link.prefix + "amended")
        return {key.decode(): value.decode() for key, value in values.items()}

    async def import_part(self, import_id: str, number: int, changes: Sequence[Change]) -> int:
        """Count one part of an import, if it is its turn; returns the number of the part whose turn is next."""
        return int(await self.link.call("history", _pack([import_id, number, int(self._clock.now_s())]), _pack(changes)))

    async def imported_parts(self, import_id: str) -> int:
        """Return how many parts of an import are counted."""
        value = await self.link.command("HGET", self.link.prefix + "imported", import_id)
        return int(value) if value else 0

    async def published_offset(self, partition: int) -> int:
        """Return the last offset of a decision partition up to which all decisions are in the store, -1 for none."""
        value = await self.link.command("HGET", self.link.prefix + "published", partition)
        return int(value) if value else -1

    async def restore(
        self, token: str, records: Sequence[RestoredRecord], partition: int, next_offset: int, first_offset: int = 0
    ) -> tuple[int, int]:
        """Rule D9: put published decisions back; returns (decisions restored, deltas replayed). Needs the restore lock's token.

        ``first_offset``: where the records were read from. A store that does not know what stands before it is refused: it forgot
        meanwhile.
        """
        header = _pack([int(self._clock.now_s()), self._horizon_s, partition, next_offset, first_offset])
        decisions, deltas = await self.link.evaluate("restore", self.link.prefix, token, header, _pack(records))
        return int(decisions), int(deltas)

    async def leads_compaction(self, owner: str, life_s: float) -> bool:
        """Say whether ``owner`` is the one who compacts for so long."""
        return await self.link.lease("compactor", owner, int(life_s * 1000))

    async def compacted(self) -> dict[int, str]:
        """Return the position behind what was compared, by decision partition."""
        values = await self.link.command("HGETALL", self.link.prefix + "compacted")
        return {int(partition): position.decode() for partition, position in values.items()}

    async def compact(self, batch: Sequence[LoggedDecision], ids: Sequence[bytes], partition: int, before: str, after: str) -> Compacted:
        """Rule D25, one call for records of one partition: equal bytes give way to their place."""
        topic_id = batch[0].place.topic_id if batch else b""
        records = [(decision_id, each.decision, each.place.offset) for decision_id, each in zip(ids, batch, strict=True)]
        answer = await self.link.call("compact", _pack([partition, topic_id, before, after]), _pack(records))
        return Compacted(answer[0].decode(), int(answer[1]), answer[2])

    async def stored_decision(self, decision_id: bytes) -> bytes | Recorded | None:
        """Return a decision inside the dedupe horizon, its exact bytes or where they stand; None when there is none."""
        packed = await self.link.command("GET", self.link.prefix.encode() + b"d:" + decision_id)
        if packed is None:
            return None
        entry = msgpack.unpackb(packed, raw=True)
        if entry[0] == _RECORDED:
            return Recorded(RecordPlace(*entry[2:5]), entry[1])
        return cast(bytes, entry[2]) if entry[0] == _DECIDED else None


def _recorded(extras: Iterator[bytes]) -> Recorded:
    return Recorded(RecordPlace(next(extras), int(next(extras)), int(next(extras))))


def _seen(letter: str, extras: Iterator[bytes]) -> New | StoredVector | Decided | Recorded | Conflict:
    """Read one row of observe.lua's answer."""
    match letter:
        case "n":
            return New()
        case "v":
            return StoredVector(int(next(extras)))
        case "d":
            return Decided(next(extras), next(extras))
        case "r":
            return _recorded(extras)
        case "c":
            return Conflict()
    raise ValueError(f"observe.lua answers {letter!r}")


def _finalised(letter: str, extras: Iterator[bytes]) -> Finalised:
    """Read one row of finalise.lua's answer."""
    match letter:
        case "w":
            return Won()
        case "k":
            return Capped()
        case "l":
            return Decided(next(extras), next(extras))
        case "r":
            return _recorded(extras)
        case "c":
            return Conflict()
    raise ValueError(f"finalise.lua answers {letter!r}")
