# ruff: noqa: E501
"""The templates of the codec change no byte: compared with messages built field by field."""

from __future__ import annotations

import hmac
import random
from dataclasses import replace

from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from finmesh.common.v1.grade_pb2 import DATA_GRADE_L3
from finmesh.common.v1.money_pb2 import Money
from finmesh.risk.v1 import decision_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import COMMITMENT, DEVELOPMENT_ROOT, derive_key
from meshkit.crypto.keyed_ids import uuid_text
from meshkit.crypto.ring import Ring
from meshkit.testing.keys import commitment_ring, keyed_ids
from provisioning import keys
from risk_scoring import translate
from risk_scoring.domain.decision import Asker, Digests, Draft, Request, Versions
from risk_scoring.domain.identity import Uetr
from risk_scoring.domain.observation import Observation
from risk_scoring.domain.transaction import Transaction

KEYS = keyed_ids()


def us(time_us: int) -> Timestamp:
    return Timestamp(seconds=time_us // 1_000_000, nanos=time_us % 1_000_000 * 1_000)


def drafts(count: int, rng: random.Random, versions: Versions) -> list[Draft]:
    """Every field varies, absent values included."""
    found = []
    for number in range(count):
        t = Transaction(
            rng.choice(["a", "b"]), Uetr("u"), rng.randint(1, 4), rng.randint(1, 2**50), rng.randint(1, 10**9), rng.choice(["CNY", "USD"]),
            "c", "acc", mcc=rng.choice(["", "5411"]), country_code=rng.choice(["", "CN"]), utc_offset_minutes=rng.choice([0, -300, 480]),
        )  # fmt: skip
        seen = Observation(
            rng.randbytes(16), rng.randbytes(16), rng.randbytes(16), rng.choice([b"", rng.randbytes(16)]), rng.choice([b"", rng.randbytes(16)]),
            rng.randbytes(16), rng.randint(0, 2**31), rng.choice([0, 10**12]), t.channel, rng.randint(0, 23), 3, rng.choice([0, 2**31]),
        )  # fmt: skip
        asker = Asker() if number % 3 else Asker("req", "core", "fraud-prevention-2", b"p")
        partition, offset = rng.choice([(-1, -1), (0, 0), (3, 17)])
        request = Request(t, seen, (rng.getrandbits(128), 1, True), asker, partition, offset)
        found.append(
            Draft(
                request, rng.randint(0, 3), rng.randint(1, 4), rng.randint(1, 4), rng.choice([None, 0.0, 0.123456]),
                rng.choice([(), (("R_NEW_DEVICE", 0.0), ("R_B", 1.5))]), rng.choice([(), ("r1", "r2")]), rng.choice([(0.1, 0.2, 0.3), (0.4, 0.5, 0.6)]),
                versions, rng.choice([(), (1,), (2, 3)]), rng.choice([b"", rng.randbytes(188)]), rng.random() * 2e9, rng.random() < 0.5,
                blocked=rng.random() < 0.5, trusted=rng.random() < 0.5,
            )
        )  # fmt: skip
    return found


def plain_decision(draft: Draft) -> bytes:
    request, versions, t, seen = draft.request, draft.versions, draft.request.transaction, draft.request.observation
    record = pb.TransactionDecided(
        decision_id=uuid_text(seen.decision_id), tenant=t.tenant, fingerprint=seen.fingerprint, channel=t.channel, mode=draft.mode,
        outcome=draft.outcome, recommended_outcome=draft.recommended, score=draft.score,
        reasons=[pb.Reason(code=code, contribution=weight) for code, weight in draft.reasons], rule_hits=draft.rule_hits,
        thresholds=draft.thresholds,
        versions=pb.DecisionVersions(
            feature_schema_version=versions.feature_schema, rule_set_version=versions.rule_set, model_version=versions.model,
            model_digest=versions.digests.model.hex()[:16], rate_version=versions.rates,
        ),
        degradations=draft.degradations, features=draft.features,
        delta=pb.FeatureDelta(
            customer_key=seen.customer_key, counterparty_key=seen.counterparty_key, device_key=seen.device_key, account_key=seen.account_key,
            event_time_s=seen.time_s, reference_amount_minor=seen.amount_minor, geo_key=seen.place, local_hour=seen.local_hour,
        ),
        event_time=us(t.event_time_us), decided_time=us(int(draft.decided_time_s * 1_000_000)),
        amount=Money(currency_code=t.currency, amount_minor=t.amount_minor), decline_capped=draft.capped, trace_id=request.trace_id,
        purpose=request.asker.purpose,
        rule_inputs=pb.RuleInputs(
            merchant_category_code=t.mcc, country_code=t.country_code, utc_offset_minutes=t.utc_offset_minutes,
            block_listed=draft.blocked, trusted_payee=draft.trusted,
        ),
    )  # fmt: skip
    if request.partition >= 0:
        record.input_position.partition, record.input_position.offset = request.partition, request.offset
    return record.SerializeToString()


def plain_audit(draft: Draft, decision: bytes) -> bytes:
    request, asker, t = draft.request, draft.request.asker, draft.request.transaction
    decision_id = uuid_text(request.observation.decision_id)
    secret = derive_key(DEVELOPMENT_ROOT, "commitment")
    return AuditRecord(
        audit_record_id=uuid_text(KEYS.derived_id("audit", request.observation.decision_id)), producer="risk-scoring", tenant=t.tenant,
        scenario=translate.SCENARIO, purpose=asker.purpose, principal_key=KEYS.entity_key(t.tenant, asker.principal),
        request_id=asker.request_id or decision_id, decision_id=decision_id, decision_commitment=hmac.digest(secret, decision, "sha256"),
        commitment_key_id="dev-1", feature_commitment=hmac.digest(secret, draft.features, "sha256"),
        outcome=pb.Outcome.Name(draft.outcome), reason_codes=[code for code, _ in draft.reasons], model_digest=draft.versions.digests.model.hex()[:16],
        model_sha256=draft.versions.digests.model, rules_sha256=draft.versions.digests.rules,
        thresholds_sha256=draft.versions.digests.thresholds,
        model_version=draft.versions.model, rule_set_version=draft.versions.rule_set, feature_schema_version=draft.versions.feature_schema,
        degradations=[pb.Degradation.Name(each) for each in draft.degradations], grade=DATA_GRADE_L3, trace_id=request.trace_id,
        event_time=us(t.event_time_us), decided_time=us(int(draft.decided_time_s * 1_000_000)), policy_hash=asker.policy_hash,
        build="risk-scoring/0.2.0+3f2c1ab",
    ).SerializeToString()  # fmt: skip


def test_records_have_the_bytes_of_plain_messages() -> None:
    rng, codec = random.Random(1), translate.RecordCodec(KEYS, commitment_ring(), "0.2.0+3f2c1ab")
    for versions in (Versions(1, "rules-1", "1", "r1", Digests(b"m" * 32, b"r" * 32, b"t" * 32)), Versions(2, "rules-2", "", "r2")):
        for draft in drafts(200, rng, versions):
            decision = codec.decision(draft)
            assert decision == plain_decision(draft)
            assert codec.audit(draft, decision) == plain_audit(draft, decision)


async def test_a_record_names_the_key_that_committed_it(tmp_path) -> None:
    """Also when the key changes between two records of one batch, which share a template."""
    keys.ensure_keys(tmp_path, DEVELOPMENT_ROOT, "dev-1", [])
    ring = Ring.of_file(tmp_path / "commitment.json", COMMITMENT, CommitmentKey)
    codec, versions = translate.RecordCodec(KEYS, ring, "0.2.0"), Versions(1, "rules-1", "1", "r1")
    (draft,) = drafts(1, random.Random(3), versions)
    before = AuditRecord.FromString(codec.audit(draft, b"decision"))
    keys.add(tmp_path, COMMITMENT, "new")
    keys.promote(tmp_path, COMMITMENT, "new")
    await ring.reload()
    after = AuditRecord.FromString(codec.audit(draft, b"decision"))
    assert (before.commitment_key_id, after.commitment_key_id) == ("dev-1", "new")
    for record in (before, after):
        key = ring.get(record.commitment_key_id)
        assert key is not None
        assert (record.decision_commitment, record.feature_commitment) == (key.commit(b"decision"), key.commit(draft.features))


def test_new_versions_are_taken_over_at_once() -> None:
    codec = translate.RecordCodec(KEYS, commitment_ring(), "0.2.0+3f2c1ab")
    for number in range(3):
        (draft,) = drafts(1, random.Random(3), Versions(1, f"rules-{number}", "1", "r"))
        assert pb.TransactionDecided.FromString(codec.decision(draft)).versions.rule_set_version == f"rules-{number}"


def test_callers_of_many_purposes_do_not_fill_the_memory() -> None:
    codec, versions = translate.RecordCodec(KEYS, commitment_ring(), "0.2.0+3f2c1ab"), Versions(1, "rules-1", "1", "r1")
    (draft,) = drafts(1, random.Random(3), versions)
    for number in range(300):
        asker = Asker("r", "core", f"用途-{number}", b"p%d" % number)
        one = replace(draft, request=replace(draft.request, asker=asker))
        decision = codec.decision(one)
        assert decision == plain_decision(one)
        assert codec.audit(one, decision) == plain_audit(one, decision)
    assert len(codec._decisions) < 100 and len(codec._audits) < 100
