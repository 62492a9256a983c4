"""Channel modes, thresholds and cap come from one checked table."""

from copy import deepcopy
from pathlib import Path

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given
from meshkit.errors import InvalidDocument
from risk_scoring.domain.channel_policy import ChannelPolicies
from risk_scoring.domain.outcome import ChannelMode, Outcome, Thresholds
from risk_scoring.domain.transaction import Channel

SHIPPED = yaml.safe_load((Path(__file__).parents[4] / "services/risk-scoring/rules/channels.yaml").read_text())

MODEL = Thresholds(0.02, 0.05, 0.4)


def test_the_shipped_table_is_indexed_by_channel_number():
    policies = ChannelPolicies.from_document(SHIPPED, MODEL)
    assert policies.version and policies.cap.interval_s == SHIPPED["decline_cap"]["interval_s"]
    for channel in Channel:
        fields = SHIPPED["channels"][channel.name.lower()]
        assert policies.modes[channel] == ChannelMode[fields["mode"].upper()]
        assert policies.defaults[channel] == Outcome[fields["default_outcome"].upper()]
        assert policies.overflows[channel] == Outcome[fields["overflow"].upper()]
        assert policies.thresholds[channel].tolist() == list(MODEL.as_tuple())


def test_a_channel_may_state_its_own_thresholds():
    own = {"challenge": 0.2, "review": 0.5, "decline": 0.9}
    policies = ChannelPolicies.from_document(edited(("channels", "atm", "thresholds"), own), MODEL)
    assert policies.thresholds[Channel.ATM].tolist() == list(own.values())
    assert policies.thresholds[Channel.TRANSFER].tolist() == list(MODEL.as_tuple())


def edited(path, value):
    document = deepcopy(SHIPPED)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("version",), 3, "version"),
        (("extra",), 3, "nothing else"),
        (("channels", "branch"), {}, "every channel"),
        (("channels", "atm", "overflow"), "approve", "channel atm.*review or challenge"),
        (("channels", "atm", "overflow"), "decline", "channel atm.*review or challenge"),
        (("channels", "atm", "mode"), False, "channel atm.*quoted"),  # a bare off in YAML 1.1
        (("channels", "atm", "mode"), "shadow", "channel atm"),
        (("channels", "atm", "thresholds"), {"challenge": 0.9, "review": 0.5, "decline": 0.95}, "channel atm.*challenge < review"),
        (("channels", "atm", "thresholds"), {"challenge": 0.2}, "channel atm"),
        (("channels", "atm", "speed"), 1, "channel atm.*exactly"),
        (("decline_cap", "highest_rate"), 0, "decline_cap"),
        (("decline_cap", "least_decisions"), 0, "decline_cap"),
        (("decline_cap", "interval_s"), 0, "decline_cap"),
        (("decline_cap", "extra"), 0, "exactly"),
    ],
)
def test_a_wrong_table_is_refused(path, value, said):
    with pytest.raises(InvalidDocument, match=said):
        ChannelPolicies.from_document(edited(path, value), MODEL)


def test_something_else_is_refused():
    with pytest.raises(InvalidDocument):
        ChannelPolicies.from_document(["channels"], MODEL)


TEXTS = st.sampled_from(
    ["version", "decline_cap", "channels", "interval_s", "atm", "mode", "off", "live", "thresholds", "challenge", "1", "渠道"]
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner),
)


@given(PLAIN)
def test_anything_at_all_raises_nothing_else(document):
    with pytest.raises(InvalidDocument):
        ChannelPolicies.from_document(document, MODEL)


PLACES = [
    ("version",), ("decline_cap",), ("channels",), ("channels", "atm"), ("decline_cap", "interval_s"),
    ("decline_cap", "highest_rate"),
    ("decline_cap", "least_decisions"), ("channels", "atm", "mode"), ("channels", "atm", "overflow"),
    ("channels", "atm", "default_outcome"),
    ("channels", "atm", "thresholds"),
]  # fmt: skip


@given(st.sampled_from(PLACES), PLAIN)
def test_anything_in_one_place_is_taken_or_refused_and_what_is_taken_works(path, value):
    try:
        policies = ChannelPolicies.from_document(edited(path, value), MODEL)
    except InvalidDocument:
        return
    assert policies.thresholds.shape == (5, 3) and policies.modes.shape == policies.defaults.shape == policies.overflows.shape == (5,)
    assert 1 <= policies.cap.interval_s <= 86_400 and type(policies.cap.interval_s) is int
