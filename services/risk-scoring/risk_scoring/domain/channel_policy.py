"""How each channel is run: mode, default answer, thresholds and decline cap. One immutable, versioned table; `channels.yaml` is its file.

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from risk_scoring.domain.outcome import ChannelMode, Float64, Int8, Outcome, Thresholds
from risk_scoring.domain.transaction import Channel

_FIELDS = {"mode", "default_outcome", "thresholds", "decline_cap"}
_CAP_FIELDS = {"max_share", "interval_s", "min_decisions", "overflow"}


@dataclass(frozen=True, slots=True)
class DeclineCap:
    """At most ``max_share`` of a channel's decisions in an interval of processing time may be declines, counted from ``min_decisions`` on.

    max_share: float
    interval_s: int
    min_decisions: int
    overflow: Outcome

    def __post_init__(self) -> None:
        if not 0.0 < self.max_share <= 1.0 or not 1 <= self.interval_s <= 86_400 or self.min_decisions < 1:
            raise ValueError("a decline cap needs 0 < max_share <= 1, 1 <= interval_s <= 86400 and min_decisions >= 1")
        if self.overflow not in (Outcome.CHALLENGE, Outcome.REVIEW):
            raise ValueError("the overflow of a decline cap is review or challenge")


@dataclass(frozen=True, slots=True)
class ChannelPolicy:
    """One channel. ``default_outcome`` is the answer when the channel is off, and the bank's own answer when none comes in time."""

    mode: ChannelMode
    default_outcome: Outcome
    thresholds: Thresholds
    decline_cap: DeclineCap


@dataclass(frozen=True)
class ChannelPolicies:
    """All channels under one version. The arrays are indexed by channel number (row 0 is unused)."""

    version: str
    by_channel: Mapping[Channel, ChannelPolicy]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build from the parsed file; raises ValueError that names the channel and what is wrong."""
        if set(document) != {"version", "channels"} or not isinstance(document["version"], str) or not document["version"]:
            raise ValueError("the channel table needs version (text) and channels, and nothing else")
        channels = document["channels"]
        if not isinstance(channels, Mapping) or set(channels) != {channel.name.lower() for channel in Channel}:
            raise ValueError("the channel table must describe every channel and no other")
        return cls(document["version"], {channel: _policy(channel.name.lower(), channels[channel.name.lower()]) for channel in Channel})

    @cached_property
    def modes(self) -> Int8:
        """Mode by channel number, (5,) int8."""
        return np.array([ChannelMode.OFF, *(self.by_channel[c].mode for c in Channel)], dtype=np.int8)

    @cached_property
    def defaults(self) -> Int8:
        """Default outcome by channel number, (5,) int8."""
        return np.array([Outcome.REVIEW, *(self.by_channel[c].default_outcome for c in Channel)], dtype=np.int8)

    @cached_property
    def overflows(self) -> Int8:
        """Overflow outcome of the decline cap by channel number, (5,) int8."""
        return np.array([Outcome.REVIEW, *(self.by_channel[c].decline_cap.overflow for c in Channel)], dtype=np.int8)

    @cached_property
    def thresholds(self) -> Float64:
        """Challenge, review, decline by channel number, (5, 3) float64."""
        return np.array([(np.inf, np.inf, np.inf), *(self.by_channel[c].thresholds.as_tuple() for c in Channel)], dtype=np.float64)


def _policy(name: str, fields: Any) -> ChannelPolicy:
    if not isinstance(fields, Mapping) or set(fields) != _FIELDS:
        raise ValueError(f"channel {name}: needs exactly {', '.join(sorted(_FIELDS))}")
    cap_fields = fields["decline_cap"]
    if not isinstance(cap_fields, Mapping) or set(cap_fields) != _CAP_FIELDS:
        raise ValueError(f"channel {name}: decline_cap needs exactly {', '.join(sorted(_CAP_FIELDS))}")
    try:
        return ChannelPolicy(
            mode=ChannelMode[_word(fields["mode"])],
            default_outcome=Outcome[_word(fields["default_outcome"])],
            thresholds=Thresholds(**{key: float(value) for key, value in fields["thresholds"].items()}),
            decline_cap=DeclineCap(
                max_share=float(cap_fields["max_share"]),
                interval_s=int(cap_fields["interval_s"]),
                min_decisions=int(cap_fields["min_decisions"]),
                overflow=Outcome[_word(cap_fields["overflow"])],
            ),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"channel {name}: {error}") from error


def _word(value: Any) -> str:
    if not isinstance(value, str):  # YAML 1.1 reads a bare "off" as false
        raise ValueError(f"{value!r} must be a quoted word")
    return value.upper()
