"""Rules, score, lists and channel policy become drafts of decisions, vectorised over a batch.

A batch of one, which most calls are, takes a way of its own in plain numbers (`_single`): the same bits in a seventh of the time that
arrays of one element take.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from risk_scoring.domain.columnar import Array
from risk_scoring.domain.decision import Digests, Draft, Request, Versions
from risk_scoring.domain.features import FEATURES, NAMES, SCHEMA_VERSION
from risk_scoring.domain.one_row import PlainRow
from risk_scoring.domain.outcome import ChannelMode, Outcome, act, cappable, decide_one, recommend
from risk_scoring.domain.request_columns import request_columns, request_row
from risk_scoring.domain.rules import RuleResult, RuleSet, RulesFailed
from risk_scoring.domain.shadow import Evidence, ShadowObserver, shadow_changes
from risk_scoring.domain.snapshot import Snapshot
from risk_scoring.domain.tree_paths import TreePaths

_TOP_REASONS = 4
_IS_OFF = int(ChannelMode.OFF)  # a member is looked up slowly
_OFF = (("R_CHANNEL_DEFAULT", 0.0),)
_MIN_CONTRIBUTION = 0.05  # log-odds below which a feature is no reason


@dataclass(frozen=True, slots=True)
class Scores:
    """Probabilities (n,), NaN where no model answered; what was missing; and whose scores they are (empty without a model).

    ``model_sha256``: 32 bytes, of the graph.
    """

    values: NDArray[np.float64]
    degradations: tuple[int, ...]
    model_version: str = ""
    model_sha256: bytes = b""


class Combiner:
    """``paths``: the model's trees, for the reasons of decisions that ask for more than approve. ``shadow``: told what shadow rules say.

    ``failed``: told which rules failed on a batch, and how; returns the ones to use in their place, None when there are none.
    """

    def __init__(
        self,
        paths: TreePaths,
        shadow: ShadowObserver | None = None,
        failed: Callable[[RuleSet, Exception], RuleSet | None] = lambda _rules, _error: None,
    ) -> None:
        self._paths = paths
        self._shadow = shadow
        self._failed = failed
        self._versions = Versions(0, "", "", "")
        self._versions_of: tuple[object, ...] = ()

    def combine(
        self,
        requests: Sequence[Request],
        vectors: NDArray[np.float32],  # (n, features) float32; NaN rows when there are no features
        scores: Scores,
        snapshot: Snapshot,
        now_s: float,
        extra: Sequence[tuple[int, ...]],
    ) -> tuple[list[Draft], list[Draft | None]]:
        """Return drafts and, where the decline cap may act, the milder draft it would put in their place.

        ``extra``: further degradations of each row. Raises RulesFailed.
        """
        if len(requests) == 1 and (snapshot.shadow is None or self._shadow is None):
            draft, milder_draft = self._single(requests[0], vectors[0], scores, snapshot, now_s, extra[0])
            return [draft], [milder_draft]
        columns, blocked, trusted = _columns(requests, vectors, snapshot, now_s)
        ruled = self._ruled(snapshot.rules, columns, len(requests))
        channel = np.array([r.transaction.channel for r in requests], dtype=np.int8)
        policies = snapshot.channels
        mode, thresholds = policies.modes[channel], policies.thresholds[channel]
        advice = recommend(scores.values, ruled.action, blocked, trusted, thresholds)
        if snapshot.shadow is not None and self._shadow is not None:
            evidence = Evidence(columns, scores.values, blocked, trusted, thresholds)
            self._shadow(snapshot.shadow.version, shadow_changes(snapshot.shadow, evidence, advice.outcome))
        acting = act(advice.outcome, mode, policies.defaults[channel])
        milder = cappable(acting, advice.hard, mode)
        reasons = self._reasons(vectors, scores, ruled, advice.outcome, blocked)
        versions = self._of(scores, ruled, snapshot)
        limits = [(challenge, review, decline) for challenge, review, decline in thresholds.tolist()]
        rows = zip(
            requests, map(ruled.names, range(len(requests))), mode.tolist(), acting.tolist(), advice.outcome.tolist(),
            scores.values.tolist(), reasons, limits, vectors, np.asarray(np.isfinite(vectors).all(axis=1)).tolist(),
            extra, blocked.tolist(), trusted.tolist(), strict=True,
        )  # fmt: skip
        drafts = [
            Draft(
                request=request,
                mode=row_mode,
                outcome=outcome,
                recommended=recommended,
                score=None if math.isnan(score) else score,
                reasons=_OFF if row_mode == _IS_OFF else why,
                rule_hits=names,
                thresholds=limit,
                versions=versions,
                degradations=scores.degradations + more,
                features=vector.tobytes() if finite else b"",
                decided_time_s=now_s,
                blocked=is_blocked,
                trusted=is_trusted,
            )
            for request, names, row_mode, outcome, recommended, score, why, limit, vector, finite, more, is_blocked, is_trusted in rows
        ]
        capped = [
            replace(draft, outcome=overflow, capped=True) if mild else None
            for draft, overflow, mild in zip(drafts, policies.overflows[channel].tolist(), milder.tolist(), strict=True)
        ]
        return drafts, capped

    def _single(
        self, request: Request, vector: NDArray[np.float32], scores: Scores, snapshot: Snapshot, now_s: float, extra: tuple[int, ...]
    ) -> tuple[Draft, Draft | None]:
        """As ``combine``, for one request."""
        t, policies, score = request.transaction, snapshot.channels, float(scores.values[0])
        blocked, trusted = snapshot.lists.blocks(t, now_s), snapshot.lists.trusts(t, now_s)
        row = PlainRow(zip(NAMES, vector.tolist(), strict=True))
        row.update(request_row(t, float(snapshot.rates.to_reference_major(request.observation.amount_minor)), blocked, trusted))
        ruled = self._ruled(snapshot.rules, row, 1)
        mode, default = int(policies.modes[t.channel]), int(policies.defaults[t.channel])
        challenge, review, decline = policies.thresholds[t.channel].tolist()
        recommended, acting, milder = decide_one(score, int(ruled.action[0]), blocked, trusted, (challenge, review, decline), mode, default)
        reasons = dict(ruled.reasons(0))
        if blocked:
            reasons["R_BLOCK_LISTED"] = max(reasons.get("R_BLOCK_LISTED", 0.0), 10.0)
        if recommended != Outcome.APPROVE and math.isfinite(score):
            self._add_paths([reasons], vector[None])
        draft = Draft(
            request=request,
            mode=mode,
            outcome=acting,
            recommended=recommended,
            score=None if math.isnan(score) else score,
            reasons=_OFF if mode == ChannelMode.OFF else _strongest_first(reasons),
            rule_hits=ruled.names(0),
            thresholds=(challenge, review, decline),
            versions=self._of(scores, ruled, snapshot),
            degradations=scores.degradations + extra,
            features=vector.tobytes() if np.isfinite(vector).all() else b"",
            decided_time_s=now_s,
            blocked=blocked,
            trusted=trusted,
        )
        return draft, replace(draft, outcome=int(policies.overflows[t.channel]), capped=True) if milder else None

    def _ruled(self, rules: RuleSet, columns: Mapping[str, Array] | PlainRow, n: int) -> RuleResult:
        """Return what the rules say. Those that fail, which loading them should have shown, give way to the ones before."""
        while True:
            try:
                return rules.evaluate(columns, n)
            except Exception as error:
                before = self._failed(rules, error)
                if before is None:
                    raise RulesFailed("the rules failed on this batch", retry_after_s=1.0) from error
                rules = before

    def _of(self, scores: Scores, ruled: RuleResult, snapshot: Snapshot) -> Versions:
        """Return the versions that decide: one object while they are the same, by which the codec knows its templates."""
        rules, channels, rates = ruled.rule_set, snapshot.channels.sha256, snapshot.rates.version
        made_of = (rules.version, rules.sha256, scores.model_version, scores.model_sha256, channels, rates)
        if made_of != self._versions_of:
            digests = Digests(scores.model_sha256, rules.sha256, channels)
            self._versions = Versions(SCHEMA_VERSION, rules.version, scores.model_version, rates, digests)
            self._versions_of = made_of
        return self._versions

    def _reasons(
        self, vectors: NDArray[np.float32], scores: Scores, ruled: RuleResult, outcome: NDArray[np.int8], blocked: NDArray[np.bool_]
    ) -> list[tuple[tuple[str, float], ...]]:
        """Rule reasons for all, path contributions for what is more than an approval; strongest first."""
        found: list[dict[str, float]] = [dict(ruled.reasons(i)) for i in range(len(vectors))]
        for i in np.flatnonzero(blocked):
            found[i]["R_BLOCK_LISTED"] = max(found[i].get("R_BLOCK_LISTED", 0.0), 10.0)
        rows = np.flatnonzero((outcome != Outcome.APPROVE) & np.isfinite(scores.values))
        if len(rows):
            self._add_paths([found[row] for row in rows], vectors[rows])
        return [_strongest_first(each) for each in found]

    def _add_paths(self, found: Sequence[dict[str, float]], vectors: NDArray[np.float32]) -> None:
        """Add what moved the score most, to the reasons of each row."""
        moves = self._paths.contributions(vectors, len(FEATURES))[:, : len(FEATURES)]
        for reasons, values in zip(found, moves, strict=True):
            for position in np.argsort(-values)[:_TOP_REASONS]:
                code, weight = FEATURES[position].reason, float(values[position])
                if code and weight >= _MIN_CONTRIBUTION:
                    reasons[code] = max(reasons.get(code, 0.0), weight)


def _columns(
    requests: Sequence[Request], vectors: NDArray[np.float32], snapshot: Snapshot, now_s: float
) -> tuple[dict[str, Array], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return everything a rule may read, and what the lists say: blocked, trusted."""
    n, lists = len(requests), snapshot.lists
    blocked = np.fromiter((lists.blocks(r.transaction, now_s) for r in requests), np.bool_, n)
    trusted = np.fromiter((lists.trusts(r.transaction, now_s) for r in requests), np.bool_, n)
    amounts = np.fromiter((snapshot.rates.to_reference_major(r.observation.amount_minor) for r in requests), np.float64, n)
    columns: dict[str, Array] = dict(zip(NAMES, vectors.T, strict=True))
    columns.update(request_columns([r.transaction for r in requests], amounts, blocked, trusted))
    return columns, blocked, trusted


def _strongest_first(reasons: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(reasons.items(), key=lambda item: -item[1])) if reasons else ()
