"""The one way to a decision, for the stream and for synchronous calls: observe, score, combine, finalise.

A batch in, a verdict for each request out, in order. Everything before Finalise may be repeated: the vector is stored with its first
observation and the decision with its first finalisation, so that a replay, the other path or another replica gets the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from meshkit.clock import Clock
from numpy.typing import NDArray

from risk_scoring.domain.combine import Combiner, Scores
from risk_scoring.domain.decision import OLD_SCHEMA, Draft, Request, Verdict
from risk_scoring.domain.features import COUNT, SCHEMA_VERSION
from risk_scoring.domain.observation import (
    Candidate,
    Capped,
    Conflict,
    Decided,
    Finalised,
    New,
    Observed,
    Recorded,
    StoredVector,
    Won,
)
from risk_scoring.domain.outcome import ChannelMode, Outcome
from risk_scoring.domain.snapshot import Snapshot
from risk_scoring.ports import Codec, FeatureStore
from risk_scoring.steps.score import Scorer
from risk_scoring.steps.timeline import Timeline

_LIVE, _APPROVE, _DECLINE = int(ChannelMode.LIVE), int(Outcome.APPROVE), int(Outcome.DECLINE)


class Decider:
    """Decides batches. ``snapshot`` returns what is in force now; one call for each batch (rule D5)."""

    def __init__(
        self, store: FeatureStore, scorer: Scorer, combiner: Combiner, codec: Codec, snapshot: Callable[[], Snapshot], clock: Clock
    ) -> None:
        self._store = store
        self._scorer = scorer
        self._combiner = combiner
        self._codec = codec
        self._snapshot = snapshot
        self._clock = clock

    async def decide(
        self,
        requests: Sequence[Request],
        *,
        published: Mapping[int, int] | None = None,
        remaining_s: float | None = None,
        timeline: Timeline | None = None,
    ) -> list[Verdict]:
        """Return a verdict for each request, for one that is kept by its place without bytes (`steps.recall` reads them).

        Raises Unavailable when the store can't be used or lists are not read: nothing is decided.

        ``published``: up to which offset each decision partition is written. ``remaining_s``: what is left of the nearest deadline.
        """
        timeline = timeline or Timeline()
        snapshot = self._snapshot().complete()
        last = requests[-1]
        with timeline.part("observe"):
            observed = await self._store.observe([r.observation for r in requests], last.partition, last.offset, remaining_s)
        verdicts = [
            None if isinstance(row, (New, StoredVector)) else _known(request, row)
            for request, row in zip(requests, observed.rows, strict=True)
        ]
        undecided = [place for place, verdict in enumerate(verdicts) if verdict is None]
        if undecided:
            drafts, capped = await self._drafts([requests[place] for place in undecided], observed, snapshot, remaining_s, timeline)
            candidates = [self._candidate(draft, milder) for draft, milder in zip(drafts, capped, strict=True)]
            caps = {draft.request.transaction.tenant: snapshot.channels.cap for draft in drafts}
            with timeline.part("finalise"):
                final = await self._store.finalise(candidates, caps, published, remaining_s)
            for place, draft, candidate, row in zip(undecided, drafts, candidates, final, strict=True):
                verdicts[place] = _verdict(draft, candidate, row)
        return [verdict for verdict in verdicts if verdict is not None]

    async def _drafts(
        self, requests: Sequence[Request], observed: Observed, snapshot: Snapshot, remaining_s: float | None, timeline: Timeline
    ) -> tuple[list[Draft], list[Draft | None]]:
        vectors = observed.vectors
        current = self._current_schema(observed)
        with timeline.part("score in process" if self._scorer.in_process(len(vectors)) else "score"):
            scores = await self._scored(vectors, current, remaining_s)
        extra: list[tuple[int, ...]] = [() if fits else (OLD_SCHEMA,) for fits in current]
        return self._combiner.combine(requests, vectors, scores, snapshot, self._clock.now_s(), extra)

    async def _scored(self, vectors: NDArray[np.float32], current: list[bool], remaining_s: float | None) -> Scores:
        scores = await self._scorer.score(vectors, remaining_s)
        if all(current):
            return scores
        values = scores.values.copy()
        values[[not fits for fits in current]] = np.nan  # a vector of another schema is decided by rules alone (rule D5)
        return replace(scores, values=values)

    @staticmethod
    def _current_schema(observed: Observed) -> list[bool]:
        undecided = (row for row in observed.rows if isinstance(row, (New, StoredVector)))
        return [isinstance(row, New) or row.schema == SCHEMA_VERSION for row in undecided]

    def _candidate(self, draft: Draft, milder: Draft | None) -> Candidate:
        """Encode a draft and the milder one that the cap would put in its place."""
        t, seen = draft.request.transaction, draft.request.observation
        counts = draft.mode == _LIVE and (draft.outcome != _DECLINE or milder is not None)
        decision = self._codec.decision(draft)
        milder_decision = self._codec.decision(milder) if milder else b""
        return Candidate(
            decision_id=seen.decision_id,
            fingerprint=seen.fingerprint,
            cap_scope=t.tenant if counts else "",
            decision=decision,
            audit=self._codec.audit(draft, decision),
            capped_decision=milder_decision,
            capped_audit=self._codec.audit(milder, milder_decision) if milder else b"",
        )


def _known(request: Request, row: Decided | Recorded | Conflict) -> Verdict:
    if isinstance(row, Conflict):
        return Verdict(request, b"", b"", conflict=True)
    if isinstance(row, Recorded):
        return Verdict(request, b"", b"", replayed=True, place=row.place)
    return Verdict(request, row.decision, row.audit, replayed=True)


def _verdict(draft: Draft, candidate: Candidate, row: Finalised) -> Verdict:
    friction = draft.outcome != _APPROVE
    match row:
        case Won():
            return Verdict(draft.request, candidate.decision, candidate.audit, friction=friction)
        case Capped():
            return Verdict(draft.request, candidate.capped_decision, candidate.capped_audit, friction=friction)
        case _:
            return _known(draft.request, row)


def no_features(n: int) -> NDArray[np.float32]:
    """Return vectors of a store that is down: NaN everywhere, so that rules which need a feature do not fire."""
    return np.full((n, COUNT), np.nan, dtype=np.float32)
