"""RPC Tune: an operator has the weights of a tenant's legs computed from its own passages, and recorded.

It takes as long as encoding some hundreds of texts does, so it tells how far it is. Whoever goes away before the end has changed nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from hashlib import blake2b

from meshkit.clock import Clock
from meshkit.errors import FailedPrecondition, NotFound, Unavailable

from rag import ports
from rag.domain.document import AsOf, ChangeKind, Chunk
from rag.domain.probe import Cloze, Probe, Probing, Tuned, bm25, cloze, weigh
from rag.domain.ranking import Filter, Hit
from rag.domain.terms import query_terms, terms
from rag.domain.tuning import Language, Tuning

SEED = 14
_PROBES = 300
_BATCH = 16
_LIMIT = 100
_PAGE = 10_000
_TRIES = 5


class Tune:
    """Computes weights."""

    def __init__(
        self,
        *,
        library: ports.Library,
        lexical: ports.Lexical,
        vectors: ports.Vectors | None,
        encoder: ports.Encoder | None,
        tunings: ports.Tunings,
        clock: Clock,
        away_s: float = 0.5,
    ) -> None:
        """``away_s``: how long to wait before what was away is asked again."""
        self._away_s = away_s
        self._library, self._lexical, self._vectors, self._encoder = library, lexical, vectors, encoder
        self._tunings, self._clock = tunings, clock

    async def __call__(self, tenant: str, principal: str) -> AsyncGenerator[Probing | Tuned, None]:
        """Probe, weigh and record; yield how far it is, then what was recorded.

        Raises FailedPrecondition (NO_DENSE_LEG), Unavailable when a leg stays away: then nothing changes.
        """
        if self._encoder is None or self._vectors is None:
            raise FailedPrecondition("there is nothing to weigh: the lexical leg stands alone", reason="NO_DENSE_LEG")
        now_us = int(self._clock.now_s() * 1_000_000)
        standing, where = await self._standing(tenant, now_us)
        sample = await self._sample(standing)
        yield Probing(0, len(sample))
        average = sum(len(terms(chunk.passage.text)) for _, chunk in sample) / max(len(sample), 1)
        probes: list[Probe] = []
        for start in range(0, len(sample), _BATCH):
            probes += await self._patiently(sample[start : start + _BATCH], where, average)
            yield Probing(len(probes), len(sample))
        weighed = {each: weigh(probes, each) for each in Language}
        tuning = Tuning(0, {each: found.weight for each, found in weighed.items()}, self._encoder.identity)
        report = json.dumps(
            {each: {"weight": found.weight, "probes": found.probes, "mrr10": dict(found.found)} for each, found in weighed.items()},
            sort_keys=True,
        )
        yield Tuned(await self._tunings.record(tenant, tuning, report, principal, now_us), weighed)

    async def _patiently(self, some: list[tuple[Cloze, Chunk]], where: Filter, average: float) -> list[Probe]:
        """One answer that is late must not cost minutes of weighing."""
        for _ in range(_TRIES - 1):
            try:
                return await self._probes(some, where, average)
            except Unavailable:
                await asyncio.sleep(self._away_s)
        return await self._probes(some, where, average)

    async def _standing(self, tenant: str, now_us: int) -> tuple[list[int], Filter]:
        """Return the versions that stand, by the change log, and a filter that passes all of them: this is an operator's command."""
        sequence, access_ids = await self._library.sequence(), set[int]()
        standing: dict[int, None] = {}
        after = 0
        while changes := await self._library.changes(after, _PAGE):
            for change in changes:
                if change.tenant == tenant and change.kind is ChangeKind.PUBLISHED:
                    standing[change.version_id] = None
                    access_ids |= change.access_ids
                elif change.tenant == tenant:
                    standing.pop(change.version_id, None)
            after = changes[-1].seq
        return list(standing), Filter(tenant, frozenset(access_ids), AsOf(now_us, sequence))

    async def _sample(self, versions: list[int]) -> list[tuple[Cloze, Chunk]]:
        """Return probes of each language, spread over the versions; which ones depends on ids and seed alone."""
        each_gives = max(4, -(-4 * _PROBES // max(len(versions), 1)))
        found: dict[Language, list[tuple[Cloze, Chunk]]] = {each: [] for each in Language}
        for version_id in sorted(versions, key=_order):
            if all(len(probes) >= _PROBES for probes in found.values()):
                break
            try:
                _, chunks = await self._library.indexed(version_id)
            except NotFound:
                continue  # withdrawn since
            for chunk in sorted(chunks, key=lambda chunk: _order(chunk.chunk_id))[:each_gives]:
                taken = cloze(chunk.chunk_id, chunk.passage.text, SEED)
                if taken is not None and len(found[taken.language]) < _PROBES:
                    found[taken.language].append((taken, chunk))
        return [probe for probes in found.values() for probe in probes]

    async def _probes(self, some: list[tuple[Cloze, Chunk]], where: Filter, average: float) -> list[Probe]:
        assert self._encoder is not None and self._vectors is not None
        sentences = await self._encoder.encode([taken.sentence for taken, _ in some], ports.Kind.QUERY)
        rests = await self._encoder.encode([taken.rest for taken, _ in some], ports.Kind.PASSAGE)
        probes = []
        for (taken, chunk), sentence, rest in zip(some, sentences, rests, strict=True):
            lexical, own = await self._lexically(taken, chunk, where, average)
            dense = await self._vectors.search(sentence, where, _LIMIT)
            probes.append(
                Probe(taken.chunk_id, taken.language, lexical=lexical, dense=dense, own_lexical=own, own_dense=float(sentence @ rest))
            )
        return probes

    async def _lexically(self, taken: Cloze, chunk: Chunk, where: Filter, average: float) -> tuple[list[Hit], float]:
        """Return what the leg finds, and the score that the passage would have without its sentence, in the leg's own scale."""
        asked = query_terms(taken.sentence)
        hits = await self._lexical.search(asked, where, _LIMIT)
        whole = next((hit.score for hit in hits if hit.chunk_id == taken.chunk_id), 0.0)
        statistics = await self._lexical.statistics(asked, where)
        full = bm25(asked, terms(chunk.passage.text), statistics, average)
        return hits, whole * bm25(asked, terms(taken.rest), statistics, average) / full if full else 0.0


def _order(number: int) -> bytes:
    return blake2b(f"{SEED} {number}".encode(), digest_size=8).digest()
