"""Recorded decisions as columns, so that another rule set can decide them again; what became known of them since.

The columns are those of `request_columns`, from the record instead of the request. Surprising: a record that lacks the rule inputs, or
holds a vector of another schema, is left out rather than decided on half of the evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from risk_scoring.domain.backtest import Comparison, Recorded
from risk_scoring.domain.features import COUNT, NAMES, SCHEMA_VERSION
from risk_scoring.domain.outcome import Outcome
from risk_scoring.domain.rates import RateTable
from risk_scoring.domain.request_columns import CHANNELS, REQUEST_COLUMNS

_TEXTS = ("currency", "country", "mcc", "tenant")
_VECTOR_BYTES = COUNT * 4
_NO_FEATURES = np.full(COUNT, np.nan, dtype="<f4").tobytes()


class PastDecision(NamedTuple):
    """One decision record. ``features``: little-endian float32, empty when the store was down; ``score``: NaN without a model."""

    decision_id: bytes
    tenant: str
    decided_time_s: float
    channel: int
    currency: str
    country: str
    mcc: str
    hour: int
    has_device: bool
    blocked: bool
    trusted: bool
    reference_amount_minor: int
    score: float
    thresholds: tuple[float, ...]
    features: bytes
    feature_schema: int
    rule_set: str
    recommended: int
    has_rule_inputs: bool

    @property
    def comparable(self) -> bool:
        """Whether the record holds all that rules ask for."""
        vector_fits = not self.features or (self.feature_schema == SCHEMA_VERSION and len(self.features) == _VECTOR_BYTES)
        known = 0 <= self.channel < len(CHANNELS) and 0 <= self.hour < 24 and 0 <= self.recommended <= max(Outcome)
        return self.has_rule_inputs and vector_fits and len(self.thresholds) == 3 and known


class PastLabel(NamedTuple):
    """What one label says of one decision. ``frauds``: 1 for fraud, -1 when that is retracted, 0 for a label that says genuine."""

    label_id: str
    decision_id: bytes
    frauds: int
    known_at_s: float


@dataclass(frozen=True, slots=True)
class Slice:
    """Some decisions as columns, and whose they are: ``ids`` in the order of the rows."""

    ids: tuple[bytes, ...]
    recorded: Recorded

    @classmethod
    def of(cls, decisions: Sequence[PastDecision], rates: RateTable, present: str) -> Self:
        """Build columns of comparable decisions, all counted as genuine. ``present``: version of the rule set in force."""
        vectors = np.frombuffer(b"".join(each.features or _NO_FEATURES for each in decisions), dtype="<f4").reshape(-1, COUNT)
        texts = {name: np.array([getattr(each, name) for each in decisions], dtype=np.str_) for name in _TEXTS}
        blocked = np.array([each.blocked for each in decisions], dtype=np.bool_)
        trusted = np.array([each.trusted for each in decisions], dtype=np.bool_)
        request = texts | {
            "amount": np.array([rates.to_reference_major(each.reference_amount_minor) for each in decisions], dtype=np.float64),
            "channel": CHANNELS[[each.channel for each in decisions]],
            "hour": np.array([each.hour for each in decisions], dtype=np.int8),
            "has_device": np.array([each.has_device for each in decisions], dtype=np.bool_),
            "block_listed": blocked,
            "trusted_payee": trusted,
        }
        recorded = Recorded(
            columns=dict(zip(NAMES, np.ascontiguousarray(vectors.T), strict=True)) | {name: request[name] for name in REQUEST_COLUMNS},
            score=np.array([each.score for each in decisions], dtype=np.float64),
            blocked=blocked,
            trusted=trusted,
            thresholds=np.array([each.thresholds for each in decisions], dtype=np.float64).reshape(-1, 3),
            reference_amount_minor=np.array([each.reference_amount_minor for each in decisions], dtype=np.int64),
            fraud=np.zeros(len(decisions), dtype=np.bool_),
            recommended=np.array([each.recommended if each.rule_set == present else 0 for each in decisions], dtype=np.int8),
        )
        return cls(tuple(each.decision_id for each in decisions), recorded)

    def labelled(self, frauds: Collection[bytes]) -> Recorded:
        """Return the rows with what is known of them."""
        return replace(self.recorded, fraud=np.array([each in frauds for each in self.ids], dtype=np.bool_))


class KnownFraud:
    """Verdicts on decisions as the feature store counts them (amend.lua): fraud while any label says so. A repeated label counts once."""

    def __init__(self, of: Collection[bytes], now_s: float) -> None:
        self._of = of
        self._now_s = now_s
        self._labels: set[str] = set()
        self._frauds: dict[bytes, int] = {}

    def add(self, label: PastLabel) -> None:
        """Count a label if it is of one of our decisions and known by now."""
        if label.decision_id in self._of and label.known_at_s <= self._now_s and label.label_id not in self._labels:
            self._labels.add(label.label_id)
            self._frauds[label.decision_id] = max(self._frauds.get(label.decision_id, 0) + label.frauds, 0)

    def decisions(self) -> frozenset[bytes]:
        """Return the ids of decisions that are known to be fraud."""
        return frozenset(decision for decision, frauds in self._frauds.items() if frauds > 0)


@dataclass(frozen=True, slots=True)
class RuleBacktest:
    """What a test of rules on history says. Times are epoch seconds, 0 when nothing was compared.

    ``complete``: everything in the asked period was looked at.
    """

    comparison: Comparison
    currency: str
    decisions: int
    left_out: int
    first_s: float
    last_s: float
    complete: bool
