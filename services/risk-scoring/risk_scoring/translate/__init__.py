"""Protobuf to domain and back; the only module that speaks both. The decision record and the audit record get their bytes here, once."""

from __future__ import annotations

from typing import Any

from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from finmesh.common.v1.grade_pb2 import DATA_GRADE_L3
from finmesh.common.v1.money_pb2 import Money
from finmesh.risk.v1 import decision_pb2, list_entry_pb2, risk_scoring_service_pb2, transaction_pb2
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.crypto.keyed_ids import KeyedIds, uuid_bytes, uuid_text
from meshkit.errors import FieldViolation, InvalidArgument

from risk_scoring.domain.decision import Draft
from risk_scoring.domain.identity import INVALID_TRANSACTION, CardIdentity, CreditTransferIdentity, Identity, Uetr
from risk_scoring.domain.lists import ListChange
from risk_scoring.domain.observation import Observation, RestoredRecord
from risk_scoring.domain.transaction import Transaction

SCENARIO = "anti-fraud"
BUILD = "risk-scoring/0.1.0"
_OUTCOMES = decision_pb2.Outcome.Name
_DEGRADATIONS = decision_pb2.Degradation.Name


def parse(message: type[Any], payload: bytes | None) -> Any:
    """Return a parsed message. Raises InvalidArgument (MALFORMED) for bytes that are none."""
    try:
        return message.FromString(payload or b"")
    except DecodeError as error:
        raise InvalidArgument("not a valid protobuf message", reason="MALFORMED") from error


def identity(message: transaction_pb2.TransactionIdentity) -> Identity:
    """Return the identity. Raises InvalidArgument when none is set."""
    kind = message.WhichOneof("identity")
    if kind == "card":
        card = message.card
        return CardIdentity(card.acquirer_id, card.stan, card.rrn, card.transmission_date, card.message_type)
    if kind == "uetr":
        return Uetr(message.uetr)
    if kind == "credit_transfer":
        transfer = message.credit_transfer
        return CreditTransferIdentity(transfer.sender_id, transfer.message_id, transfer.end_to_end_id, transfer.index)
    raise InvalidArgument(
        "the transaction has no identity", reason=INVALID_TRANSACTION, violations=(FieldViolation("identity", "is required"),)
    )


def transaction(message: transaction_pb2.TransactionAuthorizationRequested) -> Transaction:
    """Return the validated transaction. Raises InvalidArgument naming every wrong field."""
    amount, geo, time = message.amount, message.geo, message.event_time
    return Transaction(
        message.tenant,
        identity(message.identity),
        message.channel,
        time.seconds * 1_000_000 + time.nanos // 1_000,
        amount.amount_minor,
        amount.currency_code,
        message.customer_id,
        message.account_id,
        message.instrument_token,
        message.counterparty_account_id,
        message.merchant_id,
        message.terminal_id,
        message.merchant_category_code,
        message.device_id,
        geo.country_code,
        geo.region_code,
        message.utc_offset_minutes,
    ).validated()


def transaction_message(t: Transaction) -> transaction_pb2.TransactionAuthorizationRequested:
    """Return the event of a transaction (a transfer out of a pacs.008 document, for instance)."""
    message = transaction_pb2.TransactionAuthorizationRequested(
        tenant=t.tenant,
        channel=t.channel,  # type: ignore[arg-type]
        event_time=_timestamp_us(t.event_time_us),
        amount=Money(currency_code=t.currency, amount_minor=t.amount_minor),
        customer_id=t.customer_id,
        account_id=t.account_id,
        instrument_token=t.instrument_token,
        counterparty_account_id=t.counterparty_account_id,
        merchant_id=t.merchant_id,
        terminal_id=t.terminal_id,
        merchant_category_code=t.mcc,
        device_id=t.device_id,
        geo=transaction_pb2.Geo(country_code=t.country_code, region_code=t.region_code),
        utc_offset_minutes=t.utc_offset_minutes,
    )
    target = message.identity
    if isinstance(t.identity, Uetr):
        target.uetr = t.identity.value
    elif isinstance(t.identity, CardIdentity):
        card = t.identity
        target.card.acquirer_id, target.card.stan, target.card.rrn = card.acquirer_id, card.stan, card.rrn
        target.card.transmission_date, target.card.message_type = card.transmission_date, card.message_type
    else:
        transfer = t.identity
        target.credit_transfer.sender_id, target.credit_transfer.message_id = transfer.sender_id, transfer.message_id
        target.credit_transfer.end_to_end_id, target.credit_transfer.index = transfer.end_to_end_id, transfer.index
    return message


class RecordCodec:
    """Encodes decision records and audit records."""

    def __init__(self, keys: KeyedIds) -> None:
        self._keys = keys

    def decision(self, draft: Draft) -> bytes:
        """Return the bytes of TransactionDecided."""
        request, versions = draft.request, draft.versions
        t, seen = request.transaction, request.observation
        record = decision_pb2.TransactionDecided(
            decision_id=uuid_text(seen.decision_id),
            tenant=t.tenant,
            fingerprint=seen.fingerprint,
            channel=t.channel,  # type: ignore[arg-type]
            mode=draft.mode,  # type: ignore[arg-type]
            outcome=draft.outcome,  # type: ignore[arg-type]
            recommended_outcome=draft.recommended,  # type: ignore[arg-type]
            score=draft.score,
            reasons=[decision_pb2.Reason(code=code, contribution=weight) for code, weight in draft.reasons],
            rule_hits=draft.rule_hits,
            thresholds=draft.thresholds,
            versions=decision_pb2.DecisionVersions(
                feature_schema_version=versions.feature_schema,
                rule_set_version=versions.rule_set,
                model_version=versions.model,
                model_digest=versions.model_digest,
                rate_version=versions.rates,
            ),
            degradations=draft.degradations,  # type: ignore[arg-type]
            features=draft.features,
            delta=decision_pb2.FeatureDelta(
                customer_key=seen.customer_key,
                counterparty_key=seen.counterparty_key,
                device_key=seen.device_key,
                account_key=seen.account_key,
                event_time_s=seen.time_s,
                reference_amount_minor=seen.amount_minor,
                geo_key=seen.place,
                local_hour=seen.local_hour,
            ),
            event_time=_timestamp_us(t.event_time_us),
            decided_time=_timestamp_us(int(draft.decided_time_s * 1_000_000)),
            amount=Money(currency_code=t.currency, amount_minor=t.amount_minor),
            decline_capped=draft.capped,
            trace_id=request.trace_id,
            purpose=request.asker.purpose,
        )
        if request.partition >= 0:
            record.input_position.partition, record.input_position.offset = request.partition, request.offset
        return record.SerializeToString()

    def audit(self, draft: Draft, decision: bytes) -> bytes:
        """Return the bytes of the AuditRecord that commits to ``decision``."""
        request, asker = draft.request, draft.request.asker
        t, seen = request.transaction, request.observation
        decision_id = uuid_text(seen.decision_id)
        return AuditRecord(
            audit_record_id=uuid_text(self._keys.derived_id("audit", seen.decision_id)),
            producer="risk-scoring",
            tenant=t.tenant,
            scenario=SCENARIO,
            purpose=asker.purpose,
            principal_key=self._keys.entity_key(t.tenant, asker.principal),
            request_id=asker.request_id or decision_id,
            decision_id=decision_id,
            decision_commitment=self._keys.commit(decision),
            commitment_key_id=self._keys.key_id,
            feature_commitment=self._keys.commit(draft.features),
            outcome=_OUTCOMES(draft.outcome),
            reason_codes=[code for code, _ in draft.reasons],
            model_digest=draft.versions.model_digest,
            model_version=draft.versions.model,
            rule_set_version=draft.versions.rule_set,
            feature_schema_version=draft.versions.feature_schema,
            degradations=[_DEGRADATIONS(each) for each in draft.degradations],
            grade=DATA_GRADE_L3,
            trace_id=request.trace_id,
            event_time=_timestamp_us(t.event_time_us),
            decided_time=_timestamp_us(int(draft.decided_time_s * 1_000_000)),
            policy_hash=asker.policy_hash,
            build=BUILD,
        ).SerializeToString()

    def fingerprint(self, decision: bytes) -> bytes:
        """Return the fingerprint in a decision record."""
        return decision_record(decision).fingerprint


def decision_record(decision: bytes) -> decision_pb2.TransactionDecided:
    """Return a parsed decision record."""
    record: decision_pb2.TransactionDecided = parse(decision_pb2.TransactionDecided, decision)
    return record


def decision_id(decision: bytes) -> bytes:
    """Return the 16 bytes of the id in a decision record."""
    return uuid_bytes(decision_record(decision).decision_id)


def restored_record(decision: bytes) -> RestoredRecord:
    """Return what the feature store needs to know a published decision again."""
    record = decision_record(decision)
    delta = record.delta
    seen = Observation(
        uuid_bytes(record.decision_id),
        record.fingerprint,
        delta.customer_key,
        delta.counterparty_key,
        delta.device_key,
        delta.account_key,
        delta.event_time_s,
        delta.reference_amount_minor,
        record.channel,
        delta.local_hour,
        0,
        delta.geo_key,
    )
    position = record.input_position
    partition, offset = (position.partition, position.offset) if record.HasField("input_position") else (-1, -1)
    return RestoredRecord(seen, decision, partition, offset, record.decided_time.seconds)


def score_response(decision: bytes, *, replayed: bool) -> risk_scoring_service_pb2.ScoreTransactionResponse:
    """Return the reply that carries a decision's exact bytes and, for convenience, its main fields."""
    record = decision_record(decision)
    return risk_scoring_service_pb2.ScoreTransactionResponse(
        decision_record=decision,
        decision_id=record.decision_id,
        outcome=record.outcome,
        reason_codes=[reason.code for reason in record.reasons],
        score=record.score if record.HasField("score") else None,
        degradations=record.degradations,
        replayed=replayed,
    )


def list_change(entry: list_entry_pb2.ListEntryChanged) -> ListChange:
    """Return the validated change. Raises InvalidArgument naming every wrong field."""
    return ListChange(
        entry.tenant,
        entry.kind,
        entry.entity,
        entry.entity_id,
        entry.customer_id,
        entry.expires_at.seconds + entry.expires_at.nanos / 1e9,
        entry.author,
        entry.comment,
        entry.removed,
    ).validated()


def _timestamp_us(time_us: int) -> Timestamp:
    return Timestamp(seconds=time_us // 1_000_000, nanos=time_us % 1_000_000 * 1_000)
