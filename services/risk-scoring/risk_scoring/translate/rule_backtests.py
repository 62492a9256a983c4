"""Rules on history: decision records to domain, and the report of a test to protobuf."""

from __future__ import annotations

import math

from finmesh.risk.v1 import risk_scoring_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.crypto.keyed_ids import uuid_bytes

from risk_scoring.domain.backtest import RuleSetReport
from risk_scoring.domain.history import PastDecision, RuleBacktest
from risk_scoring.translate import decision_record


def past_decision(payload: bytes) -> PastDecision:
    """Return what a decision record says. Raises InvalidArgument (MALFORMED), ValueError for an id that is none."""
    record = decision_record(payload)
    inputs, delta = record.rule_inputs, record.delta
    return PastDecision(
        decision_id=uuid_bytes(record.decision_id),
        tenant=record.tenant,
        decided_time_s=record.decided_time.seconds + record.decided_time.nanos / 1e9,
        channel=record.channel,
        currency=record.amount.currency_code,
        country=inputs.country_code,
        mcc=inputs.merchant_category_code,
        hour=delta.local_hour,
        has_device=bool(delta.device_key),
        blocked=inputs.block_listed,
        trusted=inputs.trusted_payee,
        reference_amount_minor=delta.reference_amount_minor,
        score=record.score if record.HasField("score") else math.nan,
        thresholds=tuple(record.thresholds),
        features=record.features,
        feature_schema=record.versions.feature_schema_version,
        rule_set=record.versions.rule_set_version,
        recommended=record.recommended_outcome,
        has_rule_inputs=record.HasField("rule_inputs"),
    )


def rule_backtest_response(test: RuleBacktest) -> pb.BacktestRulesResponse:
    """Return the report as a message."""
    compared = test.comparison
    response = pb.BacktestRulesResponse(
        present=_report(compared.present),
        candidate=_report(compared.candidate),
        moved=[
            pb.OutcomeMove(present=old, candidate=new, count=count)  # type: ignore[arg-type]
            for (old, new), count in compared.moved.items()
        ],
        fraud_gained=compared.fraud_gained,
        fraud_lost=compared.fraud_lost,
        currency_code=test.currency,
        decisions=test.decisions,
        left_out=test.left_out,
        complete=test.complete,
        made_by_present=compared.made_by_present,
        reproduced=compared.reproduced,
    )
    if test.decisions:
        response.first_decided.CopyFrom(_timestamp(test.first_s))
        response.last_decided.CopyFrom(_timestamp(test.last_s))
    return response


def _report(report: RuleSetReport) -> pb.RuleSetReport:
    return pb.RuleSetReport(
        version=report.version,
        outcomes=[
            pb.OutcomeTotal(outcome=outcome, count=count, amount_minor=report.amount_minor[outcome])  # type: ignore[arg-type]
            for outcome, count in report.count.items()
        ],
        fraud_caught=report.fraud_caught,
        fraud_missed=report.fraud_missed,
        fraud_caught_minor=report.fraud_caught_minor,
        fraud_missed_minor=report.fraud_missed_minor,
        genuine_with_friction=report.genuine_with_friction,
        rules=[pb.RuleHits(rule=rule, hits=hits, fraud_hits=report.fraud_hits_by_rule[rule]) for rule, hits in report.hits_by_rule.items()],
    )


def _timestamp(time_s: float) -> Timestamp:
    return Timestamp(seconds=int(time_s), nanos=int(time_s % 1 * 1_000_000) * 1_000)
