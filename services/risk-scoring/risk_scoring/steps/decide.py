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
from risk_scoring.domain.observation import CONFLICT, DECIDED, LOST, NEW, STORED_VECTOR, WON_CAPPED, Candidate, Finalised, Observed
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
        """Return a verdict for each request. Raises Unavailable when the store can't be used or lists are not read: nothing is decided.

        ``published``: up to which offset each decision partition is written. ``remaining_s``: what is left of the nearest deadline.
        """
        timeline = timeline or Timeline()
        snapshot = self._snapshot().complete()
        last = requests[-1]
        with timeline.part("observe"):
            observed = await self._store.observe([r.observation for r in requests], last.partition, last.offset, remaining_s)
        verdicts: list[Verdict | None] = [None] * len(requests)
        open_rows = self._settled(requests, observed, verdicts)
        if open_rows:
            drafts, capped = await self._drafts([requests[row] for row in open_rows], observed, snapshot, remaining_s, timeline)
            candidates = [self._candidate(draft, milder) for draft, milder in zip(drafts, capped, strict=True)]
            caps = {draft.request.transaction.tenant: snapshot.channels.cap for draft in drafts}
            with timeline.part("finalise"):
                final = await self._store.finalise(candidates, caps, published, remaining_s)
            for row, verdict in zip(open_rows, _verdicts(drafts, candidates, final), strict=True):
                verdicts[row] = verdict
        return [verdict for verdict in verdicts if verdict is not None]

    def _settled(self, requests: Sequence[Request], observed: Observed, verdicts: list[Verdict | None]) -> list[int]:
        """Fill in what is decided already; returns the rows that are not."""
        stored = iter(observed.decisions)
        open_rows = []
        for row, (request, letter) in enumerate(zip(requests, observed.status, strict=True)):
            if letter == DECIDED:
                decision, audit = next(stored)
                verdicts[row] = Verdict(request, decision, audit, replayed=True)
            elif letter == CONFLICT:
                verdicts[row] = Verdict(request, b"", b"", conflict=True)
            else:
                open_rows.append(row)
        return open_rows

    async def _drafts(
        self, requests: Sequence[Request], observed: Observed, snapshot: Snapshot, remaining_s: float | None, timeline: Timeline
    ) -> tuple[list[Draft], list[Draft | None]]:
        vectors = observed.vectors
        current = self._current_schema(observed)
        with timeline.part("score"):
            scores = await self._scored(vectors, current, remaining_s)
        extra = [() if fits else (OLD_SCHEMA,) for fits in current]
        return self._combiner.combine(requests, vectors, scores, snapshot, self._clock.now_s(), extra)

    async def _scored(self, vectors: NDArray[np.float32], current: NDArray[np.bool_], remaining_s: float | None) -> Scores:
        scores = await self._scorer.score(vectors, remaining_s)
        if current.all():
            return scores
        values = scores.values.copy()
        values[~current] = np.nan  # a vector of another schema is decided by rules alone (rule D5)
        return replace(scores, values=values)

    @staticmethod
    def _current_schema(observed: Observed) -> NDArray[np.bool_]:
        schemas = iter(observed.stored_schemas)
        letters = [letter for letter in observed.status if letter in (NEW, STORED_VECTOR)]
        return np.array([letter == NEW or next(schemas) == SCHEMA_VERSION for letter in letters], dtype=np.bool_)

    def _candidate(self, draft: Draft, milder: Draft | None) -> Candidate:
        """Encode a draft and the milder one that the cap would put in its place."""
        t, seen = draft.request.transaction, draft.request.observation
        counts = draft.mode == _LIVE and (draft.outcome != _DECLINE or milder is not None)
        decision = self._codec.decision(draft)
        milder_decision = self._codec.decision(milder) if milder else b""
        return Candidate(
            seen.decision_id,
            seen.fingerprint,
            t.tenant if counts else "",
            decision,
            self._codec.audit(draft, decision),
            milder_decision,
            self._codec.audit(milder, milder_decision) if milder else b"",
        )


def _verdicts(drafts: Sequence[Draft], candidates: Sequence[Candidate], final: Finalised) -> list[Verdict]:
    winners = iter(final.winners)
    verdicts = []
    for draft, candidate, letter in zip(drafts, candidates, final.status, strict=True):
        friction = draft.outcome != _APPROVE
        if letter == LOST:
            verdicts.append(Verdict(draft.request, *next(winners), replayed=True))
        elif letter == CONFLICT:
            verdicts.append(Verdict(draft.request, b"", b"", conflict=True))
        elif letter == WON_CAPPED:
            verdicts.append(Verdict(draft.request, candidate.capped_decision, candidate.capped_audit, friction=friction))
        else:
            verdicts.append(Verdict(draft.request, candidate.decision, candidate.audit, friction=friction))
    return verdicts


def no_features(n: int) -> NDArray[np.float32]:
    """Return vectors of a store that is down: NaN everywhere, so that rules which need a feature do not fire."""
    return np.full((n, COUNT), np.nan, dtype=np.float32)
