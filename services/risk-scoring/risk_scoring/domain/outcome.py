"""From score, rules and lists to what the bank should do; vectorised over a batch, arrays of shape (n,), and for one row alone.

Kept apart because they happen at different times: `recommend` (what rules and model say), `act` (channel mode, D19) and the decline cap
(D18): `cappable` says here which declines it may soften, the counter in the finalise script decides over all replicas. Surprising: "live"
is the only mode in which a decline is counted and can be capped, and a capped decline never becomes an approval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Int8 = npt.NDArray[np.int8]
Float64 = npt.NDArray[np.float64]

SCORE_DECIMALS = 6


class Outcome(IntEnum):
    """What to do, in order of severity; numbers of finmesh.risk.v1.Outcome."""

    APPROVE = 1
    CHALLENGE = 2
    REVIEW = 3
    DECLINE = 4


class ChannelMode(IntEnum):
    """Whether the outcome acts; numbers of finmesh.risk.v1.ChannelMode."""

    LIVE = 1
    MONITOR = 2
    OFF = 3


class RuleAction(IntEnum):
    """What rules ask for, in order of severity. Only a hard block is exempt from the decline cap."""

    NONE = 0
    ALERT = 1
    BLOCK = 2
    HARD_BLOCK = 3


_APPROVE, _DECLINE, _HARD_BLOCK = int(Outcome.APPROVE), int(Outcome.DECLINE), int(RuleAction.HARD_BLOCK)
_LIVE, _OFF = int(ChannelMode.LIVE), int(ChannelMode.OFF)
_ACTION_OUTCOMES = (_APPROVE, int(Outcome.REVIEW), _DECLINE, _DECLINE)
_OUTCOME_OF_ACTION: Int8 = np.array(_ACTION_OUTCOMES, dtype=np.int8)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores from which on a transaction is challenged, reviewed, declined; ValueError unless 0 < challenge < review < decline <= 1."""

    challenge: float
    review: float
    decline: float

    def __post_init__(self) -> None:
        if not 0.0 < self.challenge < self.review < self.decline <= 1.0:
            raise ValueError("thresholds must satisfy 0 < challenge < review < decline <= 1")

    def as_tuple(self) -> tuple[float, float, float]:
        """Challenge, review, decline."""
        return self.challenge, self.review, self.decline


@dataclass(frozen=True, slots=True)
class Recommended:
    """What rules and model alone say: ``outcome`` (n,) int8 and ``hard`` (n,) bool, true where the cap must not touch a decline."""

    outcome: Int8
    hard: Bool


def rounded_scores(score: npt.NDArray[np.floating]) -> Float64:
    """Scores rounded to the stated precision (D23), so that Triton, ONNX Runtime and a replay meet thresholds with the same number. NaN
    stays.
    """
    return np.asarray(score, dtype=np.float64).round(SCORE_DECIMALS)


def recommend(score: Float64, rule_action: Int8, blocked: Bool, trusted: Bool, thresholds: Float64) -> Recommended:
    """The severest of score, rules and block list.

    ``score``: rounded, NaN where no model answered (rules alone). ``rule_action``: RuleAction. ``blocked``: an entity is on the block list.
    ``trusted``: trusted payee; lifts what the score asks for, never what rules or block lists ask for. ``thresholds``: (3,) or (n, 3).
    """
    limits = np.atleast_2d(thresholds)
    level = (score >= limits[:, 0]).astype(np.int8)
    level += score >= limits[:, 1]
    level += score >= limits[:, 2]
    level[trusted] = 0
    outcome = np.maximum(level + np.int8(Outcome.APPROVE), _OUTCOME_OF_ACTION[rule_action])
    outcome[blocked] = Outcome.DECLINE
    return Recommended(outcome, blocked | (rule_action == RuleAction.HARD_BLOCK))


def decide_one(
    score: float, rule_action: int, blocked: bool, trusted: bool, thresholds: Sequence[float], mode: int, default: int
) -> tuple[int, int, bool]:
    """``recommend``, ``act`` and ``cappable`` for one row: what is recommended, what acts, and whether the cap may soften it."""
    level = 0 if trusted else sum([score >= limit for limit in thresholds])
    recommended = _DECLINE if blocked else max(level + _APPROVE, _ACTION_OUTCOMES[rule_action])
    if mode == _LIVE:
        return recommended, recommended, recommended == _DECLINE and not blocked and rule_action != _HARD_BLOCK
    return recommended, default if mode == _OFF else _APPROVE, False


def act(recommended: Int8, mode: Int8, default: Int8) -> Int8:
    """The acting outcome before the cap: as recommended when live, approve when monitored, the channel's default answer when off (D19)."""
    acting = np.where(mode == ChannelMode.LIVE, recommended, np.int8(Outcome.APPROVE))
    return np.where(mode == ChannelMode.OFF, default, acting)


def cappable(acting: Int8, hard: Bool, mode: Int8) -> Bool:
    """Which rows are declines that the cap may turn into something milder: live and not a hard block (D18)."""
    result: Bool = (acting == Outcome.DECLINE) & ~hard & (mode == ChannelMode.LIVE)
    return result
