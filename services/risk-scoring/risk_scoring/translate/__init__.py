"""Protobuf to domain and back; the only module that speaks both. The decision record and the audit record get their bytes here, once."""

from __future__ import annotations

from typing import Any

from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from finmesh.common.v1.grade_pb2 import DATA_GRADE_L3
from finmesh.common.v1.money_pb2 import Money
from finmesh.risk.v1 import decision_pb2, risk_scoring_service_pb2, transaction_pb2
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.keyed_ids import KeyedIds, uuid_bytes, uuid_text
from meshkit.crypto.ring import Ring
from meshkit.errors import FieldViolation, InvalidArgument

from risk_scoring.domain.decision import Draft, Versions
from risk_scoring.domain.horizon import time_us
from risk_scoring.domain.identity import INVALID_TRANSACTION, CardIdentity, CreditTransferIdentity, Identity, Uetr
from risk_scoring.domain.observation import Observation, RestoredRecord
from risk_scoring.domain.transaction import Transaction

SCENARIO = "anti-fraud"
PRODUCER = "risk-scoring"
_MAX_TEMPLATES = 64
_OUTCOME_NAMES = {number: name for name, number in decision_pb2.Outcome.items()}
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
        tenant=message.tenant,
        identity=identity(message.identity),
        channel=message.channel,
        event_time_us=time_us(time, "event_time", INVALID_TRANSACTION),
        amount_minor=amount.amount_minor,
        currency=amount.currency_code,
        customer_id=message.customer_id,
        account_id=message.account_id,
        instrument_token=message.instrument_token,
        counterparty_account_id=message.counterparty_account_id,
        merchant_id=message.merchant_id,
        terminal_id=message.terminal_id,
        mcc=message.merchant_category_code,
        device_id=message.device_id,
        country_code=geo.country_code,
        region_code=geo.region_code,
        utc_offset_minutes=message.utc_offset_minutes,
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
    """Encodes decision records and audit records.

    What a batch shares (versions, thresholds, mode, purpose) is set once in a template and copied into each record: a third of the time
    that a constructor with every field takes, for the same bytes. ``build``: of the running code.
    """

    def __init__(self, keys: KeyedIds, commitments: Ring[CommitmentKey], build: str) -> None:
        self._keys, self._commitments = keys, commitments
        self._build = f"{PRODUCER}/{build}"
        self._versions: Versions | None = None
        self._decisions: dict[tuple[object, ...], decision_pb2.TransactionDecided] = {}
        self._audits: dict[tuple[object, ...], AuditRecord] = {}

    def decision(self, draft: Draft) -> bytes:
        """Return the bytes of TransactionDecided."""
        request = draft.request
        t, seen = request.transaction, request.observation
        record = decision_pb2.TransactionDecided()
        record.CopyFrom(self._decision_template(draft))
        record.decision_id, record.tenant, record.fingerprint = uuid_text(seen.decision_id), t.tenant, seen.fingerprint
        record.channel = t.channel  # type: ignore[assignment]
        record.outcome = draft.outcome  # type: ignore[assignment]
        record.recommended_outcome = draft.recommended  # type: ignore[assignment]
        if draft.score is not None:
            record.score = draft.score
        for code, weight in draft.reasons:
            record.reasons.add(code=code, contribution=weight)
        if draft.rule_hits:
            record.rule_hits.extend(draft.rule_hits)
        record.features = draft.features
        delta = record.delta
        delta.customer_key, delta.counterparty_key, delta.device_key = seen.customer_key, seen.counterparty_key, seen.device_key
        delta.account_key, delta.event_time_s, delta.reference_amount_minor = seen.account_key, seen.time_s, seen.amount_minor
        delta.geo_key, delta.local_hour = seen.place, seen.local_hour
        _set_us(record.event_time, t.event_time_us)
        _set_us(record.decided_time, int(draft.decided_time_s * 1_000_000))
        amount = record.amount
        amount.currency_code, amount.amount_minor = t.currency, t.amount_minor
        record.decline_capped, record.trace_id = draft.capped, request.trace_id
        inputs = record.rule_inputs
        inputs.merchant_category_code, inputs.country_code, inputs.utc_offset_minutes = t.mcc, t.country_code, t.utc_offset_minutes
        inputs.block_listed, inputs.trusted_payee = draft.blocked, draft.trusted
        if request.partition >= 0:
            record.input_position.partition, record.input_position.offset = request.partition, request.offset
        return record.SerializeToString()

    def audit(self, draft: Draft, decision: bytes) -> bytes:
        """Return the bytes of the AuditRecord that commits to ``decision``."""
        request, asker = draft.request, draft.request.asker
        t, seen = request.transaction, request.observation
        decision_id, key = uuid_text(seen.decision_id), self._commitments.primary
        record = AuditRecord()
        record.CopyFrom(self._audit_template(draft, key.id))
        record.audit_record_id = uuid_text(self._keys.derived_id("audit", seen.decision_id))
        record.tenant, record.principal_key = t.tenant, self._keys.entity_key(t.tenant, asker.principal)
        record.request_id, record.decision_id = asker.request_id or decision_id, decision_id
        record.decision_commitment, record.feature_commitment = key.commit(decision), key.commit(draft.features)
        record.outcome = _OUTCOME_NAMES[draft.outcome]
        if draft.reasons:
            record.reason_codes.extend([code for code, _ in draft.reasons])
        record.trace_id = request.trace_id
        _set_us(record.event_time, t.event_time_us)
        _set_us(record.decided_time, int(draft.decided_time_s * 1_000_000))
        return record.SerializeToString()

    def _decision_template(self, draft: Draft) -> decision_pb2.TransactionDecided:
        self._of(draft.versions)
        key = (draft.mode, draft.thresholds, draft.degradations, draft.request.asker.purpose)
        found = self._decisions.get(key)
        if found is None:
            versions = draft.versions
            found = self._decisions[key] = decision_pb2.TransactionDecided(
                mode=draft.mode,  # type: ignore[arg-type]
                thresholds=draft.thresholds,
                versions=decision_pb2.DecisionVersions(
                    feature_schema_version=versions.feature_schema,
                    rule_set_version=versions.rule_set,
                    model_version=versions.model,
                    model_digest=versions.model_digest,
                    rate_version=versions.rates,
                ),
                degradations=draft.degradations,  # type: ignore[arg-type]
                purpose=draft.request.asker.purpose,
            )
        return found

    def _audit_template(self, draft: Draft, commitment_key_id: str) -> AuditRecord:
        self._of(draft.versions)
        asker = draft.request.asker
        key = (draft.degradations, asker.purpose, asker.policy_hash, commitment_key_id)
        found = self._audits.get(key)
        if found is None:
            found = self._audits[key] = AuditRecord(
                producer=PRODUCER,
                scenario=SCENARIO,
                purpose=asker.purpose,
                commitment_key_id=commitment_key_id,
                model_digest=draft.versions.model_digest,
                model_sha256=draft.versions.digests.model,
                rules_sha256=draft.versions.digests.rules,
                thresholds_sha256=draft.versions.digests.thresholds,
                model_version=draft.versions.model,
                rule_set_version=draft.versions.rule_set,
                feature_schema_version=draft.versions.feature_schema,
                degradations=[_DEGRADATIONS(each) for each in draft.degradations],
                grade=DATA_GRADE_L3,
                policy_hash=asker.policy_hash,
                build=self._build,
            )
        return found

    def _of(self, versions: Versions) -> None:
        """Forget templates of other versions, by their object (see ``Combiner``), and of too many purposes."""
        if versions is not self._versions or len(self._decisions) > _MAX_TEMPLATES or len(self._audits) > _MAX_TEMPLATES:
            self._versions = versions
            self._decisions.clear()
            self._audits.clear()

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


def decision_identity(decision: bytes) -> tuple[bytes, bytes]:
    """Return the 16 bytes of the id, and the fingerprint, in a decision record."""
    record = decision_record(decision)
    return uuid_bytes(record.decision_id), record.fingerprint


def restored_record(decision: bytes) -> RestoredRecord:
    """Return what the feature store needs to know a published decision again."""
    record = decision_record(decision)
    delta = record.delta
    seen = Observation(
        decision_id=uuid_bytes(record.decision_id),
        fingerprint=record.fingerprint,
        customer_key=delta.customer_key,
        counterparty_key=delta.counterparty_key,
        device_key=delta.device_key,
        account_key=delta.account_key,
        time_s=delta.event_time_s,
        amount_minor=delta.reference_amount_minor,
        channel=record.channel,
        local_hour=delta.local_hour,
        local_weekday=0,
        place=delta.geo_key,
    )
    position = record.input_position
    partition, offset = (position.partition, position.offset) if record.HasField("input_position") else (-1, -1)
    return RestoredRecord(seen, decision, partition, offset, record.decided_time.seconds).checked()


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


def _set_us(timestamp: Timestamp, time_us: int) -> None:
    timestamp.seconds, timestamp.nanos = time_us // 1_000_000, time_us % 1_000_000 * 1_000


def _timestamp_us(time_us: int) -> Timestamp:
    return Timestamp(seconds=time_us // 1_000_000, nanos=time_us % 1_000_000 * 1_000)
