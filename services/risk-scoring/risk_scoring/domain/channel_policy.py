"""How each channel is run: mode, default answer, thresholds, overflow of the decline cap. One immutable, versioned table; `channels.yaml`.

The cap itself is one for all channels of a tenant, because finalise counts by tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from meshkit.errors import InvalidDocument

from risk_scoring.domain.observation import CapPolicy
from risk_scoring.domain.outcome import ChannelMode, Float64, Int8, Outcome, Thresholds
from risk_scoring.domain.transaction import Channel

_FIELDS = {"mode", "default_outcome", "overflow"}
_OPTIONAL = {"thresholds"}
_CAP_FIELDS = {"interval_s", "highest_rate", "least_decisions"}
CHANNELS_INVALID = "CHANNELS_INVALID"


@dataclass(frozen=True, slots=True)
class ChannelPolicy:
    """One channel.

    ``default_outcome``: the answer when the channel is off, and the bank's own when no answer comes in time. ``overflow``: what a decline
    above the cap becomes, review or challenge; raises ValueError for anything else.
    """

    mode: ChannelMode
    default_outcome: Outcome
    thresholds: Thresholds
    overflow: Outcome

    def __post_init__(self) -> None:
        if self.overflow not in (Outcome.CHALLENGE, Outcome.REVIEW):
            raise ValueError("the overflow of the decline cap is review or challenge")


@dataclass(frozen=True)
class ChannelPolicies:
    """All channels and the decline cap under one version. The arrays are indexed by channel number (row 0 is unused).

    ``sha256``: of the table's file and the model's card, which has the thresholds of channels that state none.
    """

    version: str
    cap: CapPolicy
    by_channel: Mapping[Channel, ChannelPolicy]
    sha256: bytes = b""

    @classmethod
    def from_document(cls, document: Any, model: Thresholds, sha256: bytes = b"") -> Self:
        """Build from the parsed file; raises InvalidDocument that names the place and what is wrong.

        ``model``: the thresholds on the model's card, for channels that state none: scores of two model versions mean different things.
        """
        if not isinstance(document, Mapping) or set(document) != {"version", "decline_cap", "channels"}:
            raise _invalid("the channel table needs version, decline_cap and channels, and nothing else")
        version = document["version"]
        if not isinstance(version, str) or not 0 < len(version) <= 100 or not version.isprintable():
            raise _invalid("version: must be a text of 1 to 100 characters")
        channels = document["channels"]
        if not isinstance(channels, Mapping) or set(channels) != {channel.name.lower() for channel in Channel}:
            raise _invalid("channels: the table must describe every channel and no other")
        policies = {channel: _policy(channel.name.lower(), channels[channel.name.lower()], model) for channel in Channel}
        return cls(version, _cap(document["decline_cap"]), policies, sha256)

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
        """Overflow of the decline cap by channel number, (5,) int8."""
        return np.array([Outcome.REVIEW, *(self.by_channel[c].overflow for c in Channel)], dtype=np.int8)

    @cached_property
    def thresholds(self) -> Float64:
        """Challenge, review, decline by channel number, (5, 3) float64."""
        return np.array([(np.inf, np.inf, np.inf), *(self.by_channel[c].thresholds.as_tuple() for c in Channel)], dtype=np.float64)


def _cap(fields: Any) -> CapPolicy:
    if not isinstance(fields, Mapping) or set(fields) != _CAP_FIELDS:
        raise _invalid("decline_cap: needs exactly interval_s, highest_rate and least_decisions")
    interval_s, least_decisions = fields["interval_s"], fields["least_decisions"]
    for name, maximum in (("interval_s", 86_400), ("least_decisions", 1_000_000_000)):
        if not _is_number(fields[name], int) or not 1 <= fields[name] <= maximum:
            raise _invalid(f"decline_cap.{name}: must be a whole number from 1 to {maximum}")
    if not _is_number(fields["highest_rate"]) or not 0.0 < fields["highest_rate"] <= 1.0:
        raise _invalid("decline_cap.highest_rate: must be a number above 0, at most 1")
    return CapPolicy(interval_s, float(fields["highest_rate"]), least_decisions)


def _policy(name: str, fields: Any, model: Thresholds) -> ChannelPolicy:
    if not isinstance(fields, Mapping) or set(fields) - _OPTIONAL != _FIELDS:
        raise _invalid(f"channel {name}: needs exactly {', '.join(sorted(_FIELDS))}, and may have thresholds")
    try:
        return ChannelPolicy(
            mode=ChannelMode[_word(fields, "mode")],
            default_outcome=Outcome[_word(fields, "default_outcome")],
            thresholds=_thresholds(fields["thresholds"]) if "thresholds" in fields else model,
            overflow=Outcome[_word(fields, "overflow")],
        )
    except KeyError as error:
        raise _invalid(f"channel {name}: there is no {error.args[0].lower()[:40]!r}") from None
    except ValueError as error:
        raise _invalid(f"channel {name}: {error}") from None


def _thresholds(fields: Any) -> Thresholds:
    if not isinstance(fields, Mapping) or set(fields) != {"challenge", "review", "decline"}:
        raise ValueError("thresholds need exactly challenge, review and decline")
    if not all(_is_number(value) for value in fields.values()):
        raise ValueError("thresholds must be numbers")
    return Thresholds(**{name: float(value) for name, value in fields.items()})


def _word(fields: Mapping[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):  # YAML 1.1 reads a bare "off" as false
        raise ValueError(f"{name}: {str(value)[:40]!r} must be a quoted word")
    return value.upper()


def _is_number(value: Any, kind: type | tuple[type, ...] = (int, float)) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _invalid(said: str) -> InvalidDocument:
    return InvalidDocument(said, reason=CHANNELS_INVALID)
