"""Numbers that stand in two places: the domain knows no protobuf, the scripts know no Python."""

import json
import re
from pathlib import Path

from finmesh.risk.v1 import decision_pb2, list_entry_pb2, transaction_pb2
from risk_scoring.domain import corrections, decision, features, lists, observation, outcome, transaction

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "services/risk-scoring/risk_scoring/adapters/scripts"


def wire(enum, prefix):
    """Names without prefix and numbers of a protobuf enum, without its zero."""
    return {name.removeprefix(prefix): number for name, number in enum.items() if number}


def named(enum):
    return {member.name: int(member) for member in enum}


def test_enums_of_the_domain_have_the_numbers_of_the_wire():
    assert named(outcome.Outcome) == wire(decision_pb2.Outcome, "OUTCOME_")
    assert named(outcome.ChannelMode) == wire(decision_pb2.ChannelMode, "CHANNEL_MODE_")
    assert named(transaction.Channel) == wire(transaction_pb2.Channel, "CHANNEL_")
    assert named(lists.ListKind) == wire(list_entry_pb2.ListKind, "LIST_KIND_")
    assert named(lists.ListedEntity) == wire(list_entry_pb2.ListedEntity, "LISTED_ENTITY_")


def test_degradations_have_the_numbers_of_the_wire():
    for name, number in wire(decision_pb2.Degradation, "DEGRADATION_").items():
        assert getattr(decision, name) == number


def test_every_type_of_label_says_fraud_or_genuine():
    types = wire(transaction_pb2.LabelType, "LABEL_TYPE_")
    fraud = {"CHARGEBACK", "CONFIRMED_FRAUD", "CHALLENGE_FAILED", "REVIEW_REJECTED"}
    assert {types[name] for name in fraud} == corrections.SAYS_FRAUD
    assert set(types.values()) - corrections.SAYS_FRAUD == corrections.SAYS_GENUINE


def test_types_of_lifecycle_reports_have_the_numbers_of_the_wire():
    types = wire(transaction_pb2.LifecycleType, "LIFECYCLE_TYPE_")
    ours = corrections
    assert types == {
        "AUTHORIZATION_APPROVED": ours.APPROVED,
        "AUTHORIZATION_DECLINED": ours.DECLINED,
        "REVERSAL": ours.REVERSAL,
        "REFUND": ours.REFUND,
        "STAND_IN_ADVICE": ours.STAND_IN_ADVICE,
    }


def test_the_script_writes_as_many_features_as_the_schema_names():
    counts = re.search(r"local FEATURES, FORMAT, NAN = (\d+), '<' \.\. string\.rep\('f', (\d+)\)", (SCRIPTS / "observe.lua").read_text())
    assert counts is not None and {int(counts[1]), int(counts[2])} == {features.COUNT}
    config = (ROOT / "models/repository/fraud/config.pbtxt").read_text()
    assert f'name: "FEATURES", data_type: TYPE_FP32, dims: [ -1, {features.COUNT} ]' in config


def test_the_shipped_model_was_trained_on_this_schema():
    for card in (ROOT / "models/repository/fraud").glob("*/card.json"):
        content = json.loads(card.read_text())
        assert content["feature_schema_version"] == features.SCHEMA_VERSION
        assert tuple(content["features"]) == features.NAMES


def test_the_script_reads_a_transaction_in_the_order_of_its_record():
    head = (SCRIPTS / "state.lua").read_text()
    line = re.search(r"^local (ID, .*?) =\s", head, re.M)
    assert line is not None
    order = [name.strip().lower() for name in line[1].split(",")]
    ours = list(observation.Observation._fields)
    translated = {
        "id": "decision_id", "print": "fingerprint", "customer": "customer_key", "party": "counterparty_key", "device": "device_key",
        "account": "account_key", "time": "time_s", "amount": "amount_minor", "weekday": "local_weekday",
    }  # fmt: skip
    assert [translated.get(name, name) for name in order] == ours
