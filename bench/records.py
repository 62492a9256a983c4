"""How many of our own audit records the audit service takes for plaintext: none may be, and what the look costs.

The records are those of the mesh's own code: decisions by risk-scoring's codec from drafts whose every value differs (ids, keyed hashes,
reasons, versions, degradations, askers), denials and versions as every service begins them, both records of generations by the router's.
"""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator

from audit.domain.message import UnusableError
from audit.translate import ProtobufBatchCodec
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit.audit.records import OPERATOR_TENANT, RULES, AuditRecords
from meshkit.clock import SystemClock
from meshkit.testing.keys import commitment_ring, keyed_ids
from risk_scoring.domain.decision import Asker, Digests, Draft, Request, Versions
from risk_scoring.domain.identity import Uetr
from risk_scoring.domain.observation import Observation
from risk_scoring.domain.reasons import REASONS
from risk_scoring.domain.transaction import Transaction
from risk_scoring.translate import RecordCodec
from router.domain.generation import Choice, ChoiceFinished, EndFacts, Finish, Provenance, Sampling, Score, StartFacts, Text, Usage
from router.domain.generation import Request as Asked
from router.translate.generation_records import GenerationCodec

from bench.report import Figures, Target

TENANTS = ("retail", "rural", "bank-a", "icbc-2", "8848")
IN_FORCE = 20_000  # records under the same versions and policies
TARGETS = {"poison": Target(max=0)}
WORDS = {"records": "records", "poison": "taken for poison", "us_per_record": "microseconds of processor time a record, parsing included"}


def own_records(count: int, seed: int) -> Iterator[bytes]:
    """Yield records as the services write them."""
    rng = random.Random(seed)
    build = f"0.2.0+{rng.getrandbits(28):07x}"
    codec = RecordCodec(keyed_ids(), commitment_ring(), build)
    others = AuditRecords("gateway", build, SystemClock())
    generations = GenerationCodec(AuditRecords("router", build, SystemClock()), commitment_ring(), SystemClock())
    versions, policies = [_versions(rng, number) for number in range(50)], [rng.randbytes(32) for _ in range(10)]
    for number in range(count):
        if number % 50:
            in_force = number // IN_FORCE
            draft = _draft(rng, versions[in_force % len(versions)], policies[in_force % len(policies)])
            yield codec.audit(draft, codec.decision(draft))
        else:
            yield _generation(rng, generations) if rng.random() < 0.3 else _other(rng, others)


def _versions(rng: random.Random, number: int) -> Versions:
    digests = Digests(rng.randbytes(32), rng.randbytes(32), rng.randbytes(32))
    return Versions(rng.randint(1, 9), f"anti-fraud-{number}", rng.choice(("", "1", "20")), "2026-11-22", digests)


def _draft(rng: random.Random, versions: Versions, policy: bytes) -> Draft:
    asker = Asker()
    if rng.random() < 0.3:
        asker = Asker(str(uuid.UUID(bytes=rng.randbytes(16), version=4)), f"core-banking-{rng.randrange(5_000)}", policy_hash=policy)
    time_us = int((1_700_000_000 + rng.random() * 1e8) * 1e6)
    amount = rng.randint(1, 10**12)
    transaction = Transaction(
        tenant=rng.choice(TENANTS),
        identity=Uetr(str(uuid.UUID(bytes=rng.randbytes(16), version=4))),
        channel=3,
        event_time_us=time_us,
        amount_minor=amount,
        currency="CNY",
        customer_id="c",
        account_id="a",
    )
    ids, key = (rng.randbytes(16), rng.randbytes(16)), rng.randbytes(16)
    seen = Observation(
        decision_id=ids[0],
        fingerprint=ids[1],
        customer_key=key,
        counterparty_key=key,
        device_key=key,
        account_key=key,
        time_s=time_us // 1_000_000,
        amount_minor=amount,
        channel=3,
        local_hour=rng.randrange(24),
        local_weekday=rng.randrange(9),
        place=rng.randrange(2**31),
    )
    reasons = tuple((code, rng.random()) for code in rng.sample(sorted(REASONS), rng.randrange(5)))
    request = Request(transaction, seen, (rng.getrandbits(128), rng.getrandbits(64), True), asker)
    degradations = rng.choice(((), (), (1,), (2, 3)))
    return Draft(
        request=request,
        mode=1,
        outcome=rng.randint(1, 4),
        recommended=1,
        score=0.5,
        reasons=reasons,
        rule_hits=(),
        thresholds=(0.1, 0.2, 0.3),
        versions=versions,
        degradations=degradations,
        features=rng.randbytes(188),
        decided_time_s=time_us / 1e6,
    )


def _other(rng: random.Random, records: AuditRecords) -> bytes:
    if rng.random() < 0.5:
        record = records.new(OPERATOR_TENANT)
        version = record.change.version
        version.of, version.before_sha256, version.after_sha256 = RULES, rng.randbytes(32), rng.randbytes(32)
        return record.SerializeToString()
    record = records.new(rng.choice(TENANTS))
    record.principal_key, record.commitment_key_id, record.lost_before = rng.randbytes(16), "principals-2026-11", rng.randrange(5)
    record.denial.refused.add(reason="POLICY_DENIED", method="ChangeListEntry", workload="core-banking", count=rng.randrange(1, 99))
    return record.SerializeToString()


def _generation(rng: random.Random, codec: GenerationCodec) -> bytes:
    """One of a generation's two records."""
    generation_id = str(uuid.UUID(bytes=rng.randbytes(16), version=4))
    scores = tuple(Score(f"decode-{each}/0", rng.random() * 100, rng.randrange(40), rng.random() * 40, rng.random()) for each in range(8))
    principal = f"teller-{rng.randrange(5_000)}"
    sampling = Sampling(temperature=rng.random() * 2, top_p=rng.random(), top_k=rng.randrange(100))
    started = codec.started(
        StartFacts(
            generation_id=generation_id,
            request=Asked(rng.choice(TENANTS), "assistant", "smollm2", 2, Text(""), sampling=sampling, principal=principal),
            model="smollm2-135m-instruct",
            model_digest=rng.randbytes(32),
            release=rng.randbytes(16).hex(),
            seed=rng.getrandbits(64),
            prompt_tokens=[rng.randrange(49_152) for _ in range(8)],
            max_output_tokens=rng.randint(1, 2_048),
            decode=Choice("decode-0/0", "CHEAPEST", 0, scores),
            prefill=Choice("prefill-0/0", "LEAST_LOADED", 0),
            reason="ALWAYS",
            tokenizer_digest=rng.randbytes(32),
        )
    )
    if rng.random() < 0.5:
        return started.content
    tokens = rng.randint(1, 2_048)
    usage = Usage(
        prompt_tokens=8, output_tokens=tokens, accelerator="cpu/onnxruntime", busy_ms=rng.random() * 1e6, energy_j=rng.random() * 1e4
    )
    provenance = Provenance("prefill-0/0", "decode-0/0", True, "ALWAYS", integrity="CHECKSUM")
    facts = EndFacts(generation_id, "", (ChoiceFinished(0, Finish.STOP, tokens),), usage, provenance, output_tokens=([1, 2, 3],))
    return codec.ended(facts, started.content).content


def poisoned(count: int, seed: int) -> tuple[Counter[str], float, list[AuditRecord]]:
    """Return reasons of poison, processor seconds, and the first such records."""
    codec, reasons, examples, spent_s = ProtobufBatchCodec(None), Counter[str](), list[AuditRecord](), 0.0
    for content in own_records(count, seed):
        began = time.process_time()
        try:
            codec.keys_of(content)
        except UnusableError as error:
            reasons[error.reason] += 1
            examples = [*examples, AuditRecord.FromString(content)][:3]
        spent_s += time.process_time() - began
    return reasons, spent_s, examples


def measure(records: int, seed: int, say: Callable[[str], None]) -> Figures:
    """Look at records of our own."""
    reasons, spent_s, examples = poisoned(records, seed)
    for example in examples:
        say(str(example))
    figures = Figures("audit records of our own", targets=TARGETS, words=WORDS)
    figures.values = {"records": records, "poison": reasons.total(), "us_per_record": spent_s / records * 1e6}
    return figures
