"""Rules, score, lists and channel policy become drafts of decisions, vectorised over a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from risk_scoring.domain.columnar import Array
from risk_scoring.domain.decision import Digests, Draft, Request, Versions
from risk_scoring.domain.features import FEATURES, NAMES, SCHEMA_VERSION
from risk_scoring.domain.outcome import ChannelMode, Outcome, act, cappable, recommend
from risk_scoring.domain.request_columns import request_columns
from risk_scoring.domain.rules import RuleResult, RuleSet, RulesFailed
from risk_scoring.domain.shadow import Evidence, ShadowObserver, shadow_changes
from risk_scoring.domain.snapshot import Snapshot
from risk_scoring.domain.tree_paths import TreePaths

_TOP_REASONS = 4
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
        n = len(requests)
        lists = snapshot.lists
        blocked = np.fromiter((lists.blocks(r.transaction, now_s) for r in requests), np.bool_, n)
        trusted = np.fromiter((lists.trusts(r.transaction, now_s) for r in requests), np.bool_, n)
        amounts = np.fromiter((snapshot.rates.to_reference_major(r.observation.amount_minor) for r in requests), np.float64, n)
        columns = dict(zip(NAMES, vectors.T, strict=True))
        columns.update(request_columns([r.transaction for r in requests], amounts, blocked, trusted))
        ruled = self._ruled(snapshot.rules, columns, n)
        channel = np.fromiter((r.transaction.channel for r in requests), np.int8, n)
        policies = snapshot.channels
        mode = policies.modes[channel]
        thresholds = policies.thresholds[channel]
        advice = recommend(scores.values, ruled.action, blocked, trusted, thresholds)
        if snapshot.shadow is not None and self._shadow is not None:
            evidence = Evidence(columns, scores.values, blocked, trusted, thresholds)
            self._shadow(snapshot.shadow.version, shadow_changes(snapshot.shadow, evidence, advice.outcome))
        acting = act(advice.outcome, mode, policies.defaults[channel])
        milder = cappable(acting, advice.hard, mode)
        reasons = self._reasons(vectors, scores, ruled, advice.outcome, blocked)
        digests = Digests(scores.model_sha256, ruled.rule_set.sha256, policies.sha256)
        versions = Versions(SCHEMA_VERSION, ruled.rule_set.version, scores.model_version, snapshot.rates.version, digests)
        drafts: list[Draft] = []
        capped: list[Draft | None] = []
        finite = np.asarray(np.isfinite(vectors).all(axis=1))
        for i, request in enumerate(requests):
            score = float(scores.values[i])
            draft = Draft(
                request=request,
                mode=int(mode[i]),
                outcome=int(acting[i]),
                recommended=int(advice.outcome[i]),
                score=None if math.isnan(score) else score,
                reasons=(("R_CHANNEL_DEFAULT", 0.0),) if mode[i] == ChannelMode.OFF else reasons[i],
                rule_hits=ruled.names(i),
                thresholds=(float(thresholds[i, 0]), float(thresholds[i, 1]), float(thresholds[i, 2])),
                versions=versions,
                degradations=scores.degradations + extra[i],
                features=vectors[i].tobytes() if finite[i] else b"",
                decided_time_s=now_s,
                blocked=bool(blocked[i]),
                trusted=bool(trusted[i]),
            )
            drafts.append(draft)
            capped.append(replace(draft, outcome=int(policies.overflows[channel[i]]), capped=True) if milder[i] else None)
        return drafts, capped

    def _ruled(self, rules: RuleSet, columns: Mapping[str, Array], n: int) -> RuleResult:
        """Return what the rules say. Those that fail, which loading them should have shown, give way to the ones before."""
        while True:
            try:
                return rules.evaluate(columns, n)
            except Exception as error:
                before = self._failed(rules, error)
                if before is None:
                    raise RulesFailed("the rules failed on this batch", retry_after_s=1.0) from error
                rules = before

    def _reasons(
        self, vectors: NDArray[np.float32], scores: Scores, ruled: RuleResult, outcome: NDArray[np.int8], blocked: NDArray[np.bool_]
    ) -> list[tuple[tuple[str, float], ...]]:
        """Rule reasons for all, path contributions for what is more than an approval; strongest first."""
        found: list[dict[str, float]] = [dict(ruled.reasons(i)) for i in range(len(vectors))]
        for i in np.flatnonzero(blocked):
            found[i]["R_BLOCK_LISTED"] = max(found[i].get("R_BLOCK_LISTED", 0.0), 10.0)
        rows = np.flatnonzero((outcome != Outcome.APPROVE) & np.isfinite(scores.values))
        if len(rows):
            moves = self._paths.contributions(vectors[rows], len(FEATURES))[:, : len(FEATURES)]
            for row, values in zip(rows, moves, strict=True):
                for position in np.argsort(-values)[:_TOP_REASONS]:
                    code, weight = FEATURES[position].reason, float(values[position])
                    if code and weight >= _MIN_CONTRIBUTION:
                        found[row][code] = max(found[row].get(code, 0.0), weight)
        return [tuple(sorted(each.items(), key=lambda item: -item[1])) for each in found]
